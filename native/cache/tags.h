// tags.h: which entries carry a tag, so that all of them can be removed by its name.
//
//   bucket ──► group of a tag ──► group of another tag      a group is a ring of links: one for each entry that carries
//              │ link ⇄ link ⇄ link                         the tag, with the hash of the entry's key
//
// An entry lists the numbers of its links (entry.h), and keeps them when it is moved.  A link is taken before its entry
// is written, chained just before the index shows the entry, and dropped when the entry leaves the index.  The last two
// happen under the lock of the key's index shard.  So under that lock an entry and its links are there or gone
// together.
//
// A tag is 64 bits of a keyed hash over its name and the incarnation of its keyspace.  Names are not kept.  If two tags
// ever collide, a deletion by one of them also removes the entries of the other, which are then computed again.
//
// There are as many buckets as links in use [Litwin 1980].  Taking a link splits a bucket, and giving one back merges
// two.  The head of bucket i lies in slot i.  So each call does a bounded amount of work, and growth copies nothing.
//
// JavaScript can write to the bytes of an entry.  So a link number that does not belong to the entry's hash is ignored.
// Links whose numbers were overwritten are orphans: the cache's upkeep finds them with `Look` and drops them.
//
// Threads  any; `mutex_` is a leaf lock.
// Memory   32 bytes a link in use, in chunks that are mapped, and unmapped when they are empty: `bytes()`.  The cache
//          pays for a chunk before it is mapped (Growth).  Links are taken from the lowest chunk that has one.
//
// [Litwin 1980] W. Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/mutex.h"
#include "cache/entry.h"

namespace zerohop {

class Tags {
 public:
  // A tag within one incarnation of a keyspace.
  using Tag = uint64_t;
  // A link, as a caller remembers it outside the lock.
  struct Link {
    uint32_t id;
    Tag tag;
    uint64_t hash;  // of the entry's key
  };

  Tags(HashKey key, size_t max_bytes);
  ~Tags();
  Tags(const Tags&) = delete;
  Tags& operator=(const Tags&) = delete;

  Tag TagOf(uint16_t incarnation, std::string_view name) const;

  // Takes a link for each tag of an entry whose key has this hash.  False, and nothing is taken, if there are not
  // enough links.  A Growth brings more.  REQUIRES: ids.size() == tags.size()
  bool Take(std::span<const Tag> tags, uint64_t hash, std::span<uint32_t> ids) noexcept EXCLUDES(mutex_);
  // Chain: the index is about to show the entry that these links were taken for.  Release: it never will.
  void Chain(TagIds ids) noexcept EXCLUDES(mutex_);
  void Release(TagIds ids) noexcept EXCLUDES(mutex_);
  // Drop: the entry with these links and this hash has left the index.  Chain and Drop REQUIRE the hash's shard lock.
  void Drop(TagIds ids, uint64_t hash) noexcept EXCLUDES(mutex_);
  // Drops one link, unless it belongs to another entry by now.
  void Drop(const Link& link) noexcept EXCLUDES(mutex_);
  bool Has(const Link& link) const noexcept EXCLUDES(mutex_);

  // Gives the tags that an entry with these links and this hash carries; returns how many.
  // REQUIRES: tags.size() >= ids.size()
  size_t TagsOfLinks(TagIds ids, uint64_t hash, std::span<Tag> tags) const noexcept EXCLUDES(mutex_);

  // For a deletion by tag.  SetApart sets the tag's links apart, so that entries stored from now on are not among them.
  // Apart gives some of those that have not been dropped yet; 0: there are none left.  One caller at a time.
  void SetApart(Tag tag) noexcept EXCLUDES(mutex_);
  size_t Apart(std::span<Link> links) const noexcept EXCLUDES(mutex_);

  // Gives chained links from `*from` on, and looks at `slots` slots at most.  It advances `*from`, so that repeated
  // calls give every link.
  size_t Look(uint32_t* from, size_t slots, std::span<Link> links) const noexcept EXCLUDES(mutex_);

  // One chunk more.  While this lives, `bytes()` counts the chunk, so it can be paid for before it is mapped.
  class Growth {
   public:
    explicit Growth(Tags& tags) : tags_(tags) {
      tags_.promised_.fetch_add(tags_.chunk_bytes_, std::memory_order_relaxed);
    }
    ~Growth() { tags_.promised_.fetch_sub(tags_.chunk_bytes_, std::memory_order_relaxed); }
    Growth(const Growth&) = delete;
    Growth& operator=(const Growth&) = delete;
    // False without memory.
    bool Map() noexcept { return tags_.MapChunk(); }

