// Values and headers that JavaScript wrote to.
#include <cstring>
#include <string>

#include "cache/cache.h"
#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::CheckCountsAgree;
using testing::Client;
using testing::Filled;
using testing::MakeCache;
using testing::Numbered;

}  // namespace

TEST(Cache, NoticesAChangedValueInATaintedSegmentAtTheNextHit) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("value", 1000)), SetOutcome::kStored);
  const auto view = client.Expose("key");
  REQUIRE(view.has_value());
  view->data()[500] ^= std::byte{1};
  cache->Taint(view->segment());
  CHECK(!client.Get("key"));
  CHECK(!client.Has("key"));
  CHECK_EQ(client.Counted(Count::kCorrupted), uint64_t{1});
  CheckCountsAgree(*cache);
}

TEST(Cache, NoticesAChangedValueBySamplingSoonerOrLater) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("value", 1000)), SetOutcome::kStored);
  const auto view = client.Expose("key");
  REQUIRE(view.has_value());
  view->data()[0] ^= std::byte{0x80};
  int hits = 0;
  while (hits < 1000 && client.Get("key")) ++hits;
  CHECK(hits < 1000);
  CHECK_EQ(client.Counted(Count::kCorrupted), uint64_t{1});
}

TEST(Cache, DoesNotLookAtChecksumsWhenVerifyingIsOff) {
  const auto cache = MakeCache(kMaxBytesMin, Verify::kOff);
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("value", 1000)), SetOutcome::kStored);
  const auto view = client.Expose("key");
  REQUIRE(view.has_value());
  view->data()[0] ^= std::byte{1};
  cache->Taint(view->segment());
  for (int i = 0; i < 1000; ++i) CHECK(client.Get("key").has_value());
}

#if defined(__linux__)
TEST(Cache, InTrapModeShowsAnotherMappingAndComparesEveryHit) {
  const auto cache = MakeCache(kMaxBytesMin, Verify::kTrap);
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("value", 1000)), SetOutcome::kStored);
  const auto hit = client.Locate("key");
  const auto view = client.Expose("key");
  REQUIRE(hit.has_value() && view.has_value());
  CHECK(view->data() != cache->arena().bytes() + hit->at);
  CHECK(view->shown() == Filled("value", 1000));
  cache->arena().bytes()[hit->at + 999] ^= std::byte{1};
  CHECK(!client.Get("key"));
  CHECK_EQ(client.Counted(Count::kCorrupted), uint64_t{1});
}

TEST(Cache, InTrapModeEvictsAndRefillsLikeAnyOther) {
  const auto cache = MakeCache(kMaxBytesMin, Verify::kTrap);
  Client client(*cache);
  for (int i = 0; i < 3000; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), Filled(Numbered("v", i), 2000)), SetOutcome::kStored);
    CHECK(client.Get(Numbered("key", i)) == Filled(Numbered("v", i), 2000));
  }
  CHECK_EQ(client.Counted(Count::kCorrupted), uint64_t{0});
}
#endif

TEST(Cache, CorruptedHeadersCannotCrashEviction) {
  check::Random random(check::Seed());
  for (int round = 0; round < 20; ++round) {
    const auto cache = MakeCache();
    Client client(*cache);
    for (int i = 0; i < 6000; ++i) {
      const std::string key = Numbered("key", static_cast<int>(random.Below(800)));
      switch (random.Below(8)) {
        case 0: {
          // Headers lie before the value in the buffer that the view belongs to.
          const auto view = client.Expose(key);
          if (!view) break;
          std::byte* const segment = cache->arena().bytes() + cache->arena().StartOf(view->segment());
          const size_t word = random.Below(cache->arena().segment_bytes() / 8);
          const uint64_t bits = random.OneIn(4) ? ~uint64_t{0} : random.Next();
          std::memcpy(segment + word * 8, &bits, 8);
          if (!random.OneIn(3)) break;
          const auto hit = client.Locate(key);
          if (hit && hit->segment == view->segment()) {
            const uint32_t length = static_cast<uint32_t>(random.Next());
            std::memcpy(cache->arena().bytes() + hit->entry_at, &length, sizeof(length));
          }
          break;
        }
        case 1: client.Delete(key); break;
        case 2: client.Get(key); break;
        default: client.Set(key, Filled("v", random.OneIn(40) ? 40000 : random.Below(2000)));
      }
    }
    cache->Clear();
    cache->Maintain(true);
    CHECK_EQ(cache->Usage().entries, size_t{0});
    CHECK_EQ(cache->Usage().free_segments, cache->Usage().segments);
    CheckCountsAgree(*cache);
  }
}

}  // namespace zerohop
