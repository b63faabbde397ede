// maxEntries: a set that returned left no more entries than that.
#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cache/cache.h"
#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::CheckSettledCountsAgree;
using testing::Client;
using testing::Filled;
using testing::kMiB;
using testing::MakeCache;
using testing::Names;
using testing::Numbered;
using testing::OpenedSpace;

std::unique_ptr<Cache> LimitedTo(size_t entries, size_t max_bytes = kMaxBytesMin) {
  return MakeCache(max_bytes, Verify::kSample, entries);
}

}  // namespace

TEST(Trim, NeverLeavesMoreEntriesThanAllowed) {
  for (const size_t most : {1, 2, 7, 100, 1000}) {
    const auto cache = LimitedTo(most);
    Client client(*cache);
    for (uint64_t i = 0; i < 5000; ++i) {
      CHECK_EQ(client.Set(Numbered("key", i), "v"), SetOutcome::kStored);
      CHECK(cache->Usage().entries <= most);
    }
    CHECK_EQ(cache->Usage().entries, most);
    CHECK_EQ(client.Counted(Count::kTrimmedEntries), 5000 - most);
    CheckSettledCountsAgree(*cache);
  }
}

TEST(Trim, NeverLeavesMoreAlsoWhenKeysAreOverwrittenAllTheTime) {
  // Old versions lie between the entries, thousands of them.
  const auto cache = LimitedTo(10, 4 * kMiB);
  Client client(*cache);
  size_t most = 0;
  for (uint64_t i = 0; i < 200000; ++i) {
    const uint64_t key = i % 1000 == 999 ? i : i % 10;
    CHECK_EQ(client.Set(Numbered("key", key), "v"), SetOutcome::kStored);
    most = std::max(most, cache->Usage().entries);
  }
  CHECK_EQ(most, size_t{10});
  CheckSettledCountsAgree(*cache);
}

TEST(Trim, HoldsThroughEveryKindOfChange) {
  check::Random random(check::Seed());
  const auto cache = LimitedTo(200);
  Client client(*cache);
  const uint16_t other = OpenedSpace(*cache, "other", "tenant");
  for (int i = 0; i < 60000; ++i) {
    const std::string key = Numbered("key", random.Below(400));
    const uint16_t space = random.OneIn(3) ? other : uint16_t{0};
    switch (random.Below(8)) {
      case 0: client.Delete(key, space); break;
      case 1:
      case 2: client.Get(key, space); break;
      case 3: client.Touch(key, testing::InAnHourUs(), space); break;
      case 4:
        if (random.OneIn(500)) cache->ClearSpace(space);
        if (random.OneIn(50)) client.DeleteByTag("tag", space);
        if (random.OneIn(20)) cache->Maintain(random.OneIn(2));
        break;
      case 5: client.SetTagged({"tag"}, key, Filled("v", random.Below(2000)), space); break;
      default: client.Set(key, Filled("v", random.OneIn(200) ? 40000 : random.Below(3000)), space);
    }
    const size_t entries = cache->Usage().entries;
    CHECK(entries <= 200);
    if (entries > 200) break;
  }
  CHECK(client.Counted(Count::kTrimmedEntries) > 100);
  CheckSettledCountsAgree(*cache);
}

TEST(Trim, UsedEntriesStayWhenUnusedOnesGo) {
  const auto cache = LimitedTo(100);
  Client client(*cache);
  size_t lost = 0;
  for (uint64_t i = 0; i < 20; ++i) CHECK_EQ(client.Set(Numbered("hot", i), "v"), SetOutcome::kStored);
  for (uint64_t i = 0; i < 5000; ++i) {
    CHECK_EQ(client.Set(Numbered("cold", i), "v"), SetOutcome::kStored);
    if (i % 10 == 0) {
      for (uint64_t hot = 0; hot < 20; ++hot) lost += !client.Get(Numbered("hot", hot)).has_value();
    }
  }
  CHECK_EQ(lost, size_t{0});
}

