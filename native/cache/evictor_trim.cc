// maxEntries: a clock over the entries, in the order in which they lie.
#include <utility>

#include "cache/evictor.h"

namespace zerohop {

// Moves the hand to the next segment with entries: the sealed ones in the order in which they were sealed, then the
// open ones as far as they are written.  False at the end.
bool Evictor::NextHand() {
  const Segment* next = nullptr;
  uint32_t next_index = 0;
  for (uint32_t index = 0; index < parts_.arena.segment_count(); ++index) {
    const Segment& segment = parts_.arena.segment(index);
    if (segment.state.load(std::memory_order_acquire) != SegmentState::kSealed) continue;
    if (segment.writers.load(std::memory_order_acquire) != 0 || segment.live_entries.load() == 0) continue;
    if (segment.sealed_at <= hand_.sealed_at || (next != nullptr && next->sealed_at <= segment.sealed_at)) continue;
    next = &segment;
    next_index = index;
  }
  if (next != nullptr) {
    hand_.sealed_at = next->sealed_at;
    PointHand(next_index, next->used_bytes);
    return true;
  }
  const size_t streams = newcomers_.size() + streams_.size();
  while (hand_.stream < streams) {
    const size_t number = hand_.stream++;
    Stream& stream = number < newcomers_.size() ? *newcomers_[number] : *streams_[number - newcomers_.size()];
    if (const auto written = stream.Written()) {
      PointHand(written->segment, written->bytes);
      return true;
    }
  }
  return false;
}

void Evictor::PointHand(uint32_t index, uint64_t bytes) {
  hand_.segment = index;
  hand_.generation = parts_.arena.segment(index).generation.load(std::memory_order_relaxed);
  hand_.at = parts_.arena.StartOf(index);
  hand_.end = hand_.at + bytes;
}

void Evictor::Trim(Session& session, size_t entries_max, uint64_t newcomer) {
  MutexLock lock(mutex_);
  const uint64_t now_us = NowUs();
  size_t entries = parts_.spaces.Entries();
  // After so many laps every entry has lost all its uses; then whatever is left is being written.
  for (uint32_t laps = 0; entries > entries_max && laps < Index::kUsesMax + 3;) {
    const Segment& segment = parts_.arena.segment(hand_.segment);
    const SegmentState state = segment.state.load(std::memory_order_acquire);
    const bool stale = (state != SegmentState::kSealed && state != SegmentState::kOpen) ||
                       segment.generation.load(std::memory_order_relaxed) != hand_.generation;
    if (stale || hand_.at >= hand_.end) {
      if (NextHand()) continue;
      // Once round.  Segments that were emptied are free again.
      ++laps;
      if (RetireEmpty(/*decommit=*/false)) Tell();
      hand_ = Hand{};
      continue;
    }
    const std::optional<Entry> entry = ReadEntry(parts_.arena.bytes(), hand_.at, hand_.end);
    if (!entry) {
      hand_.at = hand_.end;
      continue;
    }
    const uint64_t at = std::exchange(hand_.at, entry->layout.end);
    const uint64_t hash = HashOf(*entry);
    const std::optional<uint32_t> uses = parts_.index.UsesOf(hash, at);
    if (!uses || at == newcomer) continue;  // overwritten or deleted; or what the room is made for
    const bool expired = Expired(at, entry->header, now_us);
    if (*uses > 0 && !expired && !Dead(entry->header)) {
      parts_.index.Repoint(hash, at, at, *uses - 1);
    } else {
      entries -= LetGo(&session, entry->header, at, hash, expired ? Count::kExpired : Count::kTrimmedEntries);
    }
  }
}

}  // namespace zerohop
