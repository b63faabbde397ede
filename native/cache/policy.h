// policy.h: which entries are worth keeping when their segment is evicted.
//
// Second chance [Corbato 1968] by segments: they leave in the order in which they were filled; entries that were asked
// for since they were last written or moved are copied forward, the others go.  Copying is what eviction costs, so at
// most kSurvivorShare of a segment survives: the most asked-for entries first.
//
// A pure function of what it is told: no clock, no lock, no memory.  Everything the engine asks about worth, it asks
// here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace zerohop {

class Policy {
 public:
  static constexpr uint32_t kUsesMax = 3;  // uses saturate here (two bits in the index)

  // 1/2: an eviction copies at most as much as it frees.
  static constexpr size_t kSurvivorShareNumerator = 1;
  static constexpr size_t kSurvivorShareDenominator = 2;

  // Bytes of live entries in a segment, by their uses.
  using BytesByUses = std::array<size_t, kUsesMax + 1>;

  // The fewest uses an entry must have to survive, such that the survivors stay within their share: as low as
  // possible, at least 1.  At kUsesMax the share may be exceeded: then `Keep` cuts.
  static uint32_t Threshold(const BytesByUses& bytes, size_t segment_bytes) {
    size_t kept = 0;
    uint32_t threshold = kUsesMax;
    for (uint32_t uses = kUsesMax; uses >= 1; --uses) {
      kept += bytes[uses];
      if (kept > ShareOf(segment_bytes)) break;
      threshold = uses;
    }
    return threshold;
  }

  static bool Keep(uint32_t uses, uint32_t threshold, size_t kept_bytes, size_t entry_bytes, size_t segment_bytes) {
    return uses >= threshold && kept_bytes + entry_bytes <= ShareOf(segment_bytes);
  }

 private:
  static constexpr size_t ShareOf(size_t segment_bytes) {
    return segment_bytes / kSurvivorShareDenominator * kSurvivorShareNumerator;
  }
};

}  // namespace zerohop
