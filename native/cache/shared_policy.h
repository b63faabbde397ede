// shared_policy.h: the policy as the threads of one cache use it.
//
// A lookup changes nothing but the access state of the entry that it found: a few instructions, one line of the sketch,
// no lock.  If the entry was asked for within the same tick, it changes nothing.  What the model must learn is noted in
// the thread's access buffer.  Every AccessBuffer::kAccesses requests, the buffer is drained into the policy, with the
// number of requests that have passed, if the mutex is free.
//
// Threads  any, each with its Session.  Lock order: mutex_ is a leaf lock, but the epoch list is asked under it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/mutex.h"
#include "cache/access_state.h"
#include "cache/epoch.h"
#include "cache/policy.h"
#include "cache/session.h"

namespace zerohop {

class SharedPolicy {
 public:
  // How full the cache is when a buffer is drained.
  struct Fill {
    size_t entries;        // now
    size_t capacity;       // entries when it is full, as far as can be told
    bool settled;          // the arena has given up as many bytes as bytes() says
    bool hurried = false;  // others wait for this session: the tables grow later
    bool roomy = false;    // nothing is evicted soon
  };

  SharedPolicy(const Policy::Options& options, EpochDomain& epochs, size_t capacity, size_t entries, size_t bytes_max)
      : epochs_(epochs),
        bytes_max_(bytes_max),
        policy_(options, capacity, entries),
        bytes_(policy_.bytes()),
        capacity_(capacity),
        tick_requests_(policy_.tick_requests()) {}

  // Touch, Arrive.  REQUIRES: a ReadGuard.
  void Touch(Session& session, uint64_t hash, std::atomic<uint16_t>& word) {
    const AccessState before(word.load(std::memory_order_relaxed));
    ++session.access_buffer.requests;
    ++session.access_buffer.hits;
    if (!policy_.IsFresh(before)) Count(session, hash, before, word);
  }
  // For batches: fetches the line of the sketch that Touch will change, if it will.
  void PrefetchTouch(uint64_t hash, const std::atomic<uint16_t>& word) const {
    policy_.PrefetchTouch(hash, AccessState(word.load(std::memory_order_relaxed)));
  }
  AccessState Arrive(Session& session, uint64_t hash) {
    const AccessState access_state = policy_.Arrive(hash);
    ++session.access_buffer.requests;
    Note(session, hash, access_state);
    return access_state;
  }

  // True if the session's access buffer must be drained.
  static bool Due(const Session& session) { return session.access_buffer.requests >= session.access_buffer.drain_at; }
  // Does nothing while another thread drains.  Allowed under a ReadGuard; then an outgrown sketch is freed later.
  void Drain(Session& session, Fill fill) noexcept EXCLUDES(mutex_);

  float ReuseRate(AccessState access_state) const { return policy_.ReuseRate(access_state); }
  bool Admits(AccessState newcomer, float rival) const { return policy_.Admits(newcomer, rival); }
  Policy::Kind kind() const { return policy_.kind(); }
  uint32_t FrequencyOf(AccessState access_state) const { return policy_.FrequencyOf(access_state); }
  float GapOf(AccessState access_state) const { return policy_.GapOf(access_state); }
  static float CapacitiesOf(uint32_t ticks) { return Policy::CapacitiesOf(ticks); }
  uint32_t now() const { return policy_.now(); }
  // Bytes of memory; before it grows, those that it will have: it grows only once they have been set aside (D45).
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  // As the last drain told it.
  size_t capacity() const { return capacity_.load(std::memory_order_relaxed); }
  uint32_t tick_requests() const { return tick_requests_.load(std::memory_order_relaxed); }

 private:
  // The rest of Touch.  By itself, so that a touch within the same tick stays a few instructions.
  [[gnu::noinline]] void Count(Session& session, uint64_t hash, AccessState before, std::atomic<uint16_t>& word) {
    const AccessState after = policy_.Touch(hash, before);
    word.store(after.bits(), std::memory_order_relaxed);
    Note(session, hash, after);
  }
  size_t RoomFor(size_t entries) const REQUIRES(mutex_);
  void Note(Session& session, uint64_t hash, AccessState access_state) {
    if (!policy_.Follows(hash) || session.access_buffer.count == AccessBuffer::kAccesses) return;
    session.access_buffer.accesses[session.access_buffer.count++] = {hash, policy_.now(), access_state};
  }

  EpochDomain& epochs_;
  const size_t bytes_max_;
  Mutex mutex_;
  Policy policy_;  // but for what any thread may call: GUARDED_BY(mutex_)
  uint64_t outgrown_epoch_ GUARDED_BY(mutex_) = 0;
  bool announced_ GUARDED_BY(mutex_) = false;  // growth
  std::atomic<size_t> bytes_;
  std::atomic<size_t> capacity_;
  std::atomic<uint32_t> tick_requests_;
};

}  // namespace zerohop
