// arena.h: the memory of a cache, in segments: which are free, which are shown, and when one may be written again.
//
// An Arena is one mapping cut into equal segments.  It hands out free ones, takes retired ones back when nobody can see
// them, and counts exposures.  It knows nothing of keys.
//
// Lifetime  counted: the Cache holds one reference, and every exposure holds one.  So views outlive the cache.  Whoever
//           drops the last reference unmaps the memory, on any thread.
// Threads   any, unless said otherwise.  `mutex_` comes after the stream's lock; Reclaim's `purge` takes index shards
//           under it.  Unexpose takes no lock, because it may run inside a garbage collection.
// Invariant no index slot points into a retired or free segment.  The Cache sees to that.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "base/os_memory.h"
#include "base/status.h"
#include "cache/entry.h"
#include "cache/epoch.h"
#include "cache/segment.h"

namespace zerohop {

class Arena {
 public:
  // `bytes` is rounded down to whole segments.  REQUIRES: segment_bytes is a power of two.  The result holds one
  // reference.
  static Result<Arena*> Create(size_t bytes, size_t segment_bytes, MappingKind kind);

  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unref();

  size_t segment_bytes() const { return segment_bytes_; }
  uint32_t segment_count() const { return static_cast<uint32_t>(segments_.size()); }
  Segment& segment(uint32_t index) { return segments_[index]; }
  const Segment& segment(uint32_t index) const { return segments_[index]; }
  uint64_t StartOf(uint32_t index) const { return uint64_t{index} << segment_shift_; }
  uint32_t SegmentOf(uint64_t offset) const { return static_cast<uint32_t>(offset >> segment_shift_); }

  std::byte* bytes() const { return mapping_.writable(); }
  // Reads the entry at `at`, a place that the index gave.  False: JavaScript wrote over it, and it is no entry any
  // more.
  bool TryRead(uint64_t at, Entry* entry) const { return TryReadEntry(bytes(), at, EndOf(SegmentOf(at)), entry); }
  // Where the segment or run ends.
  uint64_t EndOf(uint32_t index) const { return (uint64_t{index} + segments_[index].run_segments) << segment_shift_; }
  // The bytes as JavaScript sees them.  With `verify: 'trap'` they lie at another address and are write-protected.
  std::byte* exposed_bytes() const { return mapping_.readable(); }

  // Takes a free segment, which is kOpen from now on; none if there is none.  `spare` segments are left: eviction needs
  // one to copy survivors into.
  std::optional<uint32_t> TakeFree(uint32_t spare) EXCLUDES(mutex_);

  // Takes `count` neighbouring free segments, and returns the first, as above.
  std::optional<uint32_t> TakeRun(uint32_t count, uint32_t spare) EXCLUDES(mutex_);

  // How many segments TakeFree would give now.
  uint32_t Takeable(uint32_t spare) EXCLUDES(mutex_);

  // Gives a segment or run that was just taken to the scope.  What another scope left in it is erased, because a view's
  // `.buffer` shows all of it (D16).
  void Own(uint32_t index, uint16_t scope);

  // Retires a segment or run.  It is free when `Reclaim` finds that nobody can see it.  `decommit`: its pages are then
  // given back to the system.  REQUIRES: no index slot points into it, and `segment.retired_epoch` is set.
  void Retire(uint32_t index, bool decommit) EXCLUDES(mutex_);

  // Frees the retired segments that nobody can see, and returns how many.  A set that raced with `clear` may have added
  // entries to a retired segment.  Such a segment is passed to `purge(index)`, under the lock, and stays retired for
  // another epoch.  One caller at a time (the evictor's lock).
  template <class Purge>
  uint32_t Reclaim(EpochDomain& epochs, Purge purge) EXCLUDES(mutex_);

  // Counts an exposure of the segment, and a reference to the arena.  False, and nothing is counted, if this would be
  // the segment's first exposure and more than `limit` segments would then be exposed.  REQUIRES: a ReadGuard, which
  // keeps the segment from being reclaimed.
  bool TryExpose(uint32_t index, uint32_t limit);
  void Unexpose(uint32_t index);

  // Keeps `count` segments from being taken, and as many out of memory.  So index, tags and policy are paid from the
  // same budget.
  void Withhold(uint32_t count) EXCLUDES(mutex_);

