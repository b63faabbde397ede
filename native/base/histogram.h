// histogram.h: how often which time was taken: a histogram of fixed memory, like HdrHistogram's.
//
// Values up to 32 have buckets of their own.  Beyond that, each doubling is split into 32 buckets of equal width.  So a
// bucket is at most 1/32 as wide as its values are large, and a quantile is told no more than 3.2 % too high.
//
//   bucket       (0, 1]  (1, 2]  …  (31, 32]  (32, 33]  …  (63, 64]  (64, 66]  …  (2^41 - 2^36, 2^41]
//
// Buckets include their upper end.  A power of two is such an end, so CountUpTo is exact for powers of two.
//
// Threads  any.  Record is wait-free: two relaxed additions.  Who reads meanwhile may miss the latest values.
// Limits   values above kLargest count as kLargest; 9.5 KiB
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace zerohop {

// Which bucket a value belongs to, and where that bucket ends.
struct HistogramBuckets {
  static constexpr unsigned kSplitBits = 5;
  static constexpr uint64_t kSplit = uint64_t{1} << kSplitBits;

  static constexpr size_t Of(uint64_t value) {
    const uint64_t below = value == 0 ? 0 : value - 1;  // so that a bucket includes its upper end
    if (below < kSplit) return static_cast<size_t>(below);
    const auto shift = static_cast<unsigned>(std::bit_width(below)) - kSplitBits - 1;
    return static_cast<size_t>(shift * kSplit + (below >> shift));
  }
  static constexpr uint64_t EndOf(size_t bucket) {
    if (bucket < 2 * kSplit) return bucket + 1;
    const uint64_t shift = bucket / kSplit - 1;
    return (bucket % kSplit + kSplit + 1) << shift;
  }
};

class Histogram {
 public:
  static constexpr uint64_t kLargest = uint64_t{1} << 41;  // in ns: 36 minutes

  // `weight`: how many values this one stands for.
  void Record(uint64_t value, uint64_t weight = 1) {
    value = std::min(value, kLargest);
    buckets_[HistogramBuckets::Of(value)].fetch_add(weight, std::memory_order_relaxed);
    sum_.fetch_add(value * weight, std::memory_order_relaxed);
  }

  void Add(const Histogram& other) {
    for (size_t i = 0; i < kBuckets; ++i) {
      const uint64_t count = other.buckets_[i].load(std::memory_order_relaxed);
      if (count != 0) buckets_[i].fetch_add(count, std::memory_order_relaxed);
    }
    sum_.fetch_add(other.sum(), std::memory_order_relaxed);
  }

  static constexpr size_t kBuckets = HistogramBuckets::Of(kLargest) + 1;
  static_assert(HistogramBuckets::EndOf(kBuckets - 1) == kLargest);

  // Adds the count of each bucket to one of kBuckets numbers.
  void AddTo(double* counts) const {
    for (size_t i = 0; i < kBuckets; ++i) counts[i] += static_cast<double>(buckets_[i].load(std::memory_order_relaxed));
  }

  uint64_t count() const { return CountUpTo(kLargest); }
  uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }

  // How many values were `limit` or less, for a power of two; for another limit, the rest of its bucket counts too.
  uint64_t CountUpTo(uint64_t limit) const {
    uint64_t count = 0;
    const size_t last = HistogramBuckets::Of(std::min(limit, kLargest));
    for (size_t i = 0; i <= last; ++i) count += buckets_[i].load(std::memory_order_relaxed);
    return count;
  }

  // A value that this share of the values does not exceed, 0 to 1: the upper end of its bucket.  0: there is none.
  uint64_t Quantile(double share) const {
    const auto all = static_cast<double>(count());
    if (all == 0) return 0;
    double left = std::max(1.0, share * all);
    for (size_t i = 0; i < kBuckets; ++i) {
      left -= static_cast<double>(buckets_[i].load(std::memory_order_relaxed));
      if (left <= 0) return HistogramBuckets::EndOf(i);
    }
    return kLargest;
  }

 private:
  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> sum_{0};
};

}  // namespace zerohop
