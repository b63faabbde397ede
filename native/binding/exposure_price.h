// exposure_price.h: when a segment is worth an external ArrayBuffer (D7 in docs/DECISIONS.md).
//
// With a buffer over a segment, later hits in it need no copy.  An external SharedArrayBuffer costs a microsecond and
// comes back at the next collection of the young generation, so it is always worth it.  V8 counts an external
// ArrayBuffer as external memory, so every 64 MiB of them provoke a collection of the whole heap.
//
// Copying hit by hit is renting, and exposing is buying: the ski-rental problem [KMRS88].  Whoever buys once the rent
// paid reaches the price pays at most twice what someone who knew the future would pay.
//
//   rent   what the copies out of this segment have cost so far
//   price  what one collection costs, divided by the number of segments that provoke one
//
// Pure functions.  All times are nanoseconds of CPU.
//
// [KMRS88] Karlin, Manasse, Rudolph, Sleator, "Competitive snoopy caching", Algorithmica 3, 1988.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace zerohop::binding {

// What one copied hit costs: a second look at the result, a view of another buffer, and the bytes.  An estimate.
constexpr uint32_t CopyRentNs(size_t bytes) { return static_cast<uint32_t>(100 + bytes / 16); }

// What a collection of the whole heap costs, measured on Node 20, 22, 24 and 26 with heaps of 13 MB to 1.6 GB: 4 to 8
// ms, and 1.1 to 1.4 ns a byte (D2).
constexpr uint64_t kGcBaseNs = 4'000'000;
constexpr uint64_t kGcNsPerKiB = 1200;
constexpr size_t kAccountedBytesPerGc = size_t{64} << 20;  // V8's step of external memory between collections

constexpr uint64_t AccountedExposurePriceNs(uint64_t heap_used_bytes, size_t segment_bytes) {
  const uint64_t gc_ns = kGcBaseNs + heap_used_bytes / 1024 * kGcNsPerKiB;
  return gc_ns / std::max<uint64_t>(1, kAccountedBytesPerGc / segment_bytes);
}

}  // namespace zerohop::binding
