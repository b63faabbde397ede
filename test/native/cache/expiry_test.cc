// Entries with an end: found until it comes, and then by nobody.
//
// Ends are far in the past or the future, so that timing does not matter, where a test does not say otherwise.
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "cache/cache.h"
#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::CheckCountsAgree;
using testing::CheckSettledCountsAgree;
using testing::Client;
using testing::Filled;
using testing::InAnHourUs;
using testing::kLongAgoUs;
using testing::kMiB;
using testing::MakeCache;
using testing::Numbered;
using testing::ScannedKeys;

}  // namespace

TEST(Expiry, TellsWhenAnEntryEndsAndGivesItUntilThen) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint64_t end = InAnHourUs();
  CHECK_EQ(client.SetUntil(end, "key", "value"), SetOutcome::kStored);
  CHECK_EQ(client.Set("endless", "value"), SetOutcome::kStored);
  CHECK_EQ(client.Get("key"), std::optional<std::string>("value"));
  CHECK_EQ(client.Locate("key")->expires_us, end);
  CHECK_EQ(client.Locate("endless")->expires_us, kNever);
}

TEST(Expiry, AnEntryWithTagsOrCostButNoEndStays) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.SetTagged({"tag"}, "tagged", "value"), SetOutcome::kStored);
  CHECK_EQ(client.Set("dear", "value", 0, {.cost = 3.5f}), SetOutcome::kStored);
  CHECK_EQ(client.Locate("tagged")->expires_us, kNever);
  CHECK_EQ(client.Locate("dear")->expires_us, kNever);
  CHECK_EQ(client.Describe("dear")->cost, 3.5f);
  CHECK_EQ(client.Describe("tagged")->cost, 0.0f);
}

TEST(Expiry, NobodyFindsAnEntryPastItsEnd) {
  for (const uint64_t end : {uint64_t{0}, kLongAgoUs, NowUs()}) {
    const auto cache = MakeCache();
    Client client(*cache);
    CHECK_EQ(client.SetUntil(end, "key", "value"), SetOutcome::kStored);
    CHECK(ScannedKeys(*cache).empty());
    CHECK(!client.Touch("key", InAnHourUs()).has_value());
    CHECK(!client.Get("key"));
    CHECK_EQ(cache->Usage().indexed, size_t{0});  // dropped by whoever came upon it
    CHECK_EQ(client.Counted(Count::kExpired), uint64_t{1});
    CHECK_EQ(client.Counted(Count::kMisses), uint64_t{1});
    CHECK_EQ(client.Counted(Count::kHits), uint64_t{0});
    CHECK(!client.Has("key"));
    CHECK(!client.Describe("key").has_value());
    CHECK_EQ(client.Counted(Count::kExpired), uint64_t{1});
    CheckSettledCountsAgree(*cache);
  }
}

TEST(Expiry, PeekingDropsAnExpiredEntryAndCountsNoMiss) {
  const auto cache = MakeCache();
  Client client(*cache);
  for (int i = 0; i < 3; ++i) CHECK_EQ(client.SetUntil(kLongAgoUs, Numbered("key", i), "v"), SetOutcome::kStored);
  CHECK(!client.Has("key0"));
  CHECK(!client.Locate("key1"));
  CHECK(!client.Describe("key2"));
  CHECK_EQ(client.Counted(Count::kExpired), uint64_t{3});
  CHECK_EQ(client.Counted(Count::kMisses), uint64_t{0});
  CHECK_EQ(cache->Usage().indexed, size_t{0});
}

TEST(Expiry, ComesByTheClockAndNotBefore) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint64_t end = NowUs() + 30000;
  CHECK_EQ(client.SetUntil(end, "key", "value"), SetOutcome::kStored);
  for (;;) {
    const uint64_t before = NowUs();
    const bool found = client.Get("key").has_value();
    const uint64_t after = NowUs();
    if (after < end) CHECK(found);
    if (before >= end) CHECK(!found);
    if (before >= end) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(Expiry, DeletingAnExpiredEntryDeletesNothing) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.SetUntil(kLongAgoUs, "key", "value"), SetOutcome::kStored);
  CHECK(!client.Delete("key"));
  CHECK_EQ(client.Counted(Count::kDeletes), uint64_t{0});
  CHECK_EQ(cache->Usage().indexed, size_t{0});
  CheckSettledCountsAgree(*cache);
}

