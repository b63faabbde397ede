#include "cache/arena.h"

#include <cstring>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "cache/epoch.h"
#include "check.h"

namespace zerohop {
namespace {

constexpr size_t kSegmentBytes = kSegmentBytesMin;
constexpr uint32_t kCount = 8;
constexpr auto kNoPurge = [](uint32_t) { CHECK(!"nothing to purge"); };

// An arena of eight segments and the epochs its readers would have.
struct Fixture {
  Arena* arena;
  EpochDomain epochs;

  Fixture() {
    Result<Arena*> made = Arena::Create(kCount * kSegmentBytes + 4096, kSegmentBytes, MappingKind::kPrivate);
    REQUIRE(made.ok());
    arena = made.value();
  }
  ~Fixture() {
    if (arena != nullptr) arena->Unref();
  }
  void Fill(uint32_t index, int value, uint32_t run = 1) {
    std::memset(arena->bytes() + arena->StartOf(index), value, run * kSegmentBytes);
  }
  void Retire(uint32_t index, bool decommit = false) {
    arena->segment(index).retired_epoch = epochs.Advance();
    arena->Retire(index, decommit);
  }
  uint32_t Reclaim() { return arena->Reclaim(epochs, kNoPurge); }
};

}  // namespace

TEST(Arena, RoundsDownToWholeSegments) {
  Fixture f;
  CHECK_EQ(f.arena->segment_count(), kCount);
  CHECK_EQ(f.arena->SegmentOf(3 * kSegmentBytes - 1), 2u);
  CHECK_EQ(f.arena->StartOf(3), uint64_t{3} * kSegmentBytes);
}

TEST(Arena, HandsOutEverySegmentOnceAndLeavesTheSpare) {
  Fixture f;
  std::set<uint32_t> taken;
  while (const auto index = f.arena->TakeFree(2)) {
    CHECK(taken.insert(*index).second);
    CHECK(f.arena->segment(*index).state == SegmentState::kOpen);
  }
  CHECK_EQ(taken.size(), size_t{kCount - 2});
  CHECK_EQ(f.arena->Takeable(2), 0u);
  CHECK_EQ(f.arena->Takeable(0), 2u);
  CHECK(f.arena->TakeFree(1).has_value());
}

TEST(Arena, WithholdsSegmentsForTheIndex) {
  Fixture f;
  f.arena->Withhold(3);
  CHECK_EQ(f.arena->usable_segments(), kCount - 3);
  CHECK_EQ(f.arena->Takeable(0), kCount - 3);
  f.arena->Withhold(kCount + 5);
  CHECK_EQ(f.arena->usable_segments(), 0u);
  CHECK(!f.arena->TakeFree(0));
}

TEST(Arena, TakesRunsOfNeighboursOnly) {
  Fixture f;
  std::vector<uint32_t> taken;
  while (const auto index = f.arena->TakeFree(0)) taken.push_back(*index);
  for (const uint32_t index : {1u, 2u, 4u, 5u, 6u}) f.Retire(index);
  CHECK_EQ(f.Reclaim(), 5u);
  CHECK(!f.arena->TakeRun(4, 0));
  CHECK(!f.arena->TakeRun(3, 3));
  const auto run = f.arena->TakeRun(3, 2);
  CHECK_EQ(run, std::optional(4u));
  CHECK_EQ(f.arena->segment(4).run_segments, 3u);
  CHECK(f.arena->segment(5).state == SegmentState::kRunTail);
  CHECK_EQ(f.arena->free_segments(), 2u);
  f.Retire(4);
  CHECK_EQ(f.arena->retired_segments(), 3u);
  CHECK_EQ(f.Reclaim(), 3u);
  CHECK_EQ(f.arena->segment(4).run_segments, 1u);
  CHECK_EQ(f.arena->free_segments(), 5u);
}

TEST(Arena, FreesARetiredSegmentOnlyWhenNobodyCanSeeIt) {
  Fixture f;
  EpochRecord reader;
  f.epochs.Add(&reader);
  const uint32_t index = f.arena->TakeFree(0).value();
  Segment& segment = f.arena->segment(index);
  CHECK(f.arena->TryExpose(index, kCount));
  f.epochs.Enter(reader);
  segment.writers = 1;
  f.Retire(index);
  CHECK_EQ(f.Reclaim(), 0u);
  EpochDomain::Leave(reader);
  CHECK_EQ(f.Reclaim(), 0u);
  segment.writers = 0;
  CHECK_EQ(f.Reclaim(), 0u);
  CHECK_EQ(f.arena->retired_segments(), 1u);
  f.arena->Unexpose(index);
  CHECK_EQ(f.Reclaim(), 1u);
  CHECK_EQ(f.arena->retired_segments(), 0u);
  CHECK_EQ(f.arena->free_segments(), kCount);
  f.epochs.Remove(&reader);
}

TEST(Arena, ASegmentThatGotEntriesAfterItRetiredIsPurgedBeforeItIsFree) {
  Fixture f;
  const uint32_t index = f.arena->TakeFree(0).value();
  f.arena->segment(index).live_entries = 2;
  f.Retire(index);
  std::vector<uint32_t> purged;
  const uint32_t freed = f.arena->Reclaim(f.epochs, [&](uint32_t each) {
    purged.push_back(each);
    f.arena->segment(each).live_entries = 0;
    f.arena->segment(each).retired_epoch = f.epochs.Advance();
  });
  CHECK_EQ(freed, 1u);
  CHECK_EQ(purged.size(), size_t{1});
}

TEST(Arena, ExposesUpToTheLimitAndCountsRunsByTheirLength) {
  Fixture f;
  const uint32_t run = f.arena->TakeRun(3, 0).value();
  const uint32_t one = f.arena->TakeFree(0).value(), other = f.arena->TakeFree(0).value();
  CHECK(f.arena->TryExpose(run, 4));
  CHECK_EQ(f.arena->exposed_segments(), 3u);
  CHECK(f.arena->TryExpose(one, 4));
  CHECK(!f.arena->TryExpose(other, 4));
  CHECK_EQ(f.arena->exposed_segments(), 4u);
  // One more buffer over what is seen already pins nothing more.
  CHECK(f.arena->TryExpose(one, 4));
  CHECK_EQ(f.arena->exposed_segments(), 4u);
  f.arena->Unexpose(run);
  f.arena->Unexpose(one);
  CHECK_EQ(f.arena->exposed_segments(), 1u);
  f.arena->Unexpose(one);
  CHECK_EQ(f.arena->exposed_segments(), 0u);
}

TEST(Arena, CountsHowOftenASegmentWasTaken) {
  Fixture f;
  const uint32_t index = f.arena->TakeFree(0).value();
  const uint32_t before = f.arena->segment(index).generation;
  f.arena->segment(index).cooling = true;
  f.arena->segment(index).tainted = true;
  f.Retire(index);
  f.Reclaim();
  CHECK_EQ(f.arena->TakeFree(0), std::optional(index));  // freed last, warmest
  CHECK_EQ(f.arena->segment(index).generation.load(), before + 1);
  CHECK(!f.arena->segment(index).cooling);
  CHECK(!f.arena->segment(index).tainted);
}

TEST(Arena, GivesPagesBackWhenAskedTo) {
  Fixture f;
  const uint32_t kept = f.arena->TakeFree(0).value(), given = f.arena->TakeFree(0).value();
  f.Fill(kept, 1);
  f.Fill(given, 2);
  CHECK_EQ(f.arena->ResidentBytes(), 2 * kSegmentBytes);
  f.Retire(kept, /*decommit=*/false);
  f.Retire(given, /*decommit=*/true);
  CHECK_EQ(f.Reclaim(), 2u);
  CHECK_EQ(f.arena->ResidentBytes(), kSegmentBytes);
  CHECK_EQ(f.arena->DecommitFree(), 1u);
  CHECK_EQ(f.arena->DecommitFree(), 0u);
  CHECK_EQ(f.arena->ResidentBytes(), size_t{0});
}

TEST(Arena, GivesPagesBackThatNobodyNeededSinceItLastDid) {
  Fixture f;
  uint32_t taken[3];
  for (uint32_t& each : taken) f.Fill(each = f.arena->TakeFree(0).value(), 1);
  for (const uint32_t each : taken) f.Retire(each);
  CHECK_EQ(f.Reclaim(), 3u);
  CHECK_EQ(f.arena->DecommitUnneeded(), 0u);  // they were in use

  for (int round = 0; round < 2; ++round) {
    const uint32_t needed = f.arena->TakeFree(0).value();
    CHECK_EQ(needed, taken[2]);
    f.Retire(needed);
    CHECK_EQ(f.Reclaim(), 1u);
    CHECK_EQ(f.arena->DecommitUnneeded(), round == 0 ? 2u : 0u);
    CHECK_EQ(f.arena->ResidentBytes(), kSegmentBytes);
  }
  CHECK_EQ(f.arena->DecommitUnneeded(), 1u);
  CHECK_EQ(f.arena->ResidentBytes(), size_t{0});
}

TEST(Arena, TakesARunThatIsInMemoryBeforeOneThatIsNot) {
  Fixture f;
  const uint32_t cold = f.arena->TakeRun(2, 0).value(), warm = f.arena->TakeRun(2, 0).value();
  CHECK(cold < warm);
  f.Retire(cold, /*decommit=*/true);
  f.Retire(warm, /*decommit=*/false);
  CHECK_EQ(f.Reclaim(), 4u);
  CHECK_EQ(f.arena->TakeRun(2, 0).value(), warm);
  CHECK_EQ(f.arena->TakeRun(2, 0).value(), cold);
}

TEST(Arena, OutlivesItsOwnerUntilTheLastExposureGoes) {
  Fixture f;
  const uint32_t run = f.arena->TakeRun(2, 0).value(), one = f.arena->TakeFree(0).value();
  const uint32_t unseen = f.arena->TakeFree(0).value();
  f.Fill(run, 0x11, 2);
  f.Fill(one, 0x22);
  f.Fill(unseen, 0x33);
  CHECK(f.arena->TryExpose(run, kCount));
  CHECK(f.arena->TryExpose(one, kCount));
  f.arena->Close();
  Arena* const arena = std::exchange(f.arena, nullptr);
  arena->Unref();
  CHECK_EQ(arena->ResidentBytes(), 3 * kSegmentBytes);
  const std::byte* shown = arena->exposed_bytes() + arena->StartOf(run);
  for (size_t at = 0; at < 2 * kSegmentBytes; ++at) CHECK(shown[at] == std::byte{0x11});
  arena->Unexpose(run);
  CHECK_EQ(arena->ResidentBytes(), kSegmentBytes);
  CHECK(arena->exposed_bytes()[arena->StartOf(one)] == std::byte{0x22});
  arena->Unexpose(one);  // the last reference: LeakSanitizer would see it if it were not
}

}  // namespace zerohop