   private:
    Tags& tags_;
  };

  size_t bytes() const { return mapped_.load(std::memory_order_relaxed) + promised_.load(std::memory_order_relaxed); }
  size_t slots() const EXCLUDES(mutex_);
  size_t used() const EXCLUDES(mutex_);  // links

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  // Values of `previous` in slots that are in no ring.
  static constexpr uint32_t kFree = UINT32_MAX - 1;
  static constexpr uint32_t kTaken = UINT32_MAX - 2;
  static constexpr uint32_t kSlotsMax = UINT32_MAX - 2;

  struct Slot {
    uint64_t hash;
    Tag tag;
    uint32_t next;      // in the ring, or the next free one of the chunk
    uint32_t previous;  // in the ring
    uint32_t group;     // in the first link of a group: the first link of the next group in the bucket
    uint32_t bucket;    // the first group of the bucket with this slot's number; not the link's own
  };
  static_assert(sizeof(Slot) == 32, "what a link costs");

  struct Chunk {
    Slot* slots = nullptr;  // null: not mapped
    uint32_t used = 0;
    uint32_t fresh = 0;  // slots from here on were never used
    uint32_t free = kNone;
  };

  Slot& At(uint32_t id) REQUIRES(mutex_) { return chunks_[id >> chunk_shift_].slots[id & (chunk_slots_ - 1)]; }
  const Slot& At(uint32_t id) const REQUIRES(mutex_) {
    return chunks_[id >> chunk_shift_].slots[id & (chunk_slots_ - 1)];
  }
  bool Mapped(size_t id) const REQUIRES(mutex_);
  bool Chained(uint32_t id) const REQUIRES(mutex_);  // any number is allowed
  bool Is(const Link& link) const REQUIRES(mutex_);
  uint32_t BucketOf(Tag tag) const REQUIRES(mutex_);
  uint32_t* FindGroup(Tag tag) REQUIRES(mutex_);  // where the number of its first link stands, or the bucket's end
  uint32_t TakeOne() REQUIRES(mutex_);
  void GiveBack(uint32_t id) REQUIRES(mutex_);
  void SplitBucket() REQUIRES(mutex_);
  void MergeBucket() REQUIRES(mutex_);
  void Unchain(uint32_t id) REQUIRES(mutex_);
  void Unmap() REQUIRES(mutex_);
  bool MapChunk() noexcept EXCLUDES(mutex_);

  const HashKey key_;
  const size_t chunk_bytes_;
  const uint32_t chunk_slots_;
  const int chunk_shift_;
  std::atomic<size_t> promised_{0};
  std::atomic<size_t> mapped_{0};

  mutable Mutex mutex_;
  std::vector<Chunk> chunks_ GUARDED_BY(mutex_);
  size_t first_free_ GUARDED_BY(mutex_) = 0;  // no chunk before it has a free slot
  uint32_t capacity_ GUARDED_BY(mutex_) = 0;  // slots that are mapped
  uint32_t used_ GUARDED_BY(mutex_) = 0;      // and so many buckets
  uint32_t apart_ GUARDED_BY(mutex_) = kNone;
};

// The links of one entry that is being stored.  If it does not reach the index, the links are released.
class TakenTags {
 public:
  explicit TakenTags(Tags& tags) : tags_(tags) {}
  ~TakenTags() {
    if (count_ != 0) tags_.Release(ids());
  }
  TakenTags(const TakenTags&) = delete;
  TakenTags& operator=(const TakenTags&) = delete;

  // REQUIRES: not more than kTagsMax, and none were taken.
  bool Take(std::span<const Tags::Tag> tags, uint64_t hash) noexcept {
    if (!tags_.Take(tags, hash, std::span(ids_).first(tags.size()))) return false;
    count_ = tags.size();
    return true;
  }
  void Chain() noexcept {
    if (count_ != 0) tags_.Chain(ids());
    count_ = 0;
  }
  TagIds ids() const { return {ids_.data(), count_}; }

 private:
  Tags& tags_;
  std::array<uint32_t, kTagsMax> ids_;
  size_t count_ = 0;
};

}  // namespace zerohop
