// constants.h: the numbers that more than one room relies on, with unit, reason and the relations between them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zerohop {

inline constexpr size_t kCacheLineBytes = 64;
inline constexpr size_t kPageBytes = 4096;
inline constexpr size_t kHugePageBytes = size_t{2} << 20;  // x86-64 and arm64 (4 KiB granule) transparent huge page

// Keys.  64 KiB is far beyond any fingerprint or id, and lets the entry header keep the length in 16 bits.
inline constexpr size_t kKeyBytesMax = 65535;

// Entries start on 8 bytes; a value of 256 bytes or more starts on a cache line, so that a vector is read with whole
// lines and aligned SIMD loads.  Smaller values would waste up to 63 bytes each for it.
inline constexpr size_t kEntryAlignBytes = 8;
inline constexpr size_t kWideValueBytes = 256;

// Segments: of one huge page each if that makes 64 of them or more; otherwise smaller, but not below 128 KiB, because
// then the work for each segment would no longer be amortised.  Choices.
inline constexpr size_t kSegmentBytesMax = kHugePageBytes;
inline constexpr size_t kSegmentBytesMin = size_t{128} << 10;
inline constexpr size_t kSegmentsWanted = 64;
// 1 MiB: 8 segments of 128 KiB, the fewest that eviction works with.
inline constexpr size_t kMaxBytesMin = size_t{1} << 20;

// A value above 1/8 of a segment gets a run of its own: otherwise up to 1/8 of every segment would stay unused at its
// end.
inline constexpr size_t kLargeShare = 8;

static_assert(kSegmentBytesMin % kPageBytes == 0, "segments are given back to the system by whole pages");
static_assert(kSegmentBytesMin / kLargeShare > kCacheLineBytes, "a segment must hold several wide values");
static_assert(kMaxBytesMin / kSegmentBytesMin >= 8, "open, survivor, spare and victim segments must fit");

constexpr size_t AlignUp(size_t value, size_t alignment) { return (value + alignment - 1) & ~(alignment - 1); }

}  // namespace zerohop
