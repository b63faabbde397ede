#include "resp/look_ahead.h"

#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "resp/peer.h"

namespace zerohop::resp {
namespace {

using testing::Request;

struct Seen {
  std::vector<std::string> keys;
  size_t bytes;
};

Seen Look(std::string_view input, size_t keys_max = 4) {
  std::vector<Bytes> keys(keys_max);
  const LookedAhead found = LookAhead(input, keys);
  Seen seen{{}, found.bytes};  // copies: the input may be gone before they are compared
  for (size_t i = 0; i < found.keys; ++i)
    seen.keys.emplace_back(reinterpret_cast<const char*>(keys[i].data()), keys[i].size());
  return seen;
}

using Keys = std::vector<std::string>;

}  // namespace

TEST(LookAhead, FindsTheKeysOfStoresAmongOtherRequests) {
  const std::string input =
      Request({"SET", "a", "1"}) + Request({"GET", "b"}) + Request({"PING"}) + Request({"SET", "c", "", "EX", "1"});
  const Seen seen = Look(input);
  CHECK(seen.keys == Keys({"a", "c"}));
  CHECK_EQ(seen.bytes, input.size());
}

TEST(LookAhead, EndsWhereItHasFoundEnough) {
  const std::string one = Request({"SET", "key", "value"});
  const Seen seen = Look(one + one + one, 2);
  CHECK_EQ(seen.keys.size(), size_t{2});
  CHECK_EQ(seen.bytes, 2 * one.size());
}

TEST(LookAhead, LeavesOutWhatIsNotThereYet) {
  const std::string one = Request({"SET", "key", "value"});
  for (size_t cut = 0; cut < one.size(); ++cut) {
    const Seen seen = Look(one + one.substr(0, cut));
    CHECK(seen.keys == Keys({"key"}));
    CHECK_EQ(seen.bytes, one.size());
  }
}

TEST(LookAhead, EndsAtWhatIsNoRequest) {
  const std::string one = Request({"SET", "key", "value"});
  for (const char* other : {"PING\r\n", "*x\r\n", "*3\r\n:1\r\n", "*3\r\n$-1\r\n", "*99999999999999999999\r\n$1"}) {
    CHECK_EQ(Look(one + other).bytes, one.size());
    CHECK_EQ(Look(other).bytes, size_t{0});
  }
}

// It arrives in many parts, and would be read again with each of them.
TEST(LookAhead, EndsAtARequestOfManyWords) {
  std::string many = "*2001\r\n" + testing::Bulk("MSET");
  for (int i = 0; i < 2000; ++i) many += testing::Bulk("w");
  const Seen seen = Look(many);
  CHECK_EQ(seen.keys.size(), size_t{0});
  CHECK_EQ(seen.bytes, size_t{0});
}

}  // namespace zerohop::resp