TEST(Trim, WhatWasClearedTakesNoPlace) {
  const auto cache = LimitedTo(100);
  Client client(*cache);
  const uint16_t cleared = OpenedSpace(*cache, "cleared");
  for (uint64_t i = 0; i < 40; ++i) CHECK_EQ(client.Set(Numbered("key", i), "v"), SetOutcome::kStored);
  for (int round = 0; round < 20; ++round) {
    for (uint64_t i = 0; i < 50; ++i) CHECK_EQ(client.Set(Numbered("key", i), "v", cleared), SetOutcome::kStored);
    cache->ClearSpace(cleared);
  }
  CHECK_EQ(client.Counted(Count::kTrimmedEntries), uint64_t{0});
  CHECK_EQ(cache->EntriesOf(0), size_t{40});
}

TEST(Trim, GivesTheSegmentsOfTrimmedEntriesBack) {
  const auto cache = LimitedTo(10, 4 * kMiB);
  Client client(*cache);
  for (uint64_t i = 0; i < 3000; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 8000)), SetOutcome::kStored);
    CHECK(cache->Usage().entries <= 10);
  }
  CHECK(!cache->evicting());  // never was there too little room
  cache->Maintain(true);
  CHECK(cache->Usage().free_segments > cache->Usage().segments / 2);
}

TEST(Trim, TellsToLetGoOfSegmentsThatItEmptied) {
  // Else buffers over them are kept for ever: nothing else may happen that would tell.
  const auto cache = LimitedTo(10, 4 * kMiB);
  Client client(*cache);
  std::vector<testing::View> views;
  for (uint64_t i = 0; i < 1000; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 8000)), SetOutcome::kStored);
    if (auto view = client.Expose(Numbered("key", i))) views.push_back(std::move(*view));
    if (cache->Usage().retired_segments > 0) break;
  }
  REQUIRE(cache->Usage().retired_segments > 0);
  CHECK(cache->exposure().notice() > 0);
}

TEST(Trim, TakesNoSegmentForAFewEntries) {
  // Ten entries of a few bytes, replaced by others for ever, each seen by a view for a while: they fit into a segment.
  const auto cache = LimitedTo(10, 128 * kMiB);
  Client client(*cache);
  std::vector<testing::View> views;
  for (uint64_t i = 0; i < 2000; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), "v"), SetOutcome::kStored);
    if (auto view = client.Expose(Numbered("key", i))) views.push_back(std::move(*view));
  }
  const CacheUsage usage = cache->Usage();
  CHECK(usage.segments - usage.free_segments <= 4);
}

TEST(Trim, LetsLargeValuesGoToo) {
  const auto cache = LimitedTo(3, 8 * kMiB);
  Client client(*cache);
  for (uint64_t i = 0; i < 50; ++i) {
    CHECK_EQ(client.Set(Numbered("large", i), Filled("v", kMiB / 2)), SetOutcome::kStored);
    CHECK(cache->Usage().entries <= 3);
  }
  CheckSettledCountsAgree(*cache);
}

// Whoever sets a key finds it there: the newest entry is the last to go.
TEST(Trim, KeepsWhatWasJustSetHoweverMuchTheOthersAreUsed) {
  for (const size_t most : {1, 2, 10}) {
    const auto cache = LimitedTo(most);
    Client client(*cache);
    size_t lost = 0;
    for (uint64_t i = 0; i < 500; ++i) {
      CHECK_EQ(client.Set(Numbered("key", i), "v"), SetOutcome::kStored);
      lost += !client.Get(Numbered("key", i)).has_value();
      for (uint64_t old = 0; old <= i; ++old) client.Get(Numbered("key", old));
    }
    CHECK_EQ(lost, size_t{0});
  }
}

TEST(Trim, HoldsForManyThreadsOnceTheyAreDone) {
  const auto cache = LimitedTo(500, 4 * kMiB);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      Client client(*cache);
      for (uint64_t i = 0; i < 5000; ++i) {
        CHECK_EQ(client.Set(Numbered("key", t * 5000 + i), Filled("v", i % 300)), SetOutcome::kStored);
        client.Get(Numbered("key", t * 5000 + i / 2));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(cache->Usage().entries <= 500);
  CHECK(cache->Usage().entries > 400);
  CheckSettledCountsAgree(*cache);
}

}  // namespace zerohop
