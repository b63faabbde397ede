// segment.h: what the engine knows of one segment, kept apart from the segment's bytes.
//
//      TakeFree            Seal              Retire              free again
//   kFree ────────► kOpen ──────► kSealed ──────► kRetired ──────────────────► kFree
//                                                  when: no index entry, no writer, no exposure, epoch passed
//
// A large value owns a run.  The first segment of a run carries the state of all; the others are kRunTail.
//
// `exposures` counts the external buffers over the segment that JavaScript may still see, in all isolates.  While it is
// not zero, the bytes are neither used again nor unmapped.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/constants.h"

namespace zerohop {

enum class SegmentState : uint8_t { kFree, kOpen, kSealed, kRetired, kRunTail };

struct alignas(kCacheLineBytes) Segment {
  static constexpr uint16_t kNobody = UINT16_MAX;

  // Any thread.
  std::atomic<SegmentState> state{SegmentState::kFree};
  std::atomic<bool> cooling{false};  // next in line for eviction: not to be exposed any more
  std::atomic<bool> tainted{false};  // a buffer over it was detached: someone may own, and write, an alias
  std::atomic<uint32_t> exposures{0};
  std::atomic<uint32_t> writers{0};       // entries that are reserved and not in the index yet
  std::atomic<uint32_t> live_entries{0};  // index slots that point here
  std::atomic<uint32_t> appended{0};      // entries that were reserved here since it was opened
  std::atomic<uint32_t> generation{0};    // counts the times the segment was taken from the free list

  // Written by the thread that opens, seals or retires the segment, before it stores the new state (release).  Read
  // after that state was loaded (acquire).
  uint32_t run_segments{1};
  uint16_t scope{0};
  uint16_t left_by{kNobody};  // the scope whose bytes still lie here, kNobody if they are all zero
  uint64_t used_bytes{0};     // appended bytes; final once sealed
  uint64_t sealed_at{0};      // order of sealing: the smaller, the older
  uint64_t retired_epoch{0};

  // What an external buffer over the segment shows, in bytes from its start: all of it, or just the one large value.
  uint32_t view_at{0};
  uint32_t view_bytes{0};
};
static_assert(sizeof(Segment) == kCacheLineBytes, "one line a segment: 32 bytes a MiB of arena");

}  // namespace zerohop
