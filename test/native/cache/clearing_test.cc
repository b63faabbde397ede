// Clearing a keyspace: nothing of before is found, whatever is left behind goes in its own time.
#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "cache/cache.h"
#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::CheckSettledCountsAgree;
using testing::Client;
using testing::Filled;
using testing::InAnHourUs;
using testing::kMiB;
using testing::MakeCache;
using testing::Numbered;
using testing::OpenedSpace;
using testing::ScannedKeys;
using testing::Settle;

}  // namespace

TEST(ClearSpace, ForgetsItsEntriesAndNoOthers) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint16_t one = OpenedSpace(*cache, "one"), two = OpenedSpace(*cache, "two", "tenant");
  for (const uint16_t space : {uint16_t{0}, one, two}) {
    for (int i = 0; i < 50; ++i) CHECK_EQ(client.Set(Numbered("key", i), "v", space), SetOutcome::kStored);
  }
  cache->ClearSpace(one);
  CHECK_EQ(cache->EntriesOf(0), size_t{50});
  CHECK_EQ(cache->EntriesOf(one), size_t{0});
  CHECK_EQ(cache->EntriesOf(two), size_t{50});
  CHECK_EQ(cache->Usage().entries, size_t{100});
  for (int i = 0; i < 50; ++i) {
    const std::string key = Numbered("key", i);
    CHECK(client.Get(key) && client.Get(key, two));
    CHECK(!client.Get(key, one) && !client.Has(key, one) && !client.Touch(key, InAnHourUs(), one));
    CHECK(!client.Delete(key, one));
  }
  CHECK(ScannedKeys(*cache, one).empty());
  CheckSettledCountsAgree(*cache);
  CHECK_EQ(cache->Usage().indexed, size_t{100});
}

TEST(ClearSpace, ATwentyThousandthTimeIsLikeTheFirst) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint16_t other = OpenedSpace(*cache, "other");
  CHECK_EQ(client.Set("stays", "here", other), SetOutcome::kStored);
  // All numbers are given out several times over.
  static_assert(Spaces::kIncarnationsMax < 10000);
  for (int i = 0; i < 20000; ++i) {
    CHECK(!client.Get("key"));
    CHECK_EQ(client.Set("key", Numbered("value", i)), SetOutcome::kStored);
    if (i % 5 == 0) client.Set(Numbered("key", i), "left behind");
    CHECK_EQ(client.Get("key"), std::optional(Numbered("value", i)));
    CHECK_EQ(cache->EntriesOf(0), size_t{i % 5 == 0 ? 2u : 1u});
    cache->ClearSpace(0);
    if (i % 5 == 0) CHECK(!client.Has(Numbered("key", i)));
  }
  CHECK_EQ(client.Get("stays", other), std::optional<std::string>("here"));
  CheckSettledCountsAgree(*cache);
  CHECK_EQ(cache->Usage().indexed, size_t{1});
}

TEST(ClearSpace, KeyspacesCanBeOpenedHoweverManyWereClearedBefore) {
  const auto cache = MakeCache();
  // All numbers but one are dead and none is buried yet.
  for (size_t i = 0; i < Spaces::kIncarnationsMax - 1; ++i) cache->ClearSpace(0);
  const Result<uint16_t> space = cache->OpenSpace("new", "", "bytes");
  CHECK(space.ok());
}

TEST(ClearSpace, WhatIsLeftBehindLeavesTheIndexByUpkeep) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  for (int i = 0; i < 2000; ++i) CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 500)), SetOutcome::kStored);
  cache->ClearSpace(0);
  for (int i = 0; i < 100; ++i) CHECK_EQ(client.Set(Numbered("new", i), "v"), SetOutcome::kStored);
  CHECK_EQ(cache->Usage().indexed, size_t{2100});
  CHECK_EQ(cache->Usage().entries, size_t{100});
  for (size_t i = 0; i < Index::kShards; ++i) cache->Maintain(/*idle=*/true);
  CHECK_EQ(cache->Usage().indexed, size_t{100});
  cache->Maintain(/*idle=*/true);
  CHECK(cache->Usage().free_segments + 2 >= cache->Usage().segments);
  CheckSettledCountsAgree(*cache);
}

TEST(ClearSpace, WhatIsLeftBehindIsNotKeptByEviction) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint16_t cleared = OpenedSpace(*cache, "cleared");
  for (int i = 0; i < 100; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 1000), cleared), SetOutcome::kStored);
    for (int use = 0; use < 3; ++use) client.Get(Numbered("key", i), cleared);
  }
  cache->ClearSpace(cleared);
  for (int i = 0; i < 3000; ++i) CHECK_EQ(client.Set(Numbered("other", i), Filled("v", 1000)), SetOutcome::kStored);
  CHECK(client.Counted(Count::kEvictedEntries) > 1000);
  CHECK_EQ(cache->EntriesOf(cleared), size_t{0});
  CHECK_EQ(cache->Usage().indexed, cache->Usage().entries);  // no upkeep yet: eviction let go of all of them
  CheckSettledCountsAgree(*cache);
}

