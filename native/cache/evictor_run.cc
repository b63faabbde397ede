// Large values: runs of neighbouring segments, made by evicting what is worth least.
#include <algorithm>
#include <limits>

#include "cache/evictor.h"

namespace zerohop {
namespace {

// Entries that are sampled before a window is chosen.
constexpr uint32_t kSurveyed = 32;

}  // namespace

std::optional<uint32_t> Evictor::CheapestWindow(uint32_t count) {
  // Cost of a window: what would be lost that is worth keeping, in segments; of equal ones, that which was sealed
  // first. A window may not cut a run, nor hold anything that is open, retired or seen.
  std::optional<uint32_t> best;
  float best_cost = std::numeric_limits<float>::infinity();
  uint64_t best_sealed = 0;
  const uint32_t segments = parts_.arena.segment_count();
  for (uint32_t first = 0; first + count <= segments; ++first) {
    float cost = 0;
    uint64_t sealed = 0;
    uint32_t at = first;
    while (at < first + count) {
      const Segment& segment = parts_.arena.segment(at);
      const SegmentState state = segment.state.load(std::memory_order_acquire);
      const bool is_free = state == SegmentState::kFree;
      const bool evictable = state == SegmentState::kSealed && segment.writers.load(std::memory_order_acquire) == 0 &&
                             segment.exposures.load(std::memory_order_acquire) == 0;
      if (!is_free && !evictable) break;
      if (evictable && segment.live_entries.load(std::memory_order_relaxed) != 0) {
        cost += (1 - BenefitOf(at)) * static_cast<float>(segment.run_segments);
        sealed = std::max(sealed, segment.sealed_at);
      }
      at += is_free ? 1 : segment.run_segments;
    }
    if (at != first + count || cost > best_cost || (cost == best_cost && sealed >= best_sealed)) continue;
    best = first;
    best_cost = cost;
    best_sealed = sealed;
  }
  return best;
}

Evictor::Outcome Evictor::MakeRun(Session& session, uint32_t count, uint32_t spare, uint32_t* first) {
  MutexLock lock(mutex_);
  walked_segment_.reset();
  Reclaim();
  // Each round takes the run, or evicts something towards it.  More rounds than segments: other threads take them away.
  for (uint32_t round = 0; round < parts_.arena.segment_count() + 4; ++round) {
    if (const auto run = parts_.arena.TakeRun(count, spare)) {
      *first = *run;
      return Outcome::kMadeRoom;
    }
    StartEvicting();
    if (round == 0) {
      ListSealed();
      Survey(session, kSurveyed);
      DrawThreshold();
      RefreshSmall(session);
    }
    std::optional<uint32_t> window = CheapestWindow(count);
    if (!window) {
      // An open segment in the middle of all may leave no window of this length.
      SealOpen();
      window = CheapestWindow(count);
    }
    if (!window) return Outcome::kPinned;
    // Free segments outside the window have to make up the spare.
    if (parts_.arena.Takeable(0) < spare + FreeIn(*window, count)) {
      const std::optional<uint32_t> victim = Victim(session);
      if (!victim) return Outcome::kPinned;
      Evict(&session, *victim, /*may_survive=*/false, /*decommit=*/false);
      if (!AwaitFree(*victim, 1) && parts_.arena.segment(*victim).exposures.load(std::memory_order_acquire) == 0) {
        return Outcome::kReaders;
      }
      continue;
    }
    EvictWindow(session, *window, count);
  }
  return Outcome::kPinned;
}

uint32_t Evictor::FreeIn(uint32_t first, uint32_t count) const {
  uint32_t free = 0;
  for (uint32_t at = first; at < first + count; ++at) {
    free += parts_.arena.segment(at).state.load(std::memory_order_acquire) == SegmentState::kFree;
  }
  return free;
}

void Evictor::EvictWindow(Session& session, uint32_t first, uint32_t count) {
  for (uint32_t at = first; at < first + count;) {
    const Segment& segment = parts_.arena.segment(at);
    if (segment.state.load(std::memory_order_acquire) != SegmentState::kSealed ||
        segment.writers.load(std::memory_order_acquire) != 0) {
      ++at;  // free, or another thread has taken it meanwhile: then its length is not ours to read
      continue;
    }
    const uint32_t run = segment.run_segments;
    Evict(&session, at, /*may_survive=*/false, /*decommit=*/false);
    at += run;
  }
  AwaitFree(first, count);
}

}  // namespace zerohop
