// staged_value.h: a large value that is copied into the cache in parts, before the set that stores it.
//
//   StagedValue staged(cache, session, space, key.size(), value.size());
//   while (!staged.whole()) staged.Append(…);              between two parts, the thread may do something else
//   cache.Set(session, space, key, value, {.staged = &staged});        copies nothing; takes as long as a small one
//
// It has a run of segments, which nobody finds and nobody empties, as a set has while it writes.  The set compares the
// value's length, and the place that key and tags leave for it, with what was staged.  If they differ, it copies
// `value` as ever.
//
// Threads  one, the session's.  Keep it briefly: what it holds cannot be evicted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "cache/cache.h"

namespace zerohop {

class StagedValue {
 public:
  // Makes room, if it can: else `has_room` is false, and the set is to tell why.  REQUIRES: IsLarge(…), and no more
  // than ValueBytesMax.
  StagedValue(Cache& cache, Session& session, uint16_t space, size_t key_bytes, size_t value_bytes)
      : cache_(cache), value_bytes_(value_bytes) {
    Reservation room;
    if (cache.TakeRun(session, space, ExtensionWords(0), key_bytes, value_bytes, &room) == SetOutcome::kStored)
      room_ = room;
  }
  ~StagedValue() {
    if (room_) cache_.LeaveRun(*room_);
  }
  StagedValue(const StagedValue&) = delete;
  StagedValue& operator=(const StagedValue&) = delete;

  bool has_room() const { return room_.has_value(); }
  size_t bytes() const { return value_bytes_; }
  size_t copied() const { return copied_; }
  bool whole() const { return copied_ == value_bytes_; }
  // The next part.  REQUIRES: has_room.
  void Append(Bytes part) {
    std::memcpy(cache_.arena().bytes() + room_->layout.value_at + copied_, part.data(), part.size());
    copied_ += part.size();
  }

 private:
  friend class Cache;
  // For a set of such an entry: the room is the caller's from here on.
  std::optional<Reservation> TakeFor(uint16_t scope, uint32_t extension_words, size_t key_bytes, size_t value_bytes) {
    if (!room_ || !whole() || cache_.arena().segment(room_->segment).scope != scope) return std::nullopt;
    const EntryLayout wanted = LayOut(room_->entry_at, extension_words, key_bytes, value_bytes);
    if (value_bytes != value_bytes_ || wanted.value_at != room_->layout.value_at) return std::nullopt;
    const Reservation room{room_->segment, room_->entry_at, wanted};
    room_.reset();
    return room;
  }

  Cache& cache_;
  const size_t value_bytes_;
  std::optional<Reservation> room_;
  size_t copied_ = 0;
};

}  // namespace zerohop
