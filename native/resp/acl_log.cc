#include "resp/acl_log.h"

#include <utility>

namespace zerohop::resp {

void AclLog::Add(Entry entry, size_t entries_max) {
  constexpr uint64_t kTogetherUs = 60 * 1000 * 1000;
  constexpr int kLookedAt = 10;
  MutexLock lock(mutex_);
  int looked_at = 0;
  for (auto each = entries_.begin(); each != entries_.end() && looked_at < kLookedAt; ++each, ++looked_at) {
    if (each->reason != entry.reason || each->context != entry.context || each->object != entry.object ||
        each->user != entry.user || entry.at_us - each->at_us > kTogetherUs)
      continue;
    entry.count = each->count + 1;
    entries_.erase(each);
    break;
  }
  entries_.push_front(std::move(entry));
  while (entries_.size() > entries_max) entries_.pop_back();
}

std::vector<AclLog::Entry> AclLog::Last(size_t count) const {
  MutexLock lock(mutex_);
  std::vector<Entry> last;
  for (const Entry& entry : entries_) {
    if (last.size() >= count) break;
    last.push_back(entry);
  }
  return last;
}

void AclLog::Clear() {
  MutexLock lock(mutex_);
  entries_.clear();
}

}  // namespace zerohop::resp
