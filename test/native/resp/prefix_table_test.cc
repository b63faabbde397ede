#include "resp/prefix_table.h"

#include <map>
#include <string>
#include <vector>

#include "check.h"

namespace zerohop::resp {
namespace {

// What each client heard: its keys, with who changed them.
std::map<uint64_t, std::string> HandOut(PrefixTable& table) {
  std::map<uint64_t, std::string> heard;
  table.HandOut([&](uint64_t client, bool no_loop, const PrefixTable::Keys& keys) {
    if (no_loop) heard[client] += "no loop: ";
    for (const auto& [key, by] : keys) heard[client] += key + "/" + std::to_string(by) + " ";
  });
  return heard;
}

}  // namespace

TEST(PrefixTable, CollectsKeysByPrefixUntilTheyAreHandedOut) {
  PrefixTable table;
  CHECK(!table.Collect("user:1", 9));  // nobody listens
  table.Add("user:", 1, false);
  table.Add("", 2, false);
  CHECK(table.Collect("user:1", 9));
  CHECK(!table.Collect("user:2", 0));
  CHECK(!table.Collect("other", 0));
  auto heard = HandOut(table);
  CHECK_EQ(heard[1], "user:1/9 user:2/0 ");
  CHECK_EQ(heard[2], "other/0 user:1/9 user:2/0 ");
  CHECK(HandOut(table).empty());
  CHECK(table.Collect("other", 0));
}

TEST(PrefixTable, TellsAKeyOnceAsChangedByWhoWasLast) {
  PrefixTable table;
  table.Add("k", 1, false);
  table.Add("k", 1, true);
  CHECK(table.Collect("k1", 5));
  CHECK(!table.Collect("k1", 6));
  CHECK_EQ(HandOut(table)[1], "no loop: k1/6 ");
}

TEST(PrefixTable, ForgetsAPrefixWithItsLastClient) {
  PrefixTable table;
  table.Add("a", 1, false);
  table.Add("a", 2, false);
  table.Add("b", 1, false);
  CHECK_EQ(table.size(), size_t{2});
  table.Remove("a", 1);
  table.Remove("a", 2);
  table.Remove("nothing", 2);
  CHECK_EQ(table.size(), size_t{1});
  CHECK(!table.Collect("a1", 0));
}

}  // namespace zerohop::resp
