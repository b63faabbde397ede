// What a lock guards is not read without it. Clang alone knows: -Wthread-safety.
#include "base/mutex.h"

namespace zerohop {
class Counter {
 public:
  int Read() EXCLUDES(mutex_) {
#if !defined(MISUSE) || !defined(__clang__)
    MutexLock lock(mutex_);
#endif
    return count_;  // error: requires holding mutex
  }

 private:
  Mutex mutex_;
  int count_ GUARDED_BY(mutex_) = 0;
};
int Use(Counter& counter) { return counter.Read(); }
}  // namespace zerohop
