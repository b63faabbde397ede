#include "resp/parser.h"

#include <cstring>
#include <string>
#include <vector>

#include "check.h"
#include "resp/reference_parser.h"

namespace zerohop::resp {
namespace {

constexpr Parser::Limits kOpen{int64_t{512} << 20, true};
constexpr Parser::Limits kBeforeAuth{int64_t{512} << 20, false};

using testing::Parsed;
using testing::ReferenceParse;

std::vector<std::string> WordsOf(const Args& args) {
  std::vector<std::string> words;
  for (size_t i = 0; i < args.size(); ++i) words.emplace_back(args[i]);
  return words;
}

// What one Parser makes of `text`, which comes in pieces that end at `cuts`.
Parsed ParseInPieces(const std::string& text, const std::vector<size_t>& cuts, const Parser::Limits& limits) {
  Parser parser;
  Parsed parsed;
  size_t from = 0;  // of the request
  for (const size_t cut : cuts) {
    for (;;) {
      // A copy of its own each time: nothing may be kept of the bytes' address.
      const std::vector<char> copy(text.begin() + static_cast<ptrdiff_t>(from),
                                   text.begin() + static_cast<ptrdiff_t>(cut));
      Parser::Request request;
      const Parser::Outcome outcome = parser.Next({copy.data(), copy.size()}, limits, &request);
      if (outcome == Parser::Outcome::kIncomplete) {
        const size_t wanted = parser.BytesWanted();
        CHECK(wanted == 0 || wanted > copy.size());
        break;
      }
      if (outcome == Parser::Outcome::kError) {
        parsed.error = parser.error();
        return parsed;
      }
      if (request.args.size() > 0) parsed.requests.push_back(WordsOf(request.args));
      from += request.bytes;
    }
  }
  parsed.used = from;
  return parsed;
}

Parsed ParseWhole(const std::string& text, const Parser::Limits& limits = kOpen) {
  return ParseInPieces(text, {text.size()}, limits);
}

void CheckSame(const Parsed& seen, const Parsed& wanted, const std::string& text) {
  if (seen.requests == wanted.requests && seen.error == wanted.error &&
      (!wanted.error.empty() || seen.used == wanted.used))
    return;
  const auto shown = [](const Parsed& parsed) {
    return std::to_string(parsed.requests.size())
        .append(" requests, ")
        .append(std::to_string(parsed.used))
        .append(" bytes, error '")
        .append(parsed.error)
        .append("'");
  };
  check::Fail(__FILE__, __LINE__, shown(seen).append(", not ").append(shown(wanted)).append(": ").append(text));
}

}  // namespace

TEST(Parser, ReadsTheSameWhereverRequestsAreCut) {
  const std::string texts[] = {
      "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n*1\r\n$4\r\nPING\r\n",
      "PING\r\nSET key \"two words\"\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\n$3\r\n*1\r\nab\r\n\r\n",
      "*0\r\n\r\n   \r\n*-1\r\n*1\r\n$1\r\nx\r\n",
      "echo 'it\\'s' \"\\x41\\n\\\"\"\n",
      "*1\r\n$4\r\nPING\r\n*1\r\n#",
      "*2\r\n$3\r\nGET\r\n$abc\r\n",
  };
  for (const std::string& text : texts) {
    const Parsed wanted = ReferenceParse(text, kOpen);
    for (size_t cut = 0; cut <= text.size(); ++cut) {
      CheckSame(ParseInPieces(text, {cut, text.size()}, kOpen), wanted, text);
    }
    std::vector<size_t> each;
    for (size_t cut = 1; cut <= text.size(); ++cut) each.push_back(cut);
    CheckSame(ParseInPieces(text, each, kOpen), wanted, text);
  }
}

TEST(Parser, TakesWordsOfAnyBytes) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const Parsed parsed = ParseWhole("*2\r\n$256\r\n" + all + "\r\n$0\r\n\r\n");
  REQUIRE(parsed.requests.size() == 1);
  CHECK(parsed.requests[0][0] == all);
  CHECK_EQ(parsed.requests[0][1], "");
}

