// counters.h: counters for each session and keyspace.  They are summed when someone asks.
//
// One thread writes to a Counters, so counting is a relaxed load and store: no locked instruction on the hot path.  Any
// thread may sum them at any time.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace zerohop {

enum class Count : size_t {
  kHits,  // lookups answered, views and copies
  kMisses,
  kCopiedHits,      // of the hits: answered with a copy because the segment was not exposed
  kNearHits,        // of the hits: answered by a thread's near cache
  kSets,            // stored
  kRefusedPinned,   // sets refused: no segment could be freed, because views show all of them
  kRefusedReaders,  // sets refused: a reader in another thread was stopped in the middle of a lookup
  kRefusedMemory,   // sets refused: the system gave no memory for the index
  kRefusedWorth,    // sets refused: worth less than what the cache would have to evict
  kStoredBytes,     // of the sets: what their entries took
  kDeletes,
  kEvictedEntries,  // evicted with their segment
  kTrimmedEntries,  // evicted because there were more than maxEntries
  kExpired,         // found expired, and dropped
  kCopiedForward,   // survivors of emptied segments
  kCopiedForwardBytes,
  kEvictedSegments,
  kCorrupted,  // the checksum did not match: someone wrote through a view
  kExposures,  // external buffers made
  kYoungGcs,   // collections of the young generation brought about
  kForcedGcs,  // collections of the whole heap brought about
  // What models tell (Cache::counters of their keyspace).  Each request has one outcome.  The engine counted a hit or a
  // miss before the model knew better: then the engine's count is corrected by a negative number in kMoved….
  kMovedHits,    // views
  kMovedCopies,  // of the copied hits
  kMovedMisses,
  kStale,        // answered beyond their time to live
  kCoalesced,    // joined a run under way
  kNegative,     // answered with the error of a run that failed a moment ago
  kBypassed,     // asked for without a look into the cache
  kRuns,         // runs of the model
  kRunInputs,    // inputs of those runs
  kRunFailures,  // inputs that failed
  kRunTimeouts,  // runs that took too long
  kVerified,     // hits that were computed again
  kMismatches,   // of those, that differed
  kLast
};
inline constexpr size_t kCountNumber = static_cast<size_t>(Count::kLast);

using CountTotals = std::array<uint64_t, kCountNumber>;

class Counters {
 public:
  // `by` may be a negative number, as two's complement: a correction.
  void Add(Count which, uint64_t by = 1) {  // owner thread only
    std::atomic<uint64_t>& value = values_[static_cast<size_t>(which)];
    value.store(value.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  // JavaScript adds 1 to this number for each hit of its near cache.  It is valid until the session parts.
  void CountNearHitsFrom(double* number) { near_.store(number, std::memory_order_release); }

  void AddTo(CountTotals& totals) const {
    for (size_t i = 0; i < kCountNumber; ++i) totals[i] += values_[i].load(std::memory_order_relaxed);
    double* const near = near_.load(std::memory_order_acquire);
    if (near == nullptr) return;
    const auto hits = static_cast<uint64_t>(std::atomic_ref<double>(*near).load(std::memory_order_relaxed));
    totals[static_cast<size_t>(Count::kHits)] += hits;
    totals[static_cast<size_t>(Count::kNearHits)] += hits;
  }

  // Bytes of the value that was found last.  The next one is likely to have as many.  Owner only.
  uint32_t usual_value_bytes = 0;

 private:
  std::array<std::atomic<uint64_t>, kCountNumber> values_{};
  std::atomic<double*> near_{nullptr};
};

}  // namespace zerohop
