// tags.h: which entries carry a tag, so that all of them can be removed by its name.
//
//   (keyspace incarnation, name) -> id -> hashes of the keys
//
// An entry lists the ids of its tags; a tag lists the hashes of entries that were stored with it.  Nobody tells when an
// entry is replaced, evicted or deleted, nor where it is moved to: whoever uses the list asks the index for an entry of
// that hash that still carries the id.  What is stale is thrown out whenever a list, or all of them together, has
// doubled since it was last looked through.
//
// An id lives as long as its tag has hashes or someone holds it: from before an entry with the id is published until
// the hash is added.  So an id in a live entry never means another tag.
//
// Threads  any; `mutex_` comes before the index's, which `carries` takes.
// Memory   about 160 bytes and twice the name a tag, and 8 a hash, stale ones included (at most as many as live ones,
// or
//          64 a tag, and 64 KiB in all): `bytes()`.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "cache/entry.h"

namespace zerohop {

class Tags {
 public:
  // Whether there is an entry of that hash that carries the id.
  using Carries = std::function<bool(uint16_t incarnation, uint32_t id, uint64_t hash)>;
  explicit Tags(Carries carries) : carries_(std::move(carries)) {}

  // The id of a tag, made if need be; held until Add or Release.  Out of memory nothing is changed.
  uint32_t Hold(uint16_t incarnation, std::string_view name) EXCLUDES(mutex_);
  // An entry with these ids, which the caller holds, is in the index; they are held no longer.  Needs no memory: Hold
  // has seen to it.
  void Add(TagIds ids, uint64_t hash) noexcept EXCLUDES(mutex_);
  void Release(TagIds ids) noexcept EXCLUDES(mutex_);

  // The hashes of entries that may carry the tag, each once, and forgets them.  Unless there are none, the id is held:
  // until Release, when the entries are gone.
  std::vector<uint64_t> Take(uint16_t incarnation, std::string_view name, uint32_t* id) EXCLUDES(mutex_);

  // Forgets everything that has no live entry.
  void Prune() EXCLUDES(mutex_);

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kPruneAbove = 64;                   // hashes of one tag
  static constexpr size_t kPruneAllAbove = size_t{64} << 10;  // bytes of all
  static constexpr size_t kTagBytes = 160;                    // two nodes, roughly

  using Name = std::pair<uint16_t, std::string>;
  struct Tag {
    Name name;
    uint32_t holds = 0;
    size_t prune_at = kPruneAbove;
    std::vector<uint64_t> hashes;
  };

  static size_t BytesOf(const Name& name) { return kTagBytes + 2 * name.second.size(); }
  void PruneAll() REQUIRES(mutex_);
  void PruneTag(uint32_t id, Tag& tag) REQUIRES(mutex_);
  using Known = std::unordered_map<uint32_t, Tag>::iterator;
  Known DropIfUnused(Known known) REQUIRES(mutex_);  // the one after it

  const Carries carries_;
  Mutex mutex_;
  std::map<Name, uint32_t> ids_ GUARDED_BY(mutex_);
  std::unordered_map<uint32_t, Tag> tags_ GUARDED_BY(mutex_);
  uint32_t next_id_ GUARDED_BY(mutex_) = 0;
  size_t prune_all_at_ GUARDED_BY(mutex_) = kPruneAllAbove;
  std::atomic<size_t> bytes_{0};
};

// The tags of one entry, held until it is published, or until this goes.
class HeldTags {
 public:
  explicit HeldTags(Tags& tags) : tags_(tags) {}
  ~HeldTags() {
    if (count_ != 0) tags_.Release(ids());
  }
  HeldTags(const HeldTags&) = delete;
  HeldTags& operator=(const HeldTags&) = delete;

  // REQUIRES: not more than kTagsMax in all.
  void Hold(uint16_t incarnation, std::span<const std::string_view> names) {
    for (const std::string_view name : names) {
      ids_[count_] = tags_.Hold(incarnation, name);
      ++count_;
    }
  }
  void Published(uint64_t hash) noexcept {
    if (count_ != 0) tags_.Add(ids(), hash);
    count_ = 0;
  }
  TagIds ids() const { return {ids_.data(), count_}; }

 private:
  Tags& tags_;
  std::array<uint32_t, kTagsMax> ids_;
  size_t count_ = 0;
};

}  // namespace zerohop
