// eviction_records.h: why is my key not here any more?  What was known of the entries that left last.
//
// A table with one place for all keys whose hashes begin alike: the later one takes it.  So of a few thousand entries
// most are remembered; of millions, those that left last.
//
// Threads  any.  Lock order: mutex_ is a leaf lock.  Who finds it taken tells nothing: an answer is lost, no time.
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
  enum class Why : uint8_t { kNone, kEvicted, kTrimmed, kRefused };

  uint64_t hash = 0;
  float worth = 0;      // what the policy thought of it, by the byte
  float threshold = 0;  // what it had to be worth more than
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
  static constexpr size_t kArenaBytesOfOne = size_t{16} << 10;
  static constexpr size_t kPlacesMin = 64, kPlacesMax = 4096;

  size_t PlaceOf(uint64_t hash) const { return static_cast<size_t>((hash >> 32) * size_ >> 32); }

  mutable Mutex mutex_;
  std::vector<EvictionRecord> places_ GUARDED_BY(mutex_);
  const size_t size_ = places_.size();
};

}  // namespace zerohop