  uint32_t usable_segments() const {
    const uint32_t withheld = withheld_.load(std::memory_order_relaxed);
    return segment_count() > withheld ? segment_count() - withheld : 0;
  }

  // Gives the pages of all free segments back to the system, and returns of how many.
  uint32_t DecommitFree() EXCLUDES(mutex_);
  // The same for as many as were free and in memory all the time since the last call.  The others were needed, and will
  // be again: to give them back would cost a page fault each time.
  uint32_t DecommitUnneeded() EXCLUDES(mutex_);

  // From now on a segment's pages are given back as soon as its last exposure goes.
  void Close() EXCLUDES(mutex_);

  uint32_t free_segments() EXCLUDES(mutex_);
  uint32_t retired_segments() EXCLUDES(mutex_);
  uint32_t committed_segments() EXCLUDES(mutex_);  // those whose pages may be in memory
  uint32_t exposed_segments() const { return exposed_.load(std::memory_order_relaxed); }
  // How often a segment's last exposure has gone, ever.  The number grows when pinned memory comes back.
  uint32_t unexposed_segments() const { return unexposed_.load(std::memory_order_acquire); }
  size_t ResidentBytes() const { return mapping_.ResidentBytes(); }

 private:
  Arena(Mapping mapping, size_t segment_bytes, uint32_t count);
  ~Arena() = default;

  static bool Unseen(const Segment& segment, uint64_t oldest_reader);
  uint32_t TakeableLocked(uint32_t spare) const REQUIRES(mutex_);
  std::optional<uint32_t> FindRun(uint32_t count) const REQUIRES(mutex_);
  void Open(uint32_t index, uint32_t run) REQUIRES(mutex_);
  void Free(uint32_t index, bool decommit) REQUIRES(mutex_);
  void Trim() REQUIRES(mutex_);
  // Gives back the pages of at most `count` free segments, the coldest first, and returns of how many.
  uint32_t DecommitColdest(size_t count) REQUIRES(mutex_);

  struct Retired {
    uint32_t index;
    bool decommit;
  };

  Mapping mapping_;
  const size_t segment_bytes_;
  const int segment_shift_;  // log2 of it
  std::vector<Segment> segments_;
  std::atomic<uint32_t> references_{1};
  std::atomic<uint32_t> exposed_{0};  // segments with exposures > 0, runs counted by their length
  std::atomic<uint32_t> unexposed_{0};
  std::atomic<uint32_t> withheld_{0};
  std::atomic<bool> closed_{false};

  Mutex mutex_;
  std::vector<uint32_t> free_ GUARDED_BY(mutex_);    // a stack: the segment freed last is the warmest
  std::vector<bool> committed_ GUARDED_BY(mutex_);   // pages may be in memory
  uint32_t committed_count_ GUARDED_BY(mutex_) = 0;  // at most usable_segments(), once evictions have caught up
  uint32_t warm_ GUARDED_BY(mutex_) = 0;             // free segments whose pages may be in memory
  uint32_t warm_least_ GUARDED_BY(mutex_) = 0;       // the fewest of them since DecommitUnneeded
  std::vector<Retired> retired_ GUARDED_BY(mutex_);
};

template <class Purge>
uint32_t Arena::Reclaim(EpochDomain& epochs, Purge purge) {
  size_t waiting;
  {
    MutexLock lock(mutex_);
    waiting = retired_.size();
  }
  if (waiting == 0) return 0;
  // The readers first: once those have left that were there when a segment was retired, nobody can expose it any more.
  // Segments that are retired meanwhile lie behind `waiting`, and are left for another time.
  const uint64_t oldest_reader = epochs.OldestReader();
  uint32_t freed = 0;
  MutexLock lock(mutex_);
  const auto seen = retired_.begin() + static_cast<std::ptrdiff_t>(waiting);
  const auto stay = std::remove_if(retired_.begin(), seen, [&](const Retired& one) REQUIRES(mutex_) {
    const Segment& segment = segments_[one.index];
    const bool written = segment.writers.load(std::memory_order_acquire) != 0;
    if (!written && segment.live_entries.load(std::memory_order_acquire) != 0) purge(one.index);
    if (!Unseen(segment, oldest_reader)) return false;
    freed += segment.run_segments;
    Free(one.index, one.decommit);
    return true;
  });
  retired_.erase(stay, seen);
  return freed;
}

}  // namespace zerohop
