// tags.h: which entries carry a tag, so that all of them can be removed by its name.
//
//   (keyspace incarnation, name) -> id -> references (hash, entry offset)
//
// An entry lists the ids of its tags; a tag lists references to entries.  References grow stale when an entry is
// replaced, evicted or deleted: nobody tells.  They are checked against the index when the tag is used, and thrown out
// whenever a list has doubled since they last were.  An entry that moves is added again at its new place.
//
// An id lives as long as its tag has references or someone holds it: from before an entry with the id is published, or
// moved, until the reference is added.  So an id in a live entry never means another tag.
//
// Threads  any; `mutex_` comes before the index's, which the check for stale references takes.
// Memory   about 100 bytes a tag and 16 a reference, stale ones included (at most as many as live ones): `bytes()`.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "cache/entry.h"
#include "cache/index.h"

namespace zerohop {

class Tags {
 public:
  struct Reference {
    uint64_t hash;
    uint64_t entry_at;
  };

  explicit Tags(Index& index) : index_(index) {}

  // The id of a tag, made if need be; held until Add or Release.
  uint32_t Hold(uint16_t incarnation, std::string_view name) EXCLUDES(mutex_);
  // Holds ids read from a live entry.
  void Hold(TagIds ids) EXCLUDES(mutex_);
  // An entry with these ids, which the caller holds, is in the index; they are held no longer.
  void Add(TagIds ids, Reference reference) EXCLUDES(mutex_);
  void Release(TagIds ids) EXCLUDES(mutex_);

  // The entries that may carry the tag, and forgets them.  Whoever asks checks that they still do, with `id`.
  std::vector<Reference> Take(uint16_t incarnation, std::string_view name, uint32_t* id) EXCLUDES(mutex_);

  // Forgets everything that has no live entry.
  void Prune() EXCLUDES(mutex_);

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  // Above this many references a list is looked through when it doubles.
  static constexpr size_t kPruneAbove = 64;
  // Above this many bytes all lists are looked through when they have doubled: tags that nobody carries any more go.
  static constexpr size_t kPruneAllAbove = size_t{64} << 10;
  static constexpr size_t kTagBytes = 160;  // of a tag without references: two nodes and a name, roughly

  using Name = std::pair<uint16_t, std::string>;
  struct Tag {
    Name name;
    uint32_t holds = 0;
    size_t prune_at = kPruneAbove;
    std::vector<Reference> references;
  };

  void PruneAll() REQUIRES(mutex_);
  void PruneTag(Tag& tag) REQUIRES(mutex_);
  void DropIfUnused(uint32_t id) REQUIRES(mutex_);

  Index& index_;
  Mutex mutex_;
  std::map<Name, uint32_t> ids_ GUARDED_BY(mutex_);
  std::unordered_map<uint32_t, Tag> tags_ GUARDED_BY(mutex_);
  uint32_t next_id_ GUARDED_BY(mutex_) = 0;
  std::atomic<size_t> bytes_{0};
  size_t prune_all_at_ GUARDED_BY(mutex_) = kPruneAllAbove;  // bytes
};

}  // namespace zerohop
