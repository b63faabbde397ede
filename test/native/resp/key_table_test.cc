#include "resp/key_table.h"

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "check.h"

namespace zerohop::resp {
namespace {

using Ids = std::vector<uint64_t>;

}  // namespace

TEST(KeyTable, GivesTheValuesOfAKeyOnce) {
  KeyTable<uint64_t> table;
  CHECK(table.Add("a", 1));
  CHECK(table.Add("a", 2));
  CHECK(!table.Add("a", 1));
  CHECK(table.Add("b", 1));
  CHECK_EQ(table.keys(), size_t{2});
  CHECK_EQ(table.items(), size_t{3});
  CHECK(table.Take("a") == (Ids{1, 2}));
  CHECK(table.Take("a").empty());
  CHECK(table.Take("c").empty());
  CHECK_EQ(table.keys(), size_t{1});
  CHECK_EQ(table.items(), size_t{1});
}

TEST(KeyTable, ForgetsAKeyWithItsLastValue) {
  KeyTable<uint64_t> table;
  table.Add("a", 1);
  table.Add("a", 2);
  CHECK(table.Remove("a", 1));
  CHECK(!table.Remove("a", 1));
  CHECK_EQ(table.keys(), size_t{1});
  CHECK(table.Remove("a", 2));
  CHECK(!table.Remove("a", 2));
  CHECK_EQ(table.keys(), size_t{0});
}

TEST(KeyTable, GivesEveryKeyOnceWhenTakenAtRandom) {
  KeyTable<uint64_t> table;
  std::set<std::string> added, taken;
  for (uint64_t i = 0; i < 2000; ++i) {
    added.insert("key" + std::to_string(i));
    table.Add("key" + std::to_string(i), i);
  }
  uint64_t random = 7;
  while (const auto some = table.TakeRandom(random)) {
    CHECK_EQ(some->second.size(), size_t{1});
    CHECK(taken.insert(some->first).second);
  }
  CHECK(added == taken);
  CHECK_EQ(table.items(), size_t{0});
}

TEST(KeyTable, TakesKeysWithZerosAndNothingAtAll) {
  KeyTable<uint64_t> table;
  table.Add(std::string_view("\0a", 2), 1);
  table.Add("", 2);
  CHECK(table.Take(std::string_view("\0b", 2)).empty());
  CHECK(table.Take(std::string_view("\0a", 2)) == (Ids{1}));
  CHECK(table.Take("") == (Ids{2}));
}

TEST(KeyTable, LosesNoKeyBetweenThreadsThatAddAndTake) {
  KeyTable<uint64_t> table;
  constexpr uint64_t kEach = 20000;
  std::atomic<uint64_t> taken{0};
  std::atomic<bool> done{false};
  std::thread taker([&] {
    uint64_t random = 3;
    bool last = false;
    while (!last) {
      last = done.load();
      while (const auto some = table.TakeRandom(random)) taken += some->second.size();
    }
  });
  std::vector<std::thread> adders;
  for (uint64_t id = 1; id <= 2; ++id) {
    adders.emplace_back([&table, &taken, id] {
      for (uint64_t i = 0; i < kEach; ++i) {
        table.Add("key" + std::to_string(i), id);
        if (i % 5 == 0) taken += table.Take("key" + std::to_string(i)).size();
      }
    });
  }
  for (std::thread& each : adders) each.join();
  done = true;
  taker.join();
  CHECK_EQ(taken.load(), 2 * kEach);
  CHECK_EQ(table.keys(), size_t{0});
  CHECK_EQ(table.items(), size_t{0});
}

}  // namespace zerohop::resp
