// epoch.h: tells when every reader that might still hold an old location has left.
//
// A reader writes the current epoch into its own record before it looks at the index, and clears the record when it is
// done.  A writer that has removed entries from the index advances the epoch.  Their memory may be used again once
// every record is idle, or shows that epoch or a later one: such a reader began after the entries had left.
//
// The record must be visible before the reader's first look.  On Linux the reclaimer pays for this fence: membarrier
// makes every core that runs this process pass one.  A reader then executes two plain stores.  Elsewhere both sides use
// locked instructions on the record, so the later one sees what the earlier one did before.  The thread sanitizer knows
// no fences, so they do the same under it.
//
// Threads  Enter and Leave: the record's owner only.  Everything else: any thread.
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
  enum class Fence { kBestAvailable, kLocked };
  explicit EpochDomain(Fence fence = Fence::kBestAvailable);

  void Add(EpochRecord* record) EXCLUDES(mutex_);
  void Remove(EpochRecord* record) EXCLUDES(mutex_);  // REQUIRES: the record is idle

  void Enter(EpochRecord& record) const {
    const uint64_t now = now_.load(std::memory_order_acquire);
    if (reclaimer_fences_) [[likely]] {
      record.entered.store(now, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);  // the compiler keeps the order, membarrier makes it true
    } else {
      record.entered.exchange(now, std::memory_order_acq_rel);
    }
  }
  static void Leave(EpochRecord& record) { record.entered.store(EpochRecord::kIdle, std::memory_order_release); }

  // Starts a new epoch and returns it: readers that enter from now on note it or a later one.
  uint64_t Advance() { return now_.fetch_add(1, std::memory_order_acq_rel) + 1; }

  // The oldest epoch in the record of a reader that is not done; UINT64_MAX if there is none.  Nobody sees what had
  // left the index before that epoch and before this call.  Cost: a system call of some microseconds.
  uint64_t OldestReader() EXCLUDES(mutex_);

  // True once no reader is left that entered before `epoch`.
  bool Passed(uint64_t epoch) EXCLUDES(mutex_) { return epoch <= OldestReader(); }

  bool reclaimer_fences() const { return reclaimer_fences_; }

 private:
  const bool reclaimer_fences_;
  std::atomic<uint64_t> now_{1};
  Mutex mutex_;
  std::vector<EpochRecord*> records_ GUARDED_BY(mutex_);
};

}  // namespace zerohop
