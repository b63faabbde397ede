// pin.h: keeps a value where it lies in the cache while a client does not read it, instead of a copy of it.
//
// A Pin is an exposure of the value's segment (arena.h), like a view in JavaScript: the segment is not reused while it
// lives, whatever becomes of the key and of the cache.  Many pins of one segment cost what one costs.
//
// Limit    at most half of the cache's segments may be seen, by pins and views together, when one is made: clients that
//          read nothing leave the cache the other half to work with.  Above it, the value is copied.
// Threads  made under a ReadGuard of the worker's; freed on any.
#pragma once

#include <utility>

#include "cache/cache.h"

namespace zerohop::resp {

class Pin {
 public:
  Pin() = default;
  ~Pin() {
    if (arena_ != nullptr) arena_->Unexpose(segment_);
  }
  Pin(Pin&& other) noexcept : arena_(std::exchange(other.arena_, nullptr)), segment_(other.segment_) {}
  Pin& operator=(Pin&& other) noexcept {
    std::swap(arena_, other.arena_);
    std::swap(segment_, other.segment_);
    return *this;
  }

  // Of a value in the cache.  Empty if that is not to be.  REQUIRES: found under a ReadGuard that still lives.
  static Pin Of(const Cache& cache, Bytes value) {
    Arena& arena = cache.arena();
    const uint32_t index = arena.SegmentOf(static_cast<uint64_t>(value.data() - arena.bytes()));
    const Segment& segment = arena.segment(index);
    Pin pin;
    // Behind a key of more than a segment: the run's state lies with its first one.
    if (segment.state.load(std::memory_order_acquire) == SegmentState::kRunTail) return pin;
    // It is to be emptied next.  What a large value fills cannot be moved out of the way.
    if (segment.cooling.load(std::memory_order_relaxed) && segment.view_at == 0) return pin;
    const uint32_t limit = arena.usable_segments() / 2;
    if (segment.exposures.load(std::memory_order_relaxed) == 0 &&
        arena.exposed_segments() + segment.run_segments > limit)
      return pin;
    if (!arena.TryExpose(index, limit)) return pin;
    pin.arena_ = &arena;
    pin.segment_ = index;
    return pin;
  }

  explicit operator bool() const { return arena_ != nullptr; }

 private:
  Arena* arena_ = nullptr;
  uint32_t segment_ = 0;
};

}  // namespace zerohop::resp
