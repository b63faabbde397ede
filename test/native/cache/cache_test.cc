#include "cache/cache.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::CheckCountsAgree;
using testing::Client;
using testing::Filled;
using testing::MakeCache;
using testing::OpenedSpace;
using testing::View;

constexpr size_t kMiB = size_t{1} << 20;

std::string Numbered(const char* what, int number) { return what + std::to_string(number); }

}  // namespace

// Plain use.

TEST(Cache, ReturnsWhatWasSet) {
  const auto cache = MakeCache();
  Client client(*cache);
  for (const size_t bytes : {0, 1, 7, 8, 255, 256, 257, 4096, 16000}) {
    const std::string key = Numbered("key", static_cast<int>(bytes)), value = Filled(key, bytes);
    CHECK_EQ(client.Set(key, value), SetOutcome::kStored);
    CHECK_EQ(client.Get(key), std::optional(value));
  }
  CHECK(!client.Get("another"));
  CHECK_EQ(client.Counted(Count::kHits), uint64_t{9});
  CHECK_EQ(client.Counted(Count::kMisses), uint64_t{1});
}

TEST(Cache, TakesKeysFromEmptyToTheLongest) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  const std::string longest = Filled("k", kKeyBytesMax);
  CHECK_EQ(client.Set("", "of the empty key"), SetOutcome::kStored);
  CHECK_EQ(client.Set(longest, "of the longest key"), SetOutcome::kStored);
  CHECK_EQ(client.Get(""), std::optional<std::string>("of the empty key"));
  CHECK_EQ(client.Get(longest), std::optional<std::string>("of the longest key"));
  CHECK(!client.Get(longest.substr(1)));
}

TEST(Cache, AKeyMayHoldAnyBytes) {
  const auto cache = MakeCache();
  Client client(*cache);
  const std::string one("a\0b", 3), two("a\0c", 3);
  CHECK_EQ(client.Set(one, "1"), SetOutcome::kStored);
  CHECK_EQ(client.Set(two, "2"), SetOutcome::kStored);
  CHECK_EQ(client.Get(one), std::optional<std::string>("1"));
  CHECK(!client.Get("a"));
}

TEST(Cache, OverwritingReplacesTheValueAndKeepsOneEntry) {
  const auto cache = MakeCache();
  Client client(*cache);
  for (int i = 0; i < 100; ++i) {
    CHECK_EQ(client.Set("key", Numbered("value", i)), SetOutcome::kStored);
    CHECK_EQ(client.Get("key"), std::optional(Numbered("value", i)));
  }
  CHECK_EQ(cache->Usage().entries, size_t{1});
  CheckCountsAgree(*cache);
}

TEST(Cache, DeletingTellsWhetherThereWasAnything) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK(!client.Delete("key"));
  CHECK_EQ(client.Set("key", "value"), SetOutcome::kStored);
  CHECK(client.Has("key"));
  CHECK(client.Delete("key"));
  CHECK(!client.Has("key"));
  CHECK(!client.Get("key"));
  CHECK(!client.Delete("key"));
  CheckCountsAgree(*cache);
}

TEST(Cache, ClearForgetsEverythingAndGivesTheMemoryBack) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  for (int i = 0; i < 300; ++i) CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 8000)), SetOutcome::kStored);
  CHECK_EQ(client.Set("large", Filled("large", kMiB)), SetOutcome::kStored);
  cache->Clear();
  CHECK_EQ(cache->Usage().entries, size_t{0});
  CHECK_EQ(cache->Usage().free_segments, cache->Usage().segments);
  CHECK_EQ(cache->arena().ResidentBytes(), size_t{0});
  CHECK(!client.Get("key7"));
  CHECK_EQ(client.Set("key7", "new"), SetOutcome::kStored);
  CHECK_EQ(client.Get("key7"), std::optional<std::string>("new"));
}

TEST(Cache, PeekingAndHavingCountNothing) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", "value"), SetOutcome::kStored);
  CHECK(client.Locate("key").has_value());
  CHECK(client.Has("key"));
  CHECK(!client.Has("other"));
  CHECK(!client.Locate("other"));
  CHECK_EQ(client.Counted(Count::kHits) + client.Counted(Count::kMisses), uint64_t{0});
}

