// exclusive.h: a section in which one session alone writes: several commands that no other writer may come between.
//
//   enter   take the gate -> write the owner into every shard of the index, under the shard's lock
//   leave   take the owner out of every shard                    -> give the gate back
//
// A writer locks its shard anyway, and the owner stands in the lock's own cache line.  If the owner is another session,
// the writer unlocks the shard, waits at the gate, and tries again.  Deletions by tag and clearings touch all shards,
// so they hold the gate themselves.  Reads, evictions and upkeep do not wait.
//
// Threads     any; one section at a time.  The owner's thread must not write with another session meanwhile: it
//             would wait for ever.  A section within another one of the same session is part of that one.
// Lock order  the gate comes before all other locks of the cache.
// Cost        entering and leaving: a lock of each of 64 shards, some microseconds.  A writer: a compare.
#pragma once

#include <atomic>
#include <mutex>

namespace zerohop {

class Cache;
struct Session;

class ExclusiveGate {
 public:
  // Waits until the section under way, if there is one, has ended.
  void Await() { const std::lock_guard wait(mutex_); }

  // Whether this session is in a section: everybody else waits for it.
  bool IsOwner(const Session& session) const { return owner_.load(std::memory_order_relaxed) == &session; }

  // While it lives, no section begins.  It does nothing if the session is in a section itself.
  class Pass {
   public:
    Pass(ExclusiveGate& gate, const Session* session) : lock_(gate.mutex_, std::defer_lock) {
      if (session == nullptr || gate.owner_.load(std::memory_order_relaxed) != session) lock_.lock();
    }

   private:
    std::unique_lock<std::mutex> lock_;
  };

 private:
  friend class Exclusive;
  std::mutex mutex_;
  std::atomic<const Session*> owner_{nullptr};
};

class Exclusive {
 public:
  Exclusive(Cache& cache, const Session& session);
  ~Exclusive();
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  Cache& cache_;
  const bool outermost_;
};

}  // namespace zerohop