TEST(ClearSpace, AViewOutlivesIt) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("first", 3000)), SetOutcome::kStored);
  const auto view = client.Expose("key");
  REQUIRE(view.has_value());
  for (int round = 0; round < 5; ++round) {
    cache->ClearSpace(0);
    for (int i = 0; i < 1000; ++i) CHECK_EQ(client.Set(Numbered("key", i), Filled("x", 1000)), SetOutcome::kStored);
    Settle(*cache);
  }
  CHECK(view->shown() == Filled("first", 3000));
}

TEST(Clear, RepeatedForgetsTagsTermsAndAllKeyspaces) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  const uint16_t one = OpenedSpace(*cache, "one"), two = OpenedSpace(*cache, "two", "tenant");
  for (int round = 0; round < 50; ++round) {
    for (const uint16_t space : {uint16_t{0}, one, two}) {
      CHECK_EQ(client.SetTagged({"tag"}, "tagged", "v", space), SetOutcome::kStored);
      CHECK_EQ(client.SetUntil(InAnHourUs(), "ending", "v", space), SetOutcome::kStored);
      CHECK_EQ(client.Set("large", Filled("v", 300000), space), SetOutcome::kStored);
    }
    cache->Clear();
    CHECK_EQ(cache->Usage().entries, size_t{0});
    CHECK_EQ(cache->Usage().indexed, size_t{0});
    CHECK_EQ(cache->Usage().free_segments, cache->Usage().segments);
    for (const uint16_t space : {uint16_t{0}, one, two}) {
      CHECK(!client.Get("tagged", space) && !client.Get("ending", space) && !client.Get("large", space));
    }
  }
  CheckSettledCountsAgree(*cache);
}

// Threads.

TEST(ClearSpace, HidesWhatWasSetBeforeItFromEveryThread) {
  const auto cache = MakeCache(4 * kMiB);
  std::atomic<bool> done{false};
  std::atomic<int> returned[2] = {-1, -1};  // the last set of each thread that is over
  std::vector<std::thread> setters;
  for (uint64_t t = 0; t < 2; ++t) {
    setters.emplace_back([&, t] {
      Client client(*cache);
      for (int i = 0; !done.load(); ++i) {
        client.Set(Numbered("key", static_cast<uint64_t>(i % 50) * 2 + t), std::to_string(i));
        returned[t] = i;
      }
    });
  }
  Client client(*cache);
  for (int round = 0; round < 3000; ++round) {
    const int before[2] = {returned[0], returned[1]};
    cache->ClearSpace(0);
    for (uint64_t key = 0; key < 100; key += 7) {
      const auto value = client.Get(Numbered("key", key));
      if (value) CHECK(std::stoi(*value) > before[key % 2]);
    }
    if (round % 100 == 0) cache->Maintain(false);
  }
  done = true;
  for (std::thread& setter : setters) setter.join();
  CheckSettledCountsAgree(*cache);
}

TEST(Clear, CountsStayExactWhenOthersSetMeanwhile) {
  const auto cache = MakeCache(4 * kMiB);
  std::atomic<bool> done{false};
  std::vector<std::thread> setters;
  for (int t = 0; t < 2; ++t) {
    setters.emplace_back([&, t] {
      Client client(*cache);
      const uint16_t space = OpenedSpace(*cache, Numbered("space", static_cast<uint64_t>(t)));
      for (uint64_t i = 0; !done.load(); ++i) {
        client.Set(Numbered("key", i % 3000), Filled("v", 100), space);
        if (i % 7 == 0) client.Delete(Numbered("key", i % 3000), space);
      }
    });
  }
  for (int i = 0; i < 300; ++i) cache->Clear();
  done = true;
  for (std::thread& setter : setters) setter.join();
  CheckSettledCountsAgree(*cache);
  // Nothing that could be set is lost for good either.
  cache->Clear();
  cache->Maintain(true);
  CHECK_EQ(cache->Usage().free_segments, cache->Usage().segments);
}

TEST(ClearSpace, WaitsForReadersBeforeItGivesNumbersOutAgain) {
  const auto cache = MakeCache(4 * kMiB);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> foreign{0};
  const uint16_t mine = OpenedSpace(*cache, "mine"), other = OpenedSpace(*cache, "other");
  std::thread reader([&] {
    Client client(*cache);
    while (!done.load()) {
      const auto value = client.Get("key", mine);
      foreign += value && *value != "mine";
    }
  });
  Client client(*cache);
  const uint64_t end_us = NowUs() + 3000000;
  for (int i = 0; i < 40000 && NowUs() < end_us; ++i) {
    client.Set("key", "mine", mine);
    client.Set("key", "other", other);
    cache->ClearSpace(i % 2 == 0 ? mine : other);
  }
  done = true;
  reader.join();
  CHECK_EQ(foreign.load(), uint64_t{0});
  CheckSettledCountsAgree(*cache);
}

}  // namespace zerohop