TEST(Cache, KeepsTheCountsOfASessionThatParted) {
  const auto cache = MakeCache();
  {
    Client client(*cache);
    CHECK_EQ(client.Set("key", "value"), SetOutcome::kStored);
    client.Get("key");
  }
  const CountTotals counts = cache->Usage().counts;
  CHECK_EQ(counts[static_cast<size_t>(Count::kSets)], uint64_t{1});
  CHECK_EQ(counts[static_cast<size_t>(Count::kHits)], uint64_t{1});
}

TEST(Cache, RefusesToBeMadeTooSmallOrTooLarge) {
  for (const size_t bytes : {size_t{0}, kMaxBytesMin - 1, size_t{Index::kArenaBytesMax} + 1, SIZE_MAX}) {
    const auto made = Cache::Create({bytes, Verify::kOff});
    REQUIRE(!made.ok());
    CHECK_EQ(made.status().code(), Code::kInvalid);
  }
}

// Values beyond a segment's share.

TEST(Cache, LargeValuesComeAndGo) {
  const auto cache = MakeCache(160 * kMiB);
  Client client(*cache);
  for (int i = 0; i < 5; ++i) {
    for (const size_t bytes : {kMiB, 4 * kMiB - 3, 16 * kMiB + 1, 64 * kMiB}) {
      if (bytes > 16 * kMiB && i % 4 != 0) continue;  // the time of it
      const std::string key = Numbered("large", static_cast<int>(bytes)), value = Filled(Numbered("v", i), bytes);
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

TEST(Cache, AUsedLargeValueOutlivesUnusedOnes) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  CHECK_EQ(client.Set("wanted", Filled("wanted", 100000)), SetOutcome::kStored);
  for (int i = 0; i < 400; ++i) {
    CHECK(client.Get("wanted").has_value());
    CHECK_EQ(client.Set(Numbered("other", i), Filled("other", 15000)), SetOutcome::kStored);
  }
  CHECK(client.Counted(Count::kEvictedEntries) > 50);
}

// Eviction.

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

TEST(Cache, SurvivorsNeverTakeTheWholeCache) {
  const auto cache = MakeCache();
  Client client(*cache);
  for (int i = 0; i < 20000; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 500)), SetOutcome::kStored);
    for (int use = 0; use < 3; ++use) CHECK(client.Get(Numbered("key", i)).has_value());
  }
}

// Views.

TEST(Cache, AViewKeepsItsBytesThroughOverwriteDeleteEvictionAndClear) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("first", 3000)), SetOutcome::kStored);
  CHECK_EQ(client.Set("large", Filled("large", 150000)), SetOutcome::kStored);
  const auto view = client.Expose("key"), large = client.Expose("large");
  REQUIRE(view.has_value() && large.has_value());
  CHECK_EQ(client.Set("key", Filled("second", 3000)), SetOutcome::kStored);
  CHECK(view->shown() == Filled("first", 3000));
  client.Delete("key");
  for (int i = 0; i < 3000; ++i) CHECK_EQ(client.Set(Numbered("other", i), Filled("x", 1000)), SetOutcome::kStored);
  CHECK(view->shown() == Filled("first", 3000));
  cache->Clear();
  for (int i = 0; i < 3000; ++i) CHECK_EQ(client.Set(Numbered("other", i), Filled("y", 1000)), SetOutcome::kStored);
  CHECK(view->shown() == Filled("first", 3000));
  CHECK(large->shown() == Filled("large", 150000));
}

TEST(Cache, AViewOutlivesTheCache) {
  auto cache = MakeCache();
  std::optional<View> view;
  {
    Client client(*cache);
    CHECK_EQ(client.Set("key", "still here"), SetOutcome::kStored);
    view = client.Expose("key");
    REQUIRE(view.has_value());
  }
  cache.reset();
  CHECK(view->shown() == "still here");
}

TEST(Cache, LeavesSegmentsToEvictHoweverManyAreExposed) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  std::vector<View> views;
  uint64_t refused = 0;
  for (int i = 0; i < 3000; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 4000)), SetOutcome::kStored);
    bool no = false;
    if (auto view = client.Expose(Numbered("key", i), 0, &no)) views.push_back(std::move(*view));
    refused += no;
  }
  CHECK(refused > 0);
  CHECK(cache->Usage().exposed_segments <= cache->Usage().exposure_limit);
  for (const View& view : views) CHECK(view.Unchanged());
}

