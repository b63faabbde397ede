// upkeep.h: slow passes over the index and the tags, which remove what nobody can find any more.
//
//   dead     entries of keyspaces that were cleared.  Once a pass over the whole index has removed them, the numbers of
//            those keyspaces may be given out again (spaces.h).
//   expired  entries that have expired, and that nobody asks for
//   orphans  links of tags that no entry has any more, because JavaScript wrote over the entry that had them
//
// A pass is made a step at a time, one shard of the index in a step, from a timer of each isolate.  It is made at once
// when all numbers of keyspaces are taken.
//
// Threads  any; one step or pass at a time, under `mutex_`.
//          Lock order: mutex_ before index shard, tags, spaces and the session list.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/hash.h"
#include "base/mutex.h"
#include "cache/arena.h"
#include "cache/change_listener.h"
#include "cache/epoch.h"
#include "cache/evictor.h"
#include "cache/index.h"
#include "cache/session.h"
#include "cache/session_list.h"
#include "cache/spaces.h"
#include "cache/tags.h"
#include "cache/version_words.h"

namespace zerohop {

class Upkeep {
 public:
  // What it works on.  All of them outlive it.
  struct Parts {
    Arena& arena;
    Index& index;
    EpochDomain& epochs;
    Spaces& spaces;
    Tags& tags;
    Evictor& evictor;
    SessionList& sessions;
    VersionWords& version_words;
    const ChangeFeed& changes;
    HashKey hash_key;
  };

  explicit Upkeep(const Parts& parts);

  // ExpectExpiry: an entry with an end is stored.  From then on, passes look for expired entries.
  bool expects_expiry() const { return any_expiry_.load(std::memory_order_relaxed); }
  void ExpectExpiry() { any_expiry_.store(true, std::memory_order_relaxed); }

  // One step of a pass.  Does nothing while another thread makes one.
  void Step() EXCLUDES(mutex_);
  // A whole pass over the index.  Waits some microseconds until the readers have left that may still use a dead number.
  void BuryAll() EXCLUDES(mutex_);
  // Removes dead entries from the index at once, but makes no number free.  Afterwards no slot points at a dead entry,
  // unless a set that began before is still under way.
  void DropDead();

  // Whether the entry at `at` has the link.
  bool Carries(uint64_t at, const Tags::Link& link) const;
  // Drops the link, unless an entry has it.
  void DropOrphan(const Tags::Link& link);

 private:
  void SweepShard(size_t shard) REQUIRES(mutex_);
  void DropOrphans() REQUIRES(mutex_);
  void Leave(uint64_t at);

  const Parts parts_;
  std::atomic<bool> any_expiry_{false};

  Mutex mutex_;
  Session session_ GUARDED_BY(mutex_);  // counts what passes find
  size_t next_shard_ GUARDED_BY(mutex_) = 0;
  uint32_t next_link_ GUARDED_BY(mutex_) = 0;
  uint64_t pass_ GUARDED_BY(mutex_) = 0;
};

}  // namespace zerohop
