// reuse_tracker.h: follows a sample of the keys, in the cache or not, and reports when they are asked for again.
//
// A table of 8 bytes a key, in buckets of one cache line.  A key is followed if a hash of it lies below a threshold, so
// the same keys are followed while the threshold stays.  The threshold sinks when the table is too small to follow keys
// over the whole horizon, and rises when there is room.  A thin sample over a long time teaches more than a dense one
// over a short time.
//
//   slot   63 ........... 32 | 31 ...... 26 | 25 ... 0
//          tag of the hash   | class        | when it was seen, in ticks        0 = empty
//
// Threads  none of its own: GUARDED_BY its owner's mutex, but `Follows`, which any thread may ask.
// Cost     Seen: one cache line.  Sweep: the table's lines, in turn.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/zeroed_array.h"
#include "cache/access_state.h"
#include "cache/reuse_model.h"

namespace zerohop {

class ReuseTracker {
 public:
  explicit ReuseTracker(size_t bytes) : buckets_(std::max<size_t>(1, bytes / sizeof(Bucket))) {}

  bool Follows(uint64_t hash) const { return SampleOf(TagOf(hash)) <= threshold_.load(std::memory_order_relaxed); }

  // Fetches the line that Seen will change.
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&buckets_[BucketOf(hash)], 1); }

  // A followed key was seen: its interval ends, and the next one begins, with this class.
  void Seen(uint64_t hash, uint32_t entry_class, uint32_t now, ReuseModel& model) {
    Bucket& bucket = buckets_[BucketOf(hash)];
    const uint64_t tag = TagOf(hash);
    uint64_t* place = nullptr;
    for (uint64_t& slot : bucket) {
      if (slot == 0) {
        if (place == nullptr || *place != 0) place = &slot;
        continue;
      }
      if (slot >> kTagShift == tag) {
        End(slot, now, /*reused=*/true, model);
        slot = Pack(tag, entry_class, now);
        return;
      }
      if (place == nullptr || (*place != 0 && AgeOf(slot, now) > AgeOf(*place, now))) place = &slot;
    }
    if (*place != 0) {
      given_up_early_ += AgeOf(*place, now) < ReuseModel::kHorizon;
      End(*place, now, /*reused=*/false, model);
    } else {
      ++used_;
    }
    *place = Pack(tag, entry_class, now);
  }

  // Visits the next `count` buckets: reports the keys that still wait, and drops those that waited too long.  True: all
  // buckets were visited, and the next sweep begins anew.
  bool Sweep(size_t count, uint32_t now, ReuseModel& model);

  // Starts again with more room; may throw, and then nothing has changed.  REQUIRES: !has_outgrown().
  void Grow(size_t bytes);
  // What was followed before ends unanswered, as far as `count` buckets hold it, and their memory is given back.
  bool has_outgrown() const { return !outgrown_.empty(); }
  void EndOutgrown(size_t count, uint32_t now, ReuseModel& model);

  size_t buckets() const { return buckets_.size(); }
  size_t bytes() const { return buckets_.bytes() + outgrown_.bytes(); }

 private:
  static constexpr size_t kSlots = 8;
  using Bucket = std::array<uint64_t, kSlots>;
  static constexpr int kTagShift = 32;
  static constexpr int kTimeBits = kTagShift - static_cast<int>(AccessState::kClassBits);
  static constexpr uint32_t kTimes = 1u << kTimeBits;
  static_assert(ReuseModel::kHorizon < kTimes, "the age of a followed key does not wrap around");

  // From the tag, so that the slot alone tells whether its key is followed.
  static uint32_t SampleOf(uint64_t tag) { return static_cast<uint32_t>(tag) * 0x9e3779b9u; }
  static uint64_t TagOf(uint64_t hash) { return std::max<uint64_t>(1, hash & UINT32_MAX); }
  size_t BucketOf(uint64_t hash) const { return static_cast<size_t>((hash >> 32) * buckets_.size() >> 32); }
  static uint64_t Pack(uint64_t tag, uint32_t entry_class, uint32_t now) {
    return tag << kTagShift | uint64_t{entry_class} << kTimeBits | (now & (kTimes - 1));
  }
  static uint32_t AgeOf(uint64_t slot, uint32_t now) { return (now - static_cast<uint32_t>(slot)) & (kTimes - 1); }
  static uint32_t ClassOf(uint64_t slot) {
    return static_cast<uint32_t>(slot >> kTimeBits) & (AccessState::kClasses - 1);
  }
  static void End(uint64_t slot, uint32_t now, bool reused, ReuseModel& model) {
    const uint32_t age = AgeOf(slot, now);
    if (reused && age < ReuseModel::kHorizon) {
      model.Reused(ClassOf(slot), age);
    } else {
      model.Lapsed(ClassOf(slot), age);
    }
  }

  ZeroedArray<Bucket> buckets_, outgrown_;
  std::atomic<uint32_t> threshold_{UINT32_MAX};
  size_t next_ = 0;            // to be swept
  size_t used_ = 0;            // slots
  size_t given_up_early_ = 0;  // keys that were given up before their time, since the sweep began
  uint32_t settled_ = 0;       // when the threshold was last changed
};

}  // namespace zerohop
