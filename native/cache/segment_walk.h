// segment_walk.h: the live entries of one segment, in the order in which they lie there.
//
// The victim selector looks through them before it decides, and the evictor needs them to empty the segment.  A walk is
// kept until another one begins, so a segment that was chosen by a walk is emptied without a second one.
//
// Threads  one at a time: GUARDED_BY the evictor's mutex.  Takes a ReadGuard of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/hash.h"
#include "cache/access_state.h"
#include "cache/appraiser.h"
#include "cache/arena.h"
#include "cache/entry.h"
#include "cache/epoch.h"
#include "cache/index.h"
#include "cache/session.h"
#include "cache/spaces.h"

namespace zerohop {

struct WalkedEntry {
  Entry entry;
  uint64_t at;
  uint64_t hash;
  float worth;  // below zero: nobody may find the entry any more, because its keyspace was cleared or it has expired
  AccessState access_state;
};

// The hash under which the index knows the entry, as long as nobody wrote over its key.
inline uint64_t HashOfEntry(const Arena& arena, const Spaces& spaces, HashKey key, const Entry& entry) {
  return HashInSpace(key, spaces.SpaceOf(entry.header.space), arena.bytes() + entry.layout.key_at,
                     entry.header.key_bytes);
}

class SegmentWalk {
 public:
  // All outlive it.
  SegmentWalk(const Arena& arena, Index& index, EpochDomain& epochs, const Spaces& spaces, const Appraiser& appraiser,
              HashKey hash_key)
      : arena_(arena), index_(index), epochs_(epochs), spaces_(spaces), appraiser_(appraiser), hash_key_(hash_key) {}

  // Lists the segment's live entries.  False if a header contradicts the segment's length: someone wrote over it.
  // `session`: null where no reader can be in the index.
  bool Walk(Session* session, uint32_t segment);
  // Forgets the walk: the segment may change from now on.
  void Forget() { segment_.reset(); }
  bool has(uint32_t segment) const { return segment_ == segment; }
  std::span<const WalkedEntry> entries() const { return entries_; }

 private:
  const Arena& arena_;
  Index& index_;
  EpochDomain& epochs_;
  const Spaces& spaces_;
  const Appraiser& appraiser_;
  const HashKey hash_key_;
  std::optional<uint32_t> segment_;
  std::vector<WalkedEntry> entries_;
};

}  // namespace zerohop
