#include "cache/reuse_tracker.h"

#include <algorithm>
#include <utility>

namespace zerohop {
namespace {

// Choices: the sample is halved or doubled, and should then stay for long.
//
// It is halved when, in one sweep, more than 1/16 of the slots were needed for other keys before the horizon.
constexpr size_t kGivenUpShare = 16;
// It is doubled when less than 1/4 of the slots are used, a horizon after it was last changed.
constexpr size_t kSparseShare = 4;
static_assert(kSparseShare > 2, "after doubling, at least half of the slots are free");
// The thinnest sample is one key in 4 096.
constexpr uint32_t kThinnest = UINT32_MAX / 4096;

}  // namespace

bool ReuseTracker::Sweep(size_t count, uint32_t now, ReuseModel& model) {
  bool round = false;
  const uint32_t threshold = threshold_.load(std::memory_order_relaxed);
  for (; count > 0 && !round; --count) {
    for (uint64_t& slot : buckets_[next_]) {
      if (slot == 0) continue;
      const uint32_t age = AgeOf(slot, now);
      // Past the horizon; or not followed any more, because the sample became thinner.
      if (age >= ReuseModel::kHorizon || SampleOf(slot >> kTagShift) > threshold) {
        model.Lapsed(ClassOf(slot), age);
        slot = 0;
        --used_;
      } else {
        model.Waiting(ClassOf(slot), age);
      }
    }
    round = ++next_ == buckets_.size();
    if (round) next_ = 0;
  }
  if (!round) return false;
  const size_t slots = buckets_.size() * kSlots;
  if (given_up_early_ > slots / kGivenUpShare && threshold > kThinnest) {
    threshold_.store(threshold / 2, std::memory_order_relaxed);
    settled_ = now;
  } else if (used_ < slots / kSparseShare && threshold < UINT32_MAX && now - settled_ > ReuseModel::kHorizon) {
    threshold_.store(threshold * 2 + 1, std::memory_order_relaxed);
    settled_ = now;
  }
  given_up_early_ = 0;
  return true;
}

void ReuseTracker::Grow(size_t bytes) {
  outgrown_ = ZeroedArray<Bucket>(std::max<size_t>(1, bytes / sizeof(Bucket)));
  std::swap(buckets_, outgrown_);
  next_ = used_ = given_up_early_ = 0;
}

void ReuseTracker::EndOutgrown(size_t count, uint32_t now, ReuseModel& model) {
  const size_t left = outgrown_.size() - std::min(count, outgrown_.size());
  for (size_t i = left; i < outgrown_.size(); ++i) {
    for (const uint64_t slot : outgrown_[i]) {
      if (slot != 0) End(slot, now, /*reused=*/false, model);
    }
  }
  outgrown_.Truncate(left);
}

}  // namespace zerohop
