// Counts add up: what was set is there, or one of the counts says why it is not.
#include <array>
#include <string>
#include <thread>
#include <vector>

#include "cache/cache.h"
#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::CheckSettledCountsAgree;
using testing::Client;
using testing::Filled;
using testing::InAnHourUs;
using testing::kLongAgoUs;
using testing::kMiB;
using testing::MakeCache;
using testing::Numbered;
using testing::OpenedSpace;

uint64_t Of(const CountTotals& totals, Count which) { return totals[static_cast<size_t>(which)]; }

uint64_t Left(const CountTotals& totals) {
  return Of(totals, Count::kDeletes) + Of(totals, Count::kEvictedEntries) + Of(totals, Count::kTrimmedEntries) +
         Of(totals, Count::kExpired) + Of(totals, Count::kCorrupted);
}

}  // namespace

TEST(Counters, AreOfTheOneWhoAddsAndSummedByWhoeverAsks) {
  Counters counters;
  counters.Add(Count::kHits);
  counters.Add(Count::kExposures, 5);
  CountTotals totals{};
  counters.AddTo(totals);
  counters.AddTo(totals);
  CHECK_EQ(Of(totals, Count::kHits), uint64_t{2});
  CHECK_EQ(Of(totals, Count::kExposures), uint64_t{10});
  CHECK_EQ(Of(totals, Count::kMisses), uint64_t{0});
}

TEST(Counters, AreCorrectedByNegativeNumbers) {
  Counters one, other;
  one.Add(Count::kMovedMisses, static_cast<uint64_t>(int64_t{-3}));
  other.Add(Count::kMovedMisses);
  CountTotals totals{};
  one.AddTo(totals);
  other.AddTo(totals);
  CHECK_EQ(static_cast<int64_t>(Of(totals, Count::kMovedMisses)), int64_t{-2});
}

TEST(Counters, AddTheHitsOfANearCache) {
  Counters counters;
  double near_hits = 0;
  counters.CountNearHitsFrom(&near_hits);
  counters.Add(Count::kHits, 3);
  near_hits = 7;
  CountTotals totals{};
  counters.AddTo(totals);
  CHECK_EQ(Of(totals, Count::kHits), uint64_t{10});
  CHECK_EQ(Of(totals, Count::kNearHits), uint64_t{7});
}

// New keys only, so that nothing is replaced: sets = entries + what left, in all and in each keyspace.
TEST(Counts, OfEveryKeyspaceAddUp) {
  check::Random random(check::Seed());
  for (const size_t max_entries : {SIZE_MAX, size_t{300}}) {
    const auto cache = MakeCache(kMaxBytesMin, Verify::kSample, max_entries);
    Client client(*cache), other(*cache);
    std::array<uint16_t, 3> spaces{0, OpenedSpace(*cache, "one"), OpenedSpace(*cache, "two", "tenant")};
    std::array<uint64_t, 3> sets{}, hits{}, misses{};
    uint64_t next = 0;
    for (int i = 0; i < 20000; ++i) {
      const size_t which = random.Below(3);
      Client& actor = random.OneIn(2) ? client : other;
      const uint16_t space = spaces[which];
      const std::string old = Numbered("key", next - std::min(next, random.Below(500)));
      switch (random.Below(8)) {
        case 0: actor.Delete(old, space); break;
        case 1: (actor.Get(old, space) ? hits : misses)[which]++; break;
        case 2: actor.Has(old, space); break;
        case 3: actor.Touch(old, random.OneIn(4) ? kLongAgoUs : InAnHourUs(), space); break;
        case 4:
          if (random.OneIn(20)) actor.DeleteByTag(Numbered("tag", random.Below(5)), space);
          if (random.OneIn(50)) cache->Maintain(random.OneIn(2));
          break;
        default: {
          const uint64_t end = random.OneIn(4) ? kLongAgoUs : random.OneIn(2) ? kNever : InAnHourUs();
          const std::string tag = Numbered("tag", random.Below(5));
          const testing::Names tags(random.OneIn(3) ? 1 : 0, tag);
          const std::string value = Filled("v", random.OneIn(100) ? 30000 : random.Below(2000));
          CHECK_EQ(actor.Set(Numbered("key", ++next), value, space, {.expires_us = end, .tags = tags}),
                   SetOutcome::kStored);
          ++sets[which];
        }
      }
    }
    CountTotals all{};
    for (size_t which = 0; which < spaces.size(); ++which) {
      const CountTotals counts = cache->CountsOf(spaces[which]);
      CHECK_EQ(Of(counts, Count::kSets), sets[which]);
      CHECK_EQ(Of(counts, Count::kHits), hits[which]);
      CHECK_EQ(Of(counts, Count::kMisses), misses[which]);
      // Upkeep belongs to no session; what it dropped is not in a keyspace's counts.
      CHECK(Left(counts) + cache->EntriesOf(spaces[which]) <= sets[which]);
      for (size_t i = 0; i < kCountNumber; ++i) all[i] += counts[i];
    }
    const CacheUsage usage = cache->Usage();
    CHECK_EQ(Of(usage.counts, Count::kSets), sets[0] + sets[1] + sets[2]);
    CHECK_EQ(Left(usage.counts) + usage.entries, sets[0] + sets[1] + sets[2]);
    CHECK_EQ(Of(usage.counts, Count::kHits), Of(all, Count::kHits));
    CHECK(max_entries == SIZE_MAX || Of(usage.counts, Count::kTrimmedEntries) > 0);
    CHECK(max_entries != SIZE_MAX || Of(usage.counts, Count::kEvictedEntries) > 0);
    CheckSettledCountsAgree(*cache);
  }
}

TEST(Counts, StayWhenSessionsPartAndOthersAskMeanwhile) {
  const auto cache = MakeCache(4 * kMiB);
  const uint16_t space = OpenedSpace(*cache, "one");
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t session = 0; session < 20; ++session) {
        Client client(*cache);
        for (uint64_t i = 0; i < 50; ++i) {
          CHECK_EQ(client.Set(Numbered("key", t * 50 + i), "v", space), SetOutcome::kStored);
          CHECK(client.Get(Numbered("key", t * 50 + i), space));
        }
        // Sums only grow, whoever joins and parts.
        CHECK(Of(cache->CountsOf(space), Count::kHits) >= (session + 1) * 50);
        CHECK(Of(cache->Usage().counts, Count::kSets) >= (session + 1) * 50);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(Of(cache->CountsOf(space), Count::kSets), uint64_t{3 * 20 * 50});
  CHECK_EQ(Of(cache->Usage().counts, Count::kHits), uint64_t{3 * 20 * 50});
  CHECK_EQ(Of(cache->CountsOf(0), Count::kSets), uint64_t{0});
}

TEST(Counts, OfASetTellWhatItPushedOut) {
  const auto cache = MakeCache();
  Client client(*cache);
  uint64_t stored = 0;
  for (; stored < 3000; ++stored) CHECK_EQ(client.Set(Numbered("key", stored), Filled("v", 1000)), SetOutcome::kStored);
  CHECK_EQ(client.session().evicted, stored - cache->Usage().entries);
}

}  // namespace zerohop
