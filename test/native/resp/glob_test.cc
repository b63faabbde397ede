#include "resp/glob.h"

#include <string>

#include "check.h"

namespace zerohop::resp {

TEST(Glob, MatchesWhatItsElementsSay) {
  CHECK(GlobMatches("h?llo", "hello"));
  CHECK(!GlobMatches("h?llo", "hllo"));
  CHECK(GlobMatches("h*llo", "hllo"));
  CHECK(GlobMatches("h*llo", "heeeello"));
  CHECK(GlobMatches("h[ae]llo", "hallo"));
  CHECK(!GlobMatches("h[ae]llo", "hillo"));
  CHECK(GlobMatches("h[^e]llo", "hallo"));
  CHECK(!GlobMatches("h[^e]llo", "hello"));
  CHECK(GlobMatches("h[a-b]llo", "hbllo"));
  CHECK(GlobMatches("h[b-a]llo", "hallo"));
  CHECK(!GlobMatches("h[a-b]llo", "hcllo"));
  CHECK(GlobMatches("h\\*llo", "h*llo"));
  CHECK(!GlobMatches("h\\*llo", "hello"));
  CHECK(GlobMatches("[\\]]", "]"));
}

TEST(Glob, MatchesAStarAtEitherEndAndNothingButStarsAgainstNothing) {
  CHECK(GlobMatches("*", ""));
  CHECK(GlobMatches("***", ""));
  CHECK(GlobMatches("", ""));
  CHECK(!GlobMatches("", "a"));
  CHECK(!GlobMatches("?", ""));
  CHECK(GlobMatches("*abc*", "xxabcxx"));
  CHECK(GlobMatches("*ab*bc*", "abbc"));
  CHECK(!GlobMatches("*ab*bc*", "abc"));
}

TEST(Glob, ReadsASetThatNothingClosesAndABackslashAtTheEnd) {
  CHECK(GlobMatches("[abc", "b"));
  CHECK(!GlobMatches("[abc", "d"));
  CHECK(!GlobMatches("[", "["));
  CHECK(GlobMatches("a\\", "a\\"));
  CHECK(GlobMatches("[^", "x"));
  CHECK(GlobMatches("[a-]", "^"));  // as in Redis: the range from ] to a
}

TEST(Glob, TakesZerosAndBytesAbove127AsTheyAre) {
  const std::string key("a\0\xff", 3);
  CHECK(GlobMatches(std::string("a\0?", 3), key));
  CHECK(GlobMatches("a*\xff", key));
  CHECK(GlobMatches("[\x80-\xff]", "\xc3"));
}

TEST(Glob, ForgetsTheCaseOfLettersOnlyWhenAsked) {
  CHECK(!GlobMatches("MAX*", "maxmemory"));
  CHECK(GlobMatchesAnyCase("MAX*", "maxmemory"));
  CHECK(GlobMatchesAnyCase("[A-C]x", "bX"));
}

TEST(Glob, AnswersSoonForAPatternOfManyStars) {
  std::string pattern, text(10000, 'a');
  for (int i = 0; i < 30; ++i) pattern += "a*";
  CHECK(!GlobMatches(pattern + "b", text));
}

}  // namespace zerohop::resp
