#include "cache/stream.h"

namespace zerohop {

std::optional<Reservation> Stream::Reserve(uint32_t extension_words, size_t key_bytes, size_t value_bytes,
                                           uint32_t spare) {
  MutexLock lock(mutex_);
  for (;;) {
    if (open_ != kNone) {
      if (auto reservation = ReserveInOpen(extension_words, key_bytes, value_bytes)) return reservation;
      Seal();
    }
    const std::optional<uint32_t> taken = arena_.TakeFree(spare);
    if (!taken) return std::nullopt;
    open_ = *taken;
    arena_.Own(open_, scope_);
  }
}

std::optional<Reservation> Stream::ReserveInOpen(uint32_t extension_words, size_t key_bytes, size_t value_bytes) {
  Segment& segment = arena_.segment(open_);
  const uint64_t start = arena_.StartOf(open_);
  const uint64_t entry_at = start + segment.used_bytes;
  const EntryLayout layout = LayOut(entry_at, extension_words, key_bytes, value_bytes);
  if (layout.end > start + arena_.segment_bytes()) return std::nullopt;
  segment.used_bytes = layout.end - start;
  segment.appended.store(segment.appended.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  segment.writers.fetch_add(1, std::memory_order_relaxed);
  return Reservation{open_, entry_at, layout};
}

void Stream::Seal() {
  Segment& segment = arena_.segment(open_);
  segment.sealed_at = seal_clock_.fetch_add(1, std::memory_order_relaxed);
  segment.state.store(SegmentState::kSealed, std::memory_order_release);
  open_ = kNone;
}

std::optional<Stream::Extent> Stream::Written() {
  MutexLock lock(mutex_);
  if (open_ == kNone) return std::nullopt;
  const Segment& segment = arena_.segment(open_);
  // Nobody can begin to write while we hold the lock.
  if (segment.writers.load(std::memory_order_acquire) != 0) return std::nullopt;
  return Extent{open_, segment.used_bytes};
}

void Stream::SealOpen() {
  MutexLock lock(mutex_);
  if (open_ != kNone) Seal();
}

}  // namespace zerohop