TEST(Parser, ReadsInlineRequestsAsAShellWould) {
  const auto words = [](const std::string& line) {
    const Parsed parsed = ParseWhole(line);
    CHECK_EQ(parsed.error, "");
    return parsed.requests.empty() ? std::vector<std::string>() : parsed.requests[0];
  };
  using Words = std::vector<std::string>;
  CHECK(words("SET  key\tvalue \r\n") == (Words{"SET", "key", "value"}));
  CHECK(words("a \"\" ''\n") == (Words{"a", "", ""}));
  CHECK(words("a \"\\x00\\xfF\\x4\\q\\t\"\n") == (Words{"a", std::string("\0\xff", 2) + "x4q\t"}));
  CHECK(words("a 'it\\'s\\n'\n") == (Words{"a", "it's\\n"}));
  CHECK(words("a b\"c d\"\n") == (Words{"a", "bc d"}));
}

TEST(Parser, TellsProtocolErrorsInTheWordsOfRedis) {
  const auto error = [](const std::string& text, const Parser::Limits& limits = kOpen) {
    return ParseWhole(text, limits).error;
  };
  CHECK_EQ(error("*abc\r\n"), "Protocol error: invalid multibulk length");
  CHECK_EQ(error("*3000000000\r\n"), "Protocol error: invalid multibulk length");
  CHECK_EQ(error("*1\r\n:1\r\n"), "Protocol error: expected '$', got ':'");
  CHECK_EQ(error("*1\r\n$x\r\n"), "Protocol error: invalid bulk length");
  CHECK_EQ(error("*1\r\n$-1\r\n"), "Protocol error: invalid bulk length");
  CHECK_EQ(error("*1\r\n$ 1\r\n"), "Protocol error: invalid bulk length");
  CHECK_EQ(error("*1\r\n$01\r\n"), "Protocol error: invalid bulk length");
  CHECK_EQ(error("*1\r\n$536870913\r\n"), "Protocol error: invalid bulk length");
  CHECK_EQ(error("*1\r\n$99999999999999999999\r\n"), "Protocol error: invalid bulk length");
  CHECK_EQ(error("a \"b\n"), "Protocol error: unbalanced quotes in request");
  CHECK_EQ(error("a \"b\"c\n"), "Protocol error: unbalanced quotes in request");
  CHECK_EQ(error("a 'b\n"), "Protocol error: unbalanced quotes in request");
  CHECK_EQ(error(std::string(kInlineBytesMax + 1, 'a')), "Protocol error: too big inline request");
  CHECK_EQ(error("*" + std::string(kInlineBytesMax + 1, '1')), "Protocol error: too big mbulk count string");
  CHECK_EQ(error("*1\r\n$" + std::string(kInlineBytesMax + 1, '1')), "Protocol error: too big bulk count string");
  CHECK_EQ(error("*11\r\n", kBeforeAuth), "Protocol error: unauthenticated multibulk length");
  CHECK_EQ(error("*1\r\n$16385\r\n", kBeforeAuth), "Protocol error: unauthenticated bulk length");
  CHECK_EQ(error("*10\r\n$16384\r\n", kBeforeAuth), "");
}

TEST(Parser, BelievesNoAnnouncement) {
  Parser parser;
  Parser::Request request;
  const std::string text = "*1000000\r\n";
  CHECK_EQ(parser.Next(text, kOpen, &request), Parser::Outcome::kIncomplete);
  CHECK_EQ(parser.words_read(), size_t{0});
}

TEST(Parser, AgreesWithASimplerOneOnRandomBytes) {
  check::Random random(check::Seed());
  const std::string pieces[] = {"*",
                                "$",
                                "1",
                                "2",
                                "3",
                                "12",
                                "\r\n",
                                "\n",
                                "GET",
                                "a",
                                " ",
                                "\"",
                                "'",
                                "\\",
                                "-",
                                "0",
                                "x4",
                                std::string(1, '\0'),
                                "*1\r\n$1\r\na\r\n",
                                "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"};
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    const uint64_t count = random.Below(24);
    for (uint64_t i = 0; i < count; ++i) text += pieces[random.Below(std::size(pieces))];
    const Parser::Limits limits{random.OneIn(2) ? int64_t{512} << 20 : 2, !random.OneIn(4)};
    std::vector<size_t> cuts;
    for (size_t at = 0; at < text.size();) cuts.push_back(at += 1 + random.Below(text.size() - at));
    cuts.push_back(text.size());
    CheckSame(ParseInPieces(text, cuts, limits), ReferenceParse(text, limits), text);
  }
}

}  // namespace zerohop::resp
