#include "cache/stream.h"

namespace zerohop {

// Inlined: it is all that nearly every reservation does.
[[gnu::always_inline]] inline size_t Stream::ReserveInOpen(std::span<const EntrySize> sizes,
                                                           std::span<Reservation> rooms) {
  Segment& segment = arena_.segment(open_);
  const uint64_t start = arena_.StartOf(open_);
  uint64_t entry_at = start + segment.used_bytes;
  uint32_t count = 0;
  for (const EntrySize& size : sizes) {
    const EntryLayout layout = LayOut(entry_at, size.extension_words, size.key_bytes, size.value_bytes);
    if (layout.end > start + arena_.segment_bytes()) break;
    rooms[count++] = {open_, entry_at, layout};
    entry_at = layout.end;
  }
  if (count == 0) return 0;
  segment.used_bytes = entry_at - start;
  segment.appended.store(segment.appended.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  segment.writers.fetch_add(count, std::memory_order_relaxed);
  return count;
}

size_t Stream::ReserveSome(std::span<const EntrySize> sizes, uint32_t spare, std::span<Reservation> rooms) {
  MutexLock lock(mutex_);
  for (;;) {
    if (open_ != kNone) {
      if (const size_t count = ReserveInOpen(sizes, rooms)) return count;
      Seal();
    }
    const std::optional<uint32_t> taken = arena_.TakeFree(spare);
    if (!taken) return 0;
    open_ = *taken;
    arena_.Own(open_, scope_);
  }
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