TEST(Cache, RefusesASetWhenEverythingIsSeenAndItsOldValueIsGone) {
  const auto cache = MakeCache();
  Client client(*cache);
  std::vector<View> views;
  CHECK_EQ(client.Set("key", "old"), SetOutcome::kStored);
  SetOutcome outcome = SetOutcome::kStored;
  int i = 0;
  for (; i < 1000 && outcome == SetOutcome::kStored; ++i) {
    outcome = client.Set(Numbered("filler", i), Filled("filler", 8000));
    if (auto view = client.ExposeUnlimited(Numbered("filler", i))) views.push_back(std::move(*view));
    if (auto view = client.ExposeUnlimited("key")) views.push_back(std::move(*view));
  }
  CHECK_EQ(outcome, SetOutcome::kRefusedPinned);
  CHECK(!client.Has(Numbered("filler", i - 1)));
  REQUIRE(client.Has("key"));
  CHECK_EQ(client.Set("key", Filled("new", 8000)), SetOutcome::kRefusedPinned);
  CHECK(!client.Get("key"));
  CHECK_EQ(client.Counted(Count::kRefusedPinned), uint64_t{2});
  CHECK_EQ(client.Set("large", Filled("large", 100000)), SetOutcome::kRefusedPinned);
  for (const View& view : views) CHECK(view.Unchanged());
  views.clear();
  CHECK_EQ(client.Set("key", "new"), SetOutcome::kStored);
  CHECK_EQ(client.Get("key"), std::optional<std::string>("new"));
  CheckCountsAgree(*cache);
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
    CHECK(moved->segment != hit->segment);
    CHECK(!cache->arena().segment(moved->segment).cooling);
    CHECK(std::memcmp(cache->arena().bytes() + moved->at, Filled(old, 3000).data(), 3000) == 0);
  }
  CHECK(rescued > 0);
  CheckCountsAgree(*cache);
}

TEST(Cache, DoesNotExposeACoolingSegment) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  check::Random random(check::Seed());
  int cooling = 0;
  for (int i = 0; i < 4000; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 3000)), SetOutcome::kStored);
    const std::string old = Numbered("key", i - 900 - static_cast<int>(random.Below(400)));
    ReadGuard guard(cache->epochs(), client.session());
    const auto hit = cache->Find(guard, client.session(), 0, testing::AsBytes(old));
    if (!hit || !hit->cooling) continue;
    ++cooling;
    CHECK(cache->ShouldLetGo(hit->segment));
    CHECK(!cache->TryExpose(guard, hit->segment, true));
  }
  CHECK(cooling > 0);
  CHECK(cache->notice() > 0);
}

TEST(Cache, TellsItsSessionsToLetGo) {
  struct Listener : NoticeListener {
    std::atomic<int> notices{0};
    void OnNotice() override { ++notices; }
  };
  const auto cache = MakeCache();
  Listener listener;
  Client client(*cache);
  client.session().listener = &listener;
  CHECK_EQ(client.Set("key", "value"), SetOutcome::kStored);
  CHECK_EQ(listener.notices.load(), 0);
  cache->Clear();
  CHECK(listener.notices > 0);
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

// Keyspaces and scopes.

TEST(Cache, KeepsTheKeysOfKeyspacesApart) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint16_t one = OpenedSpace(*cache, "one"), two = OpenedSpace(*cache, "two");
  CHECK(one != 0 && two != 0 && one != two);
  CHECK_EQ(client.Set("key", "0"), SetOutcome::kStored);
  CHECK_EQ(client.Set("key", "1", one), SetOutcome::kStored);
  CHECK(!client.Get("key", two));
  CHECK_EQ(client.Set("key", "2", two), SetOutcome::kStored);
  CHECK(client.Delete("key", one));
  CHECK_EQ(client.Get("key"), std::optional<std::string>("0"));
  CHECK(!client.Get("key", one));
  CHECK_EQ(client.Get("key", two), std::optional<std::string>("2"));
}

