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
#include <span>

#include "base/mutex.h"
#include "cache/arena.h"
#include "cache/entry.h"

namespace zerohop {

// What an entry to come takes.
struct EntrySize {
  uint32_t extension_words;
  size_t key_bytes, value_bytes;
};

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

  // Room for the entries, as far as one segment has it; gives back for how many.  0 if a free segment is needed and no
  // more than `spare` are free.  REQUIRES: the first entry fits into an empty segment; rooms.size() >= sizes.size()
  size_t ReserveSome(std::span<const EntrySize> sizes, uint32_t spare, std::span<Reservation> rooms) EXCLUDES(mutex_);
  // The same for one.
  std::optional<Reservation> Reserve(uint32_t extension_words, size_t key_bytes, size_t value_bytes, uint32_t spare) {
    const EntrySize size{extension_words, key_bytes, value_bytes};
    std::optional<Reservation> room(std::in_place);
    if (ReserveSome({&size, 1}, spare, {&*room, 1}) == 0) room.reset();
    return room;
  }

  // The writer is done: the entry is in the index, or its room is given up.  `entries`: so is it with as many of the
  // same segment.
  void Finish(const Reservation& reservation, uint32_t entries = 1) {
    arena_.segment(reservation.segment).writers.fetch_sub(entries, std::memory_order_release);
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

  size_t ReserveInOpen(std::span<const EntrySize> sizes, std::span<Reservation> rooms) REQUIRES(mutex_);
  void Seal() REQUIRES(mutex_);

  Arena& arena_;
  std::atomic<uint64_t>& seal_clock_;
  const uint16_t scope_;
  Mutex mutex_;
  uint32_t open_ GUARDED_BY(mutex_) = kNone;
};

}  // namespace zerohop
