// exposure_price.h: when a segment has earned an external buffer, where buffers are dear.
//
// A buffer over a segment makes every later hit in it free of copying.  An external SharedArrayBuffer costs a
// microsecond and comes back at the next collection of the young generation: always worth it.  An external ArrayBuffer
// (Node 20) is counted by V8 as external memory, so that every 64 MiB of them provoke a collection of the whole heap.
// Renting (copying hit by hit) or buying (exposing) is then the ski-rental problem [KMRS88]: buy once the rent paid so
// far reaches the price, and the total is at most twice what someone who knew the future would pay.
//
//   rent   what the copies out of this segment have cost so far
//   price  what one collection costs, divided by the segments that provoke one
//
// Pure functions; all times in nanoseconds of CPU.
//
// [KMRS88] Karlin, Manasse, Rudolph, Sleator, "Competitive snoopy caching", Algorithmica 3, 1988.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace zerohop::binding {

// One copied hit: a second look at the result, a view of another buffer, and the bytes.
constexpr uint32_t CopyRentNs(size_t bytes) { return static_cast<uint32_t>(100 + bytes / 16); }

// Measured on Node 20, 22, 24 and 26 with heaps of 13 MB to 1.6 GB: 4 to 8 ms of CPU, and 1.1 to 1.4 ns a byte.
constexpr uint64_t kGcBaseNs = 4'000'000;
constexpr uint64_t kGcNsPerKiB = 1200;
constexpr size_t kAccountedBytesPerGc = size_t{64} << 20;  // V8's step of external memory between collections

constexpr uint64_t AccountedExposurePriceNs(uint64_t heap_used_bytes, size_t segment_bytes) {
  const uint64_t gc_ns = kGcBaseNs + heap_used_bytes / 1024 * kGcNsPerKiB;
  return gc_ns / std::max<uint64_t>(1, kAccountedBytesPerGc / segment_bytes);
}

}  // namespace zerohop::binding
