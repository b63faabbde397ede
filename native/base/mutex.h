// mutex.h: std::mutex with the annotations that let clang's -Wthread-safety check who holds what.
//
// Lock order, outermost first (docs/THREADS-AND-MEMORY.md):
//   server (resp/server_lock.h) -> registry -> gate (cache/exclusive.h) -> removal -> keyspaces -> upkeep -> evictor
//   -> stream -> arena -> index shard -> tags; what a change listener takes
//   leaves beside them: session list, epoch list, spaces, outgrown tables, policy, eviction records.  But the outgrown
//   tables, the policy and the session list ask the epoch list
//
// clang checks an order only between the locks of one object, and nearly every order here is between two objects.  So
// this list is the order, and the thread sanitizer reports an inversion that a test runs into.
//
// No lock is held across a Node-API call: such a call may collect garbage, and a collection runs our deleters.
#pragma once

#include <mutex>

#if defined(__clang__)
#define ZEROHOP_TSA(x) __attribute__((x))
#else
#define ZEROHOP_TSA(x)
#endif
#define CAPABILITY(x) ZEROHOP_TSA(capability(x))
#define SCOPED_CAPABILITY ZEROHOP_TSA(scoped_lockable)
#define GUARDED_BY(x) ZEROHOP_TSA(guarded_by(x))
#define REQUIRES(...) ZEROHOP_TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) ZEROHOP_TSA(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) ZEROHOP_TSA(acquire_capability(__VA_ARGS__))
#define RELEASE(...) ZEROHOP_TSA(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) ZEROHOP_TSA(try_acquire_capability(__VA_ARGS__))

namespace zerohop {

class CAPABILITY("mutex") Mutex {
 public:
  void Lock() ACQUIRE() { mutex_.lock(); }
  void Unlock() RELEASE() { mutex_.unlock(); }
  bool TryLock() TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace zerohop
