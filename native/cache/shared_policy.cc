#include "cache/shared_policy.h"

#include <algorithm>

namespace zerohop {

// How many entries the memory should be made for: the present room, doubled until it suffices or may not grow further.
size_t SharedPolicy::RoomFor(size_t entries) const {
  size_t room = policy_.room();
  while (room < entries && policy_.BytesFor(room * 2) <= bytes_max_) room *= 2;
  return room;
}

void SharedPolicy::Drain(Session& session, Fill fill) noexcept {
  AccessBuffer& buffer = session.access_buffer;
  // A reader does not wait: the buffer is drained at a later request.
  if (!mutex_.TryLock()) {
    buffer.drain_at = buffer.requests + AccessBuffer::kAccesses;
    return;
  }
  // Each of them has a line of its own in the tracker.
  for (uint32_t i = 0; i < buffer.count; ++i) policy_.PrefetchObserve(buffer.accesses[i].hash);
  for (uint32_t i = 0; i < buffer.count; ++i) {
    policy_.Observe(buffer.accesses[i].hash, buffer.accesses[i].access_state, buffer.accesses[i].at);
  }
  policy_.Advance(buffer.requests, buffer.hits);
  buffer.count = buffer.requests = buffer.hits = 0;
  buffer.drain_at = AccessBuffer::kAccesses;
  policy_.Expect(fill.capacity);
  policy_.Relax(fill.roomy);
  capacity_.store(fill.capacity, std::memory_order_relaxed);
  tick_requests_.store(policy_.tick_requests(), std::memory_order_relaxed);
  // MSET of 10^5 new keys is one step for all others: the tables, which it outgrows five times, grow after it.
  if (fill.hurried) return mutex_.Unlock();
  // A step each time: nobody waits for all of it.
  if (policy_.growing()) {
    if (policy_.GrowOn()) outgrown_epoch_ = epochs_.Advance();
  } else if (policy_.has_outgrown()) {
    // Only readers from before that epoch may still count in the outgrown sketch.
    if (epochs_.Passed(outgrown_epoch_)) policy_.ForgetOutgrown();
  }
  size_t bytes = policy_.bytes();
  const size_t room = policy_.growing() || policy_.has_outgrown() ? policy_.room() : RoomFor(fill.entries);
  if (room > policy_.room()) {
    if (announced_ && fill.settled) {
      policy_.Grow(room);
      announced_ = false;
      bytes = policy_.bytes();
    } else {
      // The old sketch will be kept for a while beside the new one.
      announced_ = true;
      bytes += policy_.BytesFor(room);
    }
  }
  bytes_.store(bytes, std::memory_order_relaxed);
  mutex_.Unlock();
}

}  // namespace zerohop
