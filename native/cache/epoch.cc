#include "cache/epoch.h"

#include <algorithm>

namespace zerohop {

void EpochDomain::Add(EpochRecord* record) {
  MutexLock lock(mutex_);
  records_.push_back(record);
}

void EpochDomain::Remove(EpochRecord* record) {
  MutexLock lock(mutex_);
  records_.erase(std::remove(records_.begin(), records_.end(), record), records_.end());
}

bool EpochDomain::Passed(uint64_t epoch) {
  MutexLock lock(mutex_);
  return std::all_of(records_.begin(), records_.end(), [epoch](const EpochRecord* record) {
    const uint64_t entered = record->entered.load(std::memory_order_acquire);
    return entered == EpochRecord::kIdle || entered >= epoch;
  });
}

}  // namespace zerohop
