// Who goes when there is no room, and that there always is room in the end.
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "cache/cache.h"
#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::CheckCountsAgree;
using testing::Client;
using testing::Filled;
using testing::kMiB;
using testing::MakeCache;
using testing::Numbered;
using testing::PassTick;

}  // namespace

TEST(Cache, KeepsUsedEntriesWhenUnusedOnesGo) {
  const auto cache = MakeCache();
  Client client(*cache);
  int lost = 0;
  for (int i = 0; i < 20; ++i) CHECK_EQ(client.Set(Numbered("hot", i), Filled("hot", 1000)), SetOutcome::kStored);
  for (int i = 0; i < 5000; ++i) {
    CHECK_EQ(client.Set(Numbered("cold", i), Filled("cold", 1000)), SetOutcome::kStored);
    if (i % 10 == 0) {
      for (int hot = 0; hot < 20; ++hot) lost += !client.Get(Numbered("hot", hot)).has_value();
    }
  }
  CHECK_EQ(lost, 0);
  CHECK(!client.Has("cold0"));
  CHECK(client.Counted(Count::kCopiedForward) > 0);
  CHECK(client.Counted(Count::kEvictedEntries) > 3000);
  CheckCountsAgree(*cache);
}

TEST(Cache, AnEntryThatIsUsedGrowsInFrequencyButOncePerTick) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", "v"), SetOutcome::kStored);
  CHECK_EQ(client.Describe("key")->frequency, 1u);
  CHECK_EQ(client.Describe("key")->gap, 0.0f);  // unknown
  // Within the tick in which it was stored.
  for (int i = 0; i < 5; ++i) CHECK(client.Get("key").has_value());
  CHECK_EQ(client.Describe("key")->frequency, 1u);
  uint32_t last = 1;
  for (const uint32_t wanted : {2u, 3u, 3u, 5u}) {  // the least of each band
    PassTick(*cache);
    CHECK(client.Has("key"));  // a look is no use
    CHECK_EQ(client.Describe("key")->frequency, last);
    for (int i = 0; i < 3; ++i) CHECK(client.Get("key").has_value());
    CHECK_EQ(client.Describe("key")->frequency, wanted);
    CHECK(client.Describe("key")->gap > 0);
    last = wanted;
  }
}

TEST(Cache, OverwritingAKeyKeepsWhatThePolicyKnowsOfIt) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", "v"), SetOutcome::kStored);
  PassTick(*cache);
  CHECK(client.Get("key").has_value());
  const float gap = client.Describe("key")->gap;
  PassTick(*cache);
  CHECK_EQ(client.Set("key", "another"), SetOutcome::kStored);
  CHECK_EQ(client.Describe("key")->frequency, 2u);
  CHECK_EQ(client.Describe("key")->gap, gap);
}

TEST(Cache, EndlessSetsNeverTakeMoreThanTheBudget) {
  for (const size_t value_bytes : {size_t{0}, size_t{8}, size_t{300}, size_t{5000}}) {
    const auto cache = MakeCache();
    Client client(*cache);
    size_t most = 0;
    for (int i = 0; i < 60000; ++i) {
      CHECK_EQ(client.Set(Numbered("", i), Filled("v", value_bytes)), SetOutcome::kStored);
      if (i % 500 == 0) most = std::max(most, cache->arena().ResidentBytes() + cache->Usage().index_bytes);
    }
    CHECK(most <= kMiB);
    CheckCountsAgree(*cache);
  }
}

TEST(Cache, StaysWithinTheBudgetWhenValuesBecomeSmallAndTheIndexGrows) {
  const auto cache = MakeCache();
  Client client(*cache);
  size_t most = 0;
  for (int i = 0; i < 60000; ++i) {
    const size_t value_bytes = i < 1000 ? 5000 : 0;
    CHECK_EQ(client.Set(Numbered("", i), Filled("v", value_bytes)), SetOutcome::kStored);
    if (i % 100 == 0) most = std::max(most, cache->arena().ResidentBytes() + cache->Usage().index_bytes);
  }
  CHECK(most <= kMiB);
}

// What the policy keeps of an entry is paid for by the budget, like the index, and may be more than the entry.
TEST(Cache, TheSmallestEntriesFindRoomBesideWhatThePolicyKeepsOfThem) {
  for (const size_t mebibytes : {1, 4, 16}) {
    const auto cache = MakeCache(mebibytes * kMiB);
    Client client(*cache);
    int refused = 0;
    for (int i = 0; i < 30000 * static_cast<int>(mebibytes); ++i) {
      refused += client.Set(Numbered("", i), "8 bytes.") != SetOutcome::kStored;
    }
    CHECK_EQ(refused, 0);
    CHECK(cache->Usage().entries > 5000 * mebibytes);
  }
}

TEST(Cache, SurvivorsNeverTakeTheWholeCache) {
  const auto cache = MakeCache();
  Client client(*cache);
  for (int i = 0; i < 20000; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 500)), SetOutcome::kStored);
    for (int use = 0; use < 3; ++use) CHECK(client.Get(Numbered("key", i)).has_value());
  }
}

TEST(Cache, RefusesASetWhileAReaderStandsStillAndAllElseIsSeen) {
  const auto cache = MakeCache();
  Client writer(*cache), sleeper(*cache);
  std::optional<ReadGuard> guard;
  SetOutcome outcome = SetOutcome::kStored;
  guard.emplace(cache->epochs(), sleeper.session());
  for (int i = 0; i < 1000 && outcome == SetOutcome::kStored; ++i) {
    outcome = writer.Set(Numbered("key", i), Filled("v", 8000));
  }
  CHECK_EQ(outcome, SetOutcome::kRefusedReaders);
  guard.reset();
  CHECK_EQ(writer.Set("key", "v"), SetOutcome::kStored);
}

TEST(Cache, MovesAnEntryThatIsAskedForOutOfACoolingSegment) {
  const auto cache = MakeCache(8 * kMiB);
  Client client(*cache);
  check::Random random(check::Seed());
  int rescued = 0;
  for (int i = 0; i < 8000; ++i) {
    // About 2600 of these entries fit; the oldest quarter may be cooling.
    const std::string key = Numbered("key", i), old = Numbered("key", i - 1900 - static_cast<int>(random.Below(800)));
    CHECK_EQ(client.Set(key, Filled(key, 3000)), SetOutcome::kStored);
    const auto hit = client.Locate(old);
    if (!hit || !hit->cooling) continue;
    ReadGuard guard(cache->epochs(), client.session());
    const auto moved = cache->Rescue(guard, 0, testing::AsBytes(old), *hit);
    if (!moved) continue;
    ++rescued;
    CHECK(moved.segment != hit->segment);
    CHECK(!cache->arena().segment(moved.segment).cooling);
    CHECK(std::memcmp(cache->arena().bytes() + moved.at, Filled(old, 3000).data(), 3000) == 0);
  }
  CHECK(rescued > 0);
  CheckCountsAgree(*cache);
}

TEST(Cache, MaintainFreesSegmentsWithoutEntriesAndGivesIdlePagesBack) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  for (int i = 0; i < 400; ++i) CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 8000)), SetOutcome::kStored);
  for (int i = 0; i < 400; ++i) client.Delete(Numbered("key", i));
  cache->Maintain(/*idle=*/true);
  CHECK(cache->Usage().free_segments + 1 >= cache->Usage().segments);  // one is open
  CHECK(cache->arena().ResidentBytes() <= cache->arena().segment_bytes());
}

}  // namespace zerohop
