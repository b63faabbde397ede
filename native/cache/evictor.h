// evictor.h: why was my key evicted?  Because its worth was below the threshold when its segment was emptied.
//
// When no free segment is left, the evictor empties a sealed one.  Entries worth more than the threshold are copied to
// the survivors of their scope.  The others leave the index.  The segment is then retired, and it is free as soon as no
// reader, writer or view refers to it.
//
//   appraiser.h         what an entry is worth
//   victim_selector.h   which segment is emptied, and which segments cool
//   exposure_control.h  how many segments may be shown, so that a victim is always left
//
// An entry that is asked for in a cooling segment moves to the survivors at once (Rescue).
//
// Threads  any.  One eviction at a time, under `mutex_`; Rescue, Untag and the figures do without.
//          Lock order: mutex_ before stream, arena, index shard, tags, eviction records.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/hash.h"
#include "base/mutex.h"
#include "cache/appraiser.h"
#include "cache/arena.h"
#include "cache/change_listener.h"
#include "cache/entry.h"
#include "cache/epoch.h"
#include "cache/eviction_records.h"
#include "cache/exposure_control.h"
#include "cache/index.h"
#include "cache/segment_walk.h"
#include "cache/session.h"
#include "cache/shared_policy.h"
#include "cache/spaces.h"
#include "cache/stream.h"
#include "cache/tags.h"
#include "cache/version_words.h"
#include "cache/victim_selector.h"

namespace zerohop {

class Evictor {
 public:
  // kPinned: buffers show every segment that could be emptied.  kReaders: a thread is stopped in the middle of a
  // lookup.
  enum class Outcome { kMadeRoom, kPinned, kReaders };

  // What it works on.  All of them outlive it.
  struct Parts {
    Arena& arena;
    Index& index;
    EpochDomain& epochs;
    Spaces& spaces;
    Tags& tags;
    VersionWords& version_words;
    const SharedPolicy& policy;
    Appraiser& appraiser;
    ExposureControl& exposure;
    EvictionRecords& eviction_records;
    std::atomic<uint64_t>& seal_clock;
    HashKey hash_key;
    const ChangeFeed& changes;
  };

  explicit Evictor(const Parts& parts);

  static constexpr size_t kScopesMax = 1024;
  // Segments that newcomers leave: survivors are copied before their segment is free.
  static constexpr uint32_t kSpareSegments = 1;
  // Adds a scope.  Its new entries go to `newcomers`, which outlives this.  Scopes come in the order 0, 1, 2 …
  void AddScope(uint16_t scope, Stream& newcomers) EXCLUDES(mutex_);

  // Moves an entry of a cooling segment to the survivors of its scope, and returns its new place.  None: there is no
  // room, or the entry has been replaced meanwhile.  REQUIRES: a ReadGuard of the caller since it found the entry.
  std::optional<uint64_t> Rescue(const Entry& entry, uint64_t at, uint64_t hash);

  // kMadeRoom: a segment could be taken with `spare` left, unless another thread has taken it since.
  Outcome MakeRoom(Session& session, uint32_t spare) EXCLUDES(mutex_);

  // Empties one segment even if there is room, to free what its entries hold elsewhere: links to tags.
  Outcome Shed(Session& session) EXCLUDES(mutex_);

  // Takes `count` neighbouring segments; evicts what lies there if need be.
  Outcome MakeRun(Session& session, uint32_t count, uint32_t spare, uint32_t* first) EXCLUDES(mutex_);

  // Evicts entries until at most `entries_max` can be found.  Each time the entry of least worth in a sample goes.
  // `newcomer` stays.
  void Trim(Session& session, size_t entries_max, uint64_t newcomer) EXCLUDES(mutex_);

  // Retires every segment in use.
  void RetireAll() EXCLUDES(mutex_);

  // Retires segments without entries and frees what nobody sees.
  void Tidy() EXCLUDES(mutex_);

  // The entry at `at` has left the index just now, found by its place.  REQUIRES: the lock of its shard.
  void Untag(uint64_t at) const noexcept;

  // Looks at more of the index, and sets threshold and entry fee anew.  Does nothing while another thread evicts.
  void Resample(Session& session) EXCLUDES(mutex_);

 private:
  // Freeing.
  uint32_t Reclaim() REQUIRES(mutex_);
  bool AwaitFree(uint32_t first, uint32_t count) REQUIRES(mutex_);
  Outcome AwaitTakeable(uint32_t spare) REQUIRES(mutex_);
  bool RetireEmpty() REQUIRES(mutex_);
  void Retire(uint32_t segment, bool decommit) REQUIRES(mutex_);
  // Emptying.  `session`: it counts the evictions; null: nobody does.
  void Empty(Session* session, uint32_t segment, bool may_survive, bool decommit) REQUIRES(mutex_);
  void EmptyWalked(Session* session, uint32_t segment, bool may_survive) REQUIRES(mutex_);
  void EmptyWindow(Session& session, uint32_t first, uint32_t count) REQUIRES(mutex_);
  bool TrimOne(Session& session, uint64_t newcomer, bool everywhere) REQUIRES(mutex_);
  void SealOpen() REQUIRES(mutex_);
  // Entries.
  bool EvictEntry(Session* session, const WalkedEntry& one, Count why, float threshold) REQUIRES(mutex_);
  std::optional<uint64_t> CopyForward(const Entry& entry, uint64_t at, uint64_t hash, uint16_t scope, uint32_t spare,
                                      uint64_t next_at);
  // Removes the entries for which `matches(at)` is true, found by their place in the index; returns how many.
  template <class Matches>
  size_t SweepByPlace(Matches matches);

  const Parts parts_;
  std::unique_ptr<std::atomic<Stream*>[]> survivors_ { new std::atomic<Stream*>[ kScopesMax ]() };  // by scope

  Mutex mutex_;
  std::vector<std::unique_ptr<Stream>> streams_ GUARDED_BY(mutex_);  // owns what survivors_ points at
  std::vector<Stream*> newcomers_ GUARDED_BY(mutex_);
  SegmentWalk walk_ GUARDED_BY(mutex_);
  VictimSelector victims_ GUARDED_BY(mutex_);
  uint32_t trimmed_ GUARDED_BY(mutex_) = 0;  // ever
};

}  // namespace zerohop
