// Large values: runs of neighbouring segments, made by evicting what is worth least, and a second chance instead of a
// copy.
#include "cache/evictor.h"

namespace zerohop {

bool Evictor::SecondChance(uint32_t index) {
  // A large value is not copied to survive: its segment goes to the back of the queue, once per use.
  Segment& segment = parts_.arena.segment(index);
  if (segment.view_at == 0 || segment.live_entries.load(std::memory_order_relaxed) == 0) return false;
  const uint64_t at = parts_.arena.StartOf(index);
  const std::optional<Entry> entry = ReadEntry(parts_.arena.bytes(), at, at + segment.used_bytes);
  if (!entry) return false;
  const uint64_t hash = HashOf(*entry);
  if (parts_.index.UsesOf(hash, at).value_or(0) == 0) return false;
  parts_.index.Repoint(hash, at, at);  // to where it is: the uses start again at zero
  segment.sealed_at = parts_.seal_clock.fetch_add(1, std::memory_order_relaxed);
  segment.cooling.store(false, std::memory_order_relaxed);
  return true;
}

std::optional<uint32_t> Evictor::CheapestWindow(uint32_t count) {
  // Cost of a window: the entries that would be lost.  A window may not cut a run, nor hold anything that is open,
  // retired or seen.
  std::optional<uint32_t> best;
  uint64_t best_cost = UINT64_MAX;
  const uint32_t segments = parts_.arena.segment_count();
  for (uint32_t first = 0; first + count <= segments; ++first) {
    uint64_t cost = 0;
    uint32_t at = first;
    while (at < first + count) {
      const Segment& segment = parts_.arena.segment(at);
      const SegmentState state = segment.state.load(std::memory_order_acquire);
      const bool is_free = state == SegmentState::kFree;
      const bool evictable = state == SegmentState::kSealed && segment.writers.load(std::memory_order_acquire) == 0 &&
                             segment.exposures.load(std::memory_order_acquire) == 0;
      if (!is_free && !evictable) break;
      if (evictable) cost += segment.live_entries.load(std::memory_order_relaxed);
      at += is_free ? 1 : segment.run_segments;
    }
    if (at != first + count || cost >= best_cost) continue;
    best = first;
    best_cost = cost;
  }
  return best;
}

Evictor::Outcome Evictor::MakeRun(Session& session, uint32_t count, uint32_t spare, uint32_t* first) {
  MutexLock lock(mutex_);
  Reclaim();
  // Each round takes the run, or evicts something towards it.  More rounds than segments: other threads take them away.
  for (uint32_t round = 0; round < parts_.arena.segment_count() + 4; ++round) {
    if (const auto run = parts_.arena.TakeRun(count, spare)) {
      *first = *run;
      return Outcome::kMadeRoom;
    }
    StartEvicting();
    const std::optional<uint32_t> window = CheapestWindow(count);
    if (!window) return Outcome::kPinned;
    // Free segments outside the window have to make up the spare.
    if (parts_.arena.Takeable(0) < spare + FreeIn(*window, count)) {
      const std::optional<uint32_t> victim = Victim();
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