TEST(Cache, OpensAKeyspaceAgainOnlyWithTheSameScopeAndCodec) {
  const auto cache = MakeCache();
  Result<uint16_t> first = cache->OpenSpace("vectors", "tenant", "f32");
  REQUIRE(first.ok());
  Result<uint16_t> again = cache->OpenSpace("vectors", "tenant", "f32");
  REQUIRE(again.ok());
  CHECK_EQ(again.value(), first.value());
  for (const auto& [scope, codec] : {std::pair("", "f32"), std::pair("tenant", "f16")}) {
    const Result<uint16_t> other = cache->OpenSpace("vectors", scope, codec);
    REQUIRE(!other.ok());
    CHECK_EQ(other.status().code(), Code::kOptions);
  }
}

TEST(Cache, LimitsScopesAndKeyspaces) {
  const auto cache = MakeCache();
  Result<uint16_t> second = cache->OpenSpace("a", "scope", "bytes");
  CHECK(second.ok());
  const Result<uint16_t> third = cache->OpenSpace("b", "another scope", "bytes");
  REQUIRE(!third.ok());
  CHECK_EQ(third.status().code(), Code::kOptions);
  for (int i = 0; i < 1022; ++i) CHECK(cache->OpenSpace(Numbered("space", i), "", "bytes").ok());
  const Result<uint16_t> last = cache->OpenSpace("one too many", "", "bytes");
  REQUIRE(!last.ok());
  CHECK_EQ(last.status().code(), Code::kOptions);
}

TEST(Cache, ScopesNeverShareASegment) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  check::Random random(check::Seed());
  uint16_t spaces[4];
  for (int scope = 0; scope < 4; ++scope) {
    spaces[scope] = OpenedSpace(*cache, Numbered("space", scope), scope == 0 ? "" : Numbered("tenant", scope));
  }
  // With eviction, survivors and rescues: in the end each segment's entries must be of one space.
  for (int i = 0; i < 20000; ++i) {
    const uint16_t space = spaces[random.Below(4)];
    const std::string key = Numbered("key", static_cast<int>(random.Below(3000)));
    if (random.OneIn(2)) {
      client.Expose(key, space);
    } else {
      client.Set(key, Filled("v", random.OneIn(50) ? 30000 : random.Below(4000)), space);
    }
  }
  std::map<uint32_t, std::set<uint16_t>> spaces_of_segment;
  for (const uint16_t space : spaces) {
    for (int i = 0; i < 3000; ++i) {
      if (const auto hit = client.Locate(Numbered("key", i), space)) spaces_of_segment[hit->segment].insert(space);
    }
  }
  CHECK(spaces_of_segment.size() > 8);
  for (const auto& [segment, found] : spaces_of_segment) CHECK_EQ(found.size(), size_t{1});
  CHECK(client.Counted(Count::kCopiedForward) > 0);
}

// Values and headers that JavaScript wrote to.

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

// Threads.

TEST(Cache, ASetThatReturnedIsSeenByEveryOtherThread) {
  const auto cache = MakeCache(4 * kMiB);
  std::atomic<int> published{-1};
  std::thread reader([&] {
    Client client(*cache);
    for (int seen = -1; seen < 4999;) {
      const int now = published.load(std::memory_order_acquire);
      if (now == seen) {
        std::this_thread::yield();
        continue;
      }
      seen = now;
      const auto value = client.Get("key");
      CHECK(value.has_value() && std::stoi(*value) >= seen);
    }
  });
  Client client(*cache);
  for (int i = 0; i < 5000; ++i) {
    CHECK_EQ(client.Set("key", std::to_string(i)), SetOutcome::kStored);
    published.store(i, std::memory_order_release);
  }
  reader.join();
}

TEST(Cache, NoSetIsRefusedWhenNothingIsSeen) {
  const auto cache = MakeCache();
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Client client(*cache);
      const std::string key = Numbered("thread", t), value = Filled("v", 3000);
      for (int i = 0; i < 4000; ++i) refused += client.Set(key + std::to_string(i % 300), value) != SetOutcome::kStored;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(refused.load(), 0);
  CheckCountsAgree(*cache);
}

}  // namespace zerohop
