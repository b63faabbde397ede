// Requests that are read before it is their turn: the same words that the parser finds, or none.
#include "resp/look_ahead.h"

#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "resp/parser.h"
#include "resp/peer.h"

namespace zerohop::resp {
namespace {

using testing::Request;

using Words = std::vector<std::string>;

Words WordsOf(const Args& args) {
  Words words;
  for (size_t i = 0; i < args.size(); ++i) words.emplace_back(args[i]);
  return words;
}

struct Seen {
  std::vector<Words> requests;
  size_t end = 0;
};

Seen Look(const std::string& input, size_t at = 0) {
  LookAhead ahead;
  ahead.Read(input, at);
  Seen seen{{}, at};
  while (const LookAhead::Request* const request = ahead.At(seen.end)) {
    seen.requests.push_back(WordsOf(request->args(input)));
    seen.end = request->end();
  }
  CHECK_EQ(seen.requests.size(), ahead.requests().size());
  return seen;
}

}  // namespace

TEST(LookAhead, ReadsWholeRequestsOneAfterTheOther) {
  const std::string input = Request({"SET", "a", "1"}) + Request({"PING"}) + Request({"SET", "c", "", "EX", "1"});
  const Seen seen = Look(input);
  CHECK(seen.requests == std::vector<Words>({{"SET", "a", "1"}, {"PING"}, {"SET", "c", "", "EX", "1"}}));
  CHECK_EQ(seen.end, input.size());
}

TEST(LookAhead, StartsWhereItIsTold) {
  const std::string first = Request({"GET", "a"}), second = Request({"GET", "b"});
  CHECK(Look(first + second, first.size()).requests == std::vector<Words>({{"GET", "b"}}));
}

TEST(LookAhead, EndsWhereItHasReadEnough) {
  const std::string one = Request({"SET", "key", "value"});
  std::string input;
  for (size_t i = 0; i < LookAhead::kRequestsMax + 3; ++i) input += one;
  const Seen seen = Look(input);
  CHECK_EQ(seen.requests.size(), LookAhead::kRequestsMax);
  CHECK_EQ(seen.end, LookAhead::kRequestsMax * one.size());
}

TEST(LookAhead, LeavesOutWhatIsNotThereYet) {
  const std::string one = Request({"SET", "key", "value"});
  for (size_t cut = 0; cut < one.size(); ++cut) {
    const Seen seen = Look(one + one.substr(0, cut));
    CHECK_EQ(seen.requests.size(), size_t{1});
    CHECK_EQ(seen.end, one.size());
  }
}

TEST(LookAhead, LeavesToTheParserWhatIsLongOrUnusual) {
  const std::string one = Request({"SET", "key", "value"});
  for (const std::string& other :
       {std::string("PING\r\n"), std::string("*x\r\n$1\r\nx\r\n"), std::string("*0\r\n"), std::string("*-1\r\n"),
        std::string("*3\r\n:1\r\n"), std::string("*3\r\n$-1\r\n"), std::string("*99999999999999999999\r\n$1\r\n"),
        std::string("*01\r\n$4\r\nPING\r\n"), std::string("*1\r\n$04\r\nPING\r\n"),
        Request({"1", "2", "3", "4", "5", "6", "7", "8", "9"}), Request({"SET", std::string(10000, 'x')})}) {
    const Seen seen = Look(one + other);
    CHECK_EQ(seen.requests.size(), size_t{1});
    CHECK_EQ(seen.end, one.size());
  }
}

// Every length from none to five digits: as the parser reads it, or not at all.
TEST(LookAhead, ReadsWordsOfAllLengthsAsTheParserDoes) {
  for (const size_t bytes : {0, 1, 9, 10, 99, 100, 999, 1000, 9999, 10000, 12345}) {
    const std::string input = Request({"SET", "key", std::string(bytes, 'v')});
    Parser parser;
    Parser::Request request;
    REQUIRE(parser.Next(input, {1 << 20, true}, &request) == Parser::Outcome::kRequest);
    const Seen seen = Look(input);
    CHECK_EQ(seen.requests.size(), size_t{bytes <= LookAhead::kWordBytesMax});
    if (!seen.requests.empty()) CHECK(seen.requests[0] == WordsOf(request.args));
  }
}

// Whatever it reads of changed bytes, the parser reads the same.
TEST(LookAhead, NeverReadsWhatTheParserWouldNot) {
  check::Random random(check::Seed());
  const std::string right = Request({"SET", "key", "value"}) + Request({"GET", "key"}) + Request({"PING"});
  constexpr std::string_view kBytes = "*$\r\n0123456789-x";
  for (int round = 0; round < 20000; ++round) {
    std::string input = right;
    for (uint64_t changes = 1 + random.Below(3); changes > 0; --changes)
      input[random.Below(input.size())] = kBytes[random.Below(kBytes.size())];
    const Seen seen = Look(input);
    size_t at = 0;
    for (const Words& words : seen.requests) {
      Parser parser;
      Parser::Request request;
      REQUIRE(parser.Next(std::string_view(input).substr(at), {1 << 20, false}, &request) == Parser::Outcome::kRequest);
      CHECK(words == WordsOf(request.args));
      at += request.bytes;
    }
    CHECK_EQ(at, seen.end);
  }
}

}  // namespace zerohop::resp
