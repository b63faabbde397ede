// exposure_control.h: which segments may be shown, how many, and when the buffers over them must go.
//
// A segment that a buffer shows cannot be emptied.  So the number of exposed segments is limited, and buffers are
// called back before their segments are needed:
//
//   notice     a number that grows when segments have begun to cool or were retired.  A holder of buffers compares it
//              in every call.  If it has grown, the holder releases its buffers over such segments.
//   pressure   the cache evicts, or as many segments are exposed as the limit allows.  Isolates then hold buffers
//              weakly, and near caches keep nothing, so that unused buffers make room for others.
//   collection_need
//              which collection of garbage would free segments whose buffers were released
//
// Threads  any.  No locks: everything is an atomic.  `announce` takes the session list's lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "cache/arena.h"
#include "cache/buffer_holder.h"
#include "cache/session.h"
#include "cache/version_words.h"

namespace zerohop {

class ExposureControl {
 public:
  // All outlive this.  `announce`: tells every holder of buffers that the notice has grown.
  ExposureControl(Arena& arena, VersionWords& version_words, std::function<void()> announce)
      : arena_(arena), version_words_(version_words), announce_(std::move(announce)) {}

  // Counts an exposure of the segment, unless it cools or the limit is reached.  The guard keeps the segment.
  bool TryExpose(const ReadGuard& guard, uint32_t segment, bool prompt);
  // True: a buffer over it must go.
  bool ShouldRelease(uint32_t segment) const;
  // How many segments may be exposed.  `prompt`: buffers come back at the next collection of the young generation, so
  // nearly all segments may be exposed.  Otherwise finalizers wait for the event loop: while the cache evicts, half of
  // the segments may be exposed, and down to a quarter while collections lag.
  uint32_t Limit(bool prompt) const;
  // Each scope keeps segments of its own open, which the limit leaves out.
  void SetScopes(uint32_t scopes) { scopes_.store(scopes, std::memory_order_relaxed); }

  uint32_t notice() const { return notice_.load(std::memory_order_acquire); }
  void Notify();

  bool evicting() const { return evicting_.load(std::memory_order_relaxed); }
  bool under_pressure() const { return at_limit_.load(std::memory_order_relaxed) || evicting(); }
  void StartEvicting();
  // The cache was cleared: there is room, and no need to collect.
  void Reset();

  CollectionNeed collection_need() const { return collection_need_.load(std::memory_order_relaxed); }
  void CollectionDone() { collection_need_.store(CollectionNeed::kNothing, std::memory_order_relaxed); }
  // A group of segments has begun to cool.  `exposed` of them are shown; `given_up` were shown for their whole time of
  // cooling, so their buffers have grown old; `window` is the size of a group.
  void GroupCools(uint32_t exposed, uint32_t given_up, uint32_t window);

 private:
  void SignalLimit();

  Arena& arena_;
  VersionWords& version_words_;
  const std::function<void()> announce_;
  std::atomic<uint32_t> notice_{0};
  std::atomic<bool> evicting_{false};
  std::atomic<bool> at_limit_{false};
  std::atomic<uint32_t> scopes_{0};
  std::atomic<uint32_t> lag_{0};  // segments of the last group that were exposed when it began to cool
  std::atomic<CollectionNeed> collection_need_{CollectionNeed::kNothing};
};

}  // namespace zerohop