TEST(Expiry, TheLastSetSaysWhenAKeyEnds) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.SetUntil(kLongAgoUs, "key", "old"), SetOutcome::kStored);
  CHECK_EQ(client.Set("key", "endless"), SetOutcome::kStored);
  CHECK_EQ(client.Get("key"), std::optional<std::string>("endless"));
  CHECK_EQ(client.SetUntil(kLongAgoUs, "key", "over"), SetOutcome::kStored);
  CHECK(!client.Get("key"));  // and not the one before
  CHECK(!client.Get("key"));
  CheckSettledCountsAgree(*cache);
}

TEST(Expiry, HoldsForLargeValuesToo) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  const std::string value = Filled("large", kMiB);
  CHECK_EQ(client.SetUntil(InAnHourUs(), "later", value), SetOutcome::kStored);
  CHECK_EQ(client.SetUntil(kLongAgoUs, "over", value), SetOutcome::kStored);
  CHECK(client.Get("later") == value);
  CHECK(!client.Get("over"));
  cache->Maintain(/*idle=*/true);
  CheckSettledCountsAgree(*cache);
}

TEST(Expiry, UpkeepFindsWhatNobodyAsksFor) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t end = i % 2 == 0 ? kLongAgoUs : InAnHourUs();
    CHECK_EQ(client.SetUntil(end, Numbered("key", i), Filled("v", 1000)), SetOutcome::kStored);
  }
  CHECK_EQ(cache->Usage().indexed, size_t{1000});
  // A shard at a time: one call looks at a part of them.
  cache->Maintain(/*idle=*/false);
  CHECK(cache->Usage().indexed > 900);
  for (size_t i = 1; i < Index::kShards; ++i) cache->Maintain(/*idle=*/false);
  CHECK_EQ(cache->Usage().indexed, size_t{500});
  CHECK_EQ(cache->Usage().entries, size_t{500});
  CHECK_EQ(ScannedKeys(*cache).size(), size_t{500});
  CheckSettledCountsAgree(*cache);
}

TEST(Expiry, EvictionDoesNotKeepWhatIsOverHoweverMuchItWasUsed) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint64_t end = NowUs() + 100000;
  for (int i = 0; i < 50; ++i) {
    CHECK_EQ(client.SetUntil(end, Numbered("key", i), Filled("v", 1000)), SetOutcome::kStored);
    for (int use = 0; use < 3; ++use) client.Get(Numbered("key", i));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(110));
  for (int i = 0; i < 3000; ++i) CHECK_EQ(client.Set(Numbered("other", i), Filled("v", 1000)), SetOutcome::kStored);
  CHECK_EQ(client.Counted(Count::kExpired), uint64_t{50});  // no upkeep yet, and nobody asked for them
  CheckSettledCountsAgree(*cache);
}

TEST(Expiry, SurvivesEvictionWithItsEntry) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint64_t end = InAnHourUs();
  CHECK_EQ(client.SetUntil(end, "key", Filled("kept", 900)), SetOutcome::kStored);
  const uint64_t first_at = client.Locate("key")->entry_at;
  for (int i = 0; i < 5000; ++i) {
    CHECK(client.Get("key") == Filled("kept", 900));
    CHECK_EQ(client.Set(Numbered("other", i), Filled("v", 1000)), SetOutcome::kStored);
  }
  CHECK(client.Locate("key")->entry_at != first_at);
  CHECK_EQ(client.Locate("key")->expires_us, end);
}

// Every dropped entry is counted by whoever drops it: what was set is there, or someone knows why it is not.
TEST(Expiry, IsCountedWhoeverDropsTheEntry) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  for (int i = 0; i < 100; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), "v", 0, {.expires_us = kLongAgoUs, .tags = testing::Names{"tag"}}),
             SetOutcome::kStored);
  }
  for (int i = 0; i < 10; ++i) client.Get(Numbered("key", i));
  for (int i = 10; i < 20; ++i) client.Has(Numbered("key", i));
  CHECK_EQ(client.Counted(Count::kExpired), uint64_t{20});
  CheckCountsAgree(*cache);
}

}  // namespace zerohop
