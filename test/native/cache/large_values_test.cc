// Values beyond a segment's share, which get segments of their own.
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

}  // namespace

TEST(Cache, LargeValuesComeAndGo) {
  const auto cache = MakeCache(160 * kMiB);
  Client client(*cache);
  for (int i = 0; i < 5; ++i) {
    for (const size_t bytes : {kMiB, 4 * kMiB - 3, 16 * kMiB + 1, 64 * kMiB}) {
      if (bytes > 16 * kMiB && i % 4 != 0) continue;  // the time of it
      const std::string key = Numbered("large", bytes), value = Filled(Numbered("v", i), bytes);
      CHECK_EQ(client.Set(key, value), SetOutcome::kStored);
      CHECK(client.Get(key) == value);
    }
  }
  CHECK(cache->arena().ResidentBytes() <= 160 * kMiB);
  CheckCountsAgree(*cache);
}

TEST(Cache, TakesAValueOfExactlyTheLargestSize) {
  for (const size_t key_bytes : {size_t{0}, size_t{5}, size_t{47}, size_t{48}, kKeyBytesMax}) {
    const auto cache = MakeCache();
    Client client(*cache);
    const std::string key = Filled("k", key_bytes), value = Filled("largest", cache->ValueBytesMax(key_bytes));
    CHECK_EQ(client.Set(key, value), SetOutcome::kStored);
    CHECK(client.Get(key) == value);
    CHECK_EQ(client.Set("other", Filled("x", cache->ValueBytesMax(5) + 1)), SetOutcome::kTooLarge);
  }
}

TEST(Cache, ALargeValueIsAloneInItsRunAndItsViewShowsOnlyIt) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("large", Filled("x", 200000)), SetOutcome::kStored);
  const auto hit = client.Locate("large");
  REQUIRE(hit.has_value());
  const Segment& segment = cache->arena().segment(hit->segment);
  CHECK_EQ(segment.run_segments, 2u);
  CHECK_EQ(segment.view_bytes, 200000u);
  CHECK_EQ(cache->arena().StartOf(hit->segment) + segment.view_at, hit->at);
  CHECK_EQ(client.Set("small", "x"), SetOutcome::kStored);
  CHECK(client.Locate("small")->segment != hit->segment);
}

// By the byte it must be worth more than they are, and what it is worth must be learned first.
TEST(Cache, AUsedLargeValueOutlivesUnusedOnes) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  constexpr int kRounds = 3000;
  int lost = 0;
  for (int i = 0; i < kRounds; ++i) {
    if (!client.Get("wanted")) {
      lost += i > kRounds / 3;
      CHECK_EQ(client.Set("wanted", Filled("wanted", 100000)), SetOutcome::kStored);
    }
    CHECK_EQ(client.Set(Numbered("other", i), Filled("other", 15000)), SetOutcome::kStored);
  }
  CHECK_EQ(lost, 0);
  CHECK(client.Counted(Count::kEvictedEntries) > 1000);
}

}  // namespace zerohop
