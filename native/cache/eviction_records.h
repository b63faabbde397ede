// eviction_records.h: why is my key gone?  A record of each entry that was evicted or refused lately.
//
// The table has a fixed number of places.  Keys whose hashes begin alike share a place, and the later record replaces
// the earlier one.  So a small cache remembers its last 64 evictions or so, and a large one its last few thousand.
//
// Threads  any.  mutex_ is a leaf lock.  If it is taken, the record is dropped; nobody waits to write one.
// Memory   24 bytes a place
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "cache/access_state.h"

namespace zerohop {

struct EvictionRecord {
  // kEvicted: with its segment.  kTrimmed: by maxEntries.  kRefused: by admission.  kNone: an empty place.
  enum class Why : uint8_t { kNone, kEvicted, kTrimmed, kRefused };

  uint64_t hash = 0;
  float worth = 0;      // its worth then
  float threshold = 0;  // the worth that it had to exceed
  AccessState access_state;
  uint16_t idle = 0;   // ticks since it was last asked for
  uint16_t space = 0;  // incarnation of its keyspace
  Why why = Why::kNone;
};
static_assert(sizeof(EvictionRecord) == 24, "as said above");

class EvictionRecords {
 public:
  explicit EvictionRecords(size_t arena_bytes)
      : places_(std::bit_floor(std::clamp(arena_bytes / kArenaBytesOfOne, kPlacesMin, kPlacesMax))) {}

  void Note(const EvictionRecord& one) noexcept EXCLUDES(mutex_) {
    if (!mutex_.TryLock()) return;
    places_[PlaceOf(one.hash)] = one;
    mutex_.Unlock();
  }

  std::optional<EvictionRecord> Find(uint64_t hash, uint16_t space) const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const EvictionRecord& one = places_[PlaceOf(hash)];
    if (one.why == EvictionRecord::Why::kNone || one.hash != hash || one.space != space) return std::nullopt;
    return one;
  }

  size_t bytes() const { return size_ * sizeof(EvictionRecord); }

 private:
  // One place for each 16 KiB of arena, within limits (D48 in docs/DECISIONS.md): 1.5 to 96 KiB of memory.
  static constexpr size_t kArenaBytesOfOne = size_t{16} << 10;
  static constexpr size_t kPlacesMin = 64, kPlacesMax = 4096;
  static_assert(kPlacesMin <= kPlacesMax);

  size_t PlaceOf(uint64_t hash) const { return static_cast<size_t>((hash >> 32) * size_ >> 32); }

  mutable Mutex mutex_;
  std::vector<EvictionRecord> places_ GUARDED_BY(mutex_);
  const size_t size_ = places_.size();
};

}  // namespace zerohop
