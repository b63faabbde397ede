// hit.h: what a lookup tells: where a value lies, what is known of its entry, and how a key was evicted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/clock.h"
#include "cache/eviction_records.h"

namespace zerohop {

using Bytes = std::span<const std::byte>;

// Where a value lies; false if there is none.  Valid while the ReadGuard lives under which it was found, or an exposure
// of `segment`.
struct Hit {
  static constexpr uint32_t kNowhere = UINT32_MAX;
  uint32_t segment = kNowhere;
  uint32_t bytes = 0;
  uint64_t at = 0;  // of the value, an arena offset
  uint64_t entry_at = 0;
  uint64_t hash = 0;
  uint64_t expires_us = kNever;  // kNever if it does not
  bool cooling = false;          // the segment is next in line for eviction
  explicit operator bool() const { return segment != kNowhere; }
};

// What is known of an entry beside its value.
struct EntryFacts {
  Hit hit;
  uint64_t age_us;     // to kTickUs
  uint32_t frequency;  // how often it was asked for lately, at least
  float gap;           // before it was last asked for, in capacities, at most; 0 if unknown
  float idle;          // since it was last asked for, in capacities
  float worth;         // reuse rate times cost, by the byte
  float threshold;     // the worth that it would have to exceed if its segment were emptied now
  float cost;
  bool edited;  // made from an older value (SETRANGE, APPEND), as it was stored with
  bool key_is_bytes;
};

// What was known of a key when it was evicted or refused.
struct LastEviction {
  EvictionRecord::Why why;
  uint32_t frequency;
  float gap, idle, worth, threshold;  // as above
};

}  // namespace zerohop
