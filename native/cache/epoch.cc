#include "cache/epoch.h"

#include <algorithm>

#include "base/process_fence.h"

namespace zerohop {

EpochDomain::EpochDomain(Fence fence) : reclaimer_fences_(fence == Fence::kBestAvailable && ProcessFenceAvailable()) {}

void EpochDomain::Add(EpochRecord* record) {
  MutexLock lock(mutex_);
  records_.push_back(record);
}

void EpochDomain::Remove(EpochRecord* record) {
  MutexLock lock(mutex_);
  records_.erase(std::remove(records_.begin(), records_.end(), record), records_.end());
}

uint64_t EpochDomain::OldestReader() {
  if (reclaimer_fences_) ProcessFence();
  MutexLock lock(mutex_);
  uint64_t oldest = UINT64_MAX;
  for (EpochRecord* record : records_) {
    const uint64_t entered = reclaimer_fences_ ? record->entered.load(std::memory_order_acquire)
                                               : record->entered.fetch_add(0, std::memory_order_acq_rel);
    if (entered != EpochRecord::kIdle) oldest = std::min(oldest, entered);
  }
  return oldest;
}

}  // namespace zerohop
