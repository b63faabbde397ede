// epoch.h: tells when every reader that might still hold an old location has left.
//
// A reader notes the current epoch in its own record while it looks at entries.  Whoever takes entries out of the
// index advances the epoch afterwards; memory that they lay in may be used again once every record is idle or shows an
// epoch at least as new: such a reader looked at the index after the entries had left it.
//
// Threads  Enter and Leave: the record's owner only.  Everything else: any thread.
// Why plain stores are enough: a reader finds a location under a shard's mutex and the remover takes the same mutex,
// so its record is visible to the remover before the remover looks.  Lock-free readers will need a fence here.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/constants.h"
#include "base/mutex.h"

namespace zerohop {

struct alignas(kCacheLineBytes) EpochRecord {
  static constexpr uint64_t kIdle = 0;
  std::atomic<uint64_t> entered{kIdle};
};
static_assert(sizeof(EpochRecord) == kCacheLineBytes, "two readers never write the same line");

class EpochDomain {
 public:
  void Add(EpochRecord* record) EXCLUDES(mutex_);
  void Remove(EpochRecord* record) EXCLUDES(mutex_);  // REQUIRES: the record is idle

  void Enter(EpochRecord& record) const {
    record.entered.store(now_.load(std::memory_order_acquire), std::memory_order_relaxed);
  }
  static void Leave(EpochRecord& record) { record.entered.store(EpochRecord::kIdle, std::memory_order_release); }

  // Starts a new epoch and returns it: readers that enter from now on note it or a later one.
  uint64_t Advance() { return now_.fetch_add(1, std::memory_order_acq_rel) + 1; }

  // True once no reader is left that entered before `epoch`.
  bool Passed(uint64_t epoch) EXCLUDES(mutex_);

 private:
  std::atomic<uint64_t> now_{1};
  Mutex mutex_;
  std::vector<EpochRecord*> records_ GUARDED_BY(mutex_);
};

}  // namespace zerohop
