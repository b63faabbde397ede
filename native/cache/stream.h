// stream.h: where new entries are appended: one open segment, filled from its start.
//
// Reserving takes a few instructions under a lock.  The bytes are written outside it.  Until `Finish`, a reservation
// counts as a writer of its segment, and a segment with writers is not emptied.  Each scope has streams of its own:
// entries of two scopes never share a segment, because a view's `.buffer` shows all of it.
//
// Threads  any.  Lock order: stream before arena.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "cache/arena.h"
#include "cache/entry.h"

namespace zerohop {

struct Reservation {
  uint32_t segment;
  uint64_t entry_at;
  EntryLayout layout;
};

class Stream {
 public:
  // `seal_clock` orders sealed segments.
  Stream(Arena& arena, std::atomic<uint64_t>& seal_clock, uint16_t scope)
      : arena_(arena), seal_clock_(seal_clock), scope_(scope) {}

  // Room for one entry.  None if a free segment is needed and no more than `spare` are free.
  // REQUIRES: the entry fits into an empty segment.
  std::optional<Reservation> Reserve(uint32_t extension_words, size_t key_bytes, size_t value_bytes, uint32_t spare)
      EXCLUDES(mutex_);

  // The writer is done: the entry is in the index, or the reservation is given up.
  void Finish(const Reservation& reservation) {
    arena_.segment(reservation.segment).writers.fetch_sub(1, std::memory_order_release);
  }

  uint16_t scope() const { return scope_; }

  // The open segment, and how many of its bytes are written and published.  None if no segment is open, or someone
  // writes to it.
  struct Extent {
    uint32_t segment;
    uint64_t bytes;
  };
  std::optional<Extent> Written() EXCLUDES(mutex_);

  // Closes the open segment, if there is one, so that it can be retired.
  void SealOpen() EXCLUDES(mutex_);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  std::optional<Reservation> ReserveInOpen(uint32_t extension_words, size_t key_bytes, size_t value_bytes)
      REQUIRES(mutex_);
  void Seal() REQUIRES(mutex_);

  Arena& arena_;
  std::atomic<uint64_t>& seal_clock_;
  const uint16_t scope_;
  Mutex mutex_;
  uint32_t open_ GUARDED_BY(mutex_) = kNone;
};

}  // namespace zerohop
