// server_lock.h: lets a command run while no other worker runs one.
//
// A worker holds the lock *shared* while it runs commands, and not while it waits for its clients.  Whoever needs the
// world to stand still takes it *exclusive*: EXEC, CLIENT KILL, CONFIG SET.  The holder may then touch the state of any
// client and worker, and the tables that they share.
//
// Shared is a mutex of the worker's own, which nobody else touches: no cache line goes back and forth.  Exclusive takes
// all of them, in order.  Whoever waits for it goes first: workers that come meanwhile wait at the gate.
//
// clang does not check it: a worker goes from one mode to the other in the middle of its loop.
//
// Order  outermost of all: above every lock of the cache.  Not to be taken twice by one thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "base/constants.h"
#include "base/mutex.h"

namespace zerohop::resp {

class ServerLock {
 public:
  explicit ServerLock(size_t workers) : workers_(workers), own_(new Own[workers]) {}

  void LockShared(size_t worker) ZEROHOP_TSA(no_thread_safety_analysis) {
    if (wanted()) [[unlikely]] {
      gate_.Lock();
      gate_.Unlock();
    }
    own_[worker].mutex.Lock();
  }
  void UnlockShared(size_t worker) ZEROHOP_TSA(no_thread_safety_analysis) { own_[worker].mutex.Unlock(); }
  // REQUIRES: this thread does not hold it shared.
  void LockExclusive() ZEROHOP_TSA(no_thread_safety_analysis) {
    waiting_.fetch_add(1, std::memory_order_relaxed);
    gate_.Lock();
    for (size_t i = 0; i < workers_; ++i) own_[i].mutex.Lock();
  }
  void UnlockExclusive() ZEROHOP_TSA(no_thread_safety_analysis) {
    for (size_t i = workers_; i-- > 0;) own_[i].mutex.Unlock();
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    gate_.Unlock();
  }
  // Someone waits for it exclusively: whoever holds it shared lets go soon.
  bool wanted() const { return waiting_.load(std::memory_order_relaxed) != 0; }

 private:
  struct alignas(kCacheLineBytes) Own {
    Mutex mutex;
  };
  const size_t workers_;
  const std::unique_ptr<Own[]> own_;
  Mutex gate_;
  std::atomic<int> waiting_{0};
};

class ExclusiveLock {
 public:
  explicit ExclusiveLock(ServerLock& lock) : lock_(lock) { lock_.LockExclusive(); }
  ~ExclusiveLock() { lock_.UnlockExclusive(); }
  ExclusiveLock(const ExclusiveLock&) = delete;
  ExclusiveLock& operator=(const ExclusiveLock&) = delete;

 private:
  ServerLock& lock_;
};

}  // namespace zerohop::resp
