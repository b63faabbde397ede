// index.h: from the hash of a key to where its entry lies.
//
// 64 shards, each an open-addressed array of 8-byte slots under a mutex of its own:
//
//   slot   63 ........ 38 | 37 .. 36 | 35 ............. 0
//          tag (26 bits)  | uses     | entry offset / 8 + 1      0 = empty
//
// The home of a slot follows from its tag alone (tag x capacity / 2^26), so a shard grows and closes gaps without
// touching the arena.  What is left of the tag tells neighbours apart; equality is decided by the caller, who compares
// key bytes in the entry.  Linear probing, at most 4/5 full, no tombstones.
//
// Invariants  every slot lies in the unbroken run that starts at its home; `size_` counts the slots in use
// Threads     any; a shard's mutex is a leaf lock.  `matches` and `visit` run under it and must not come back here.
// Cost        find: one or two cache lines of slots, plus the caller's look at the entry.  8 / load bytes an entry.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "base/constants.h"
#include "base/mutex.h"

namespace zerohop {

class Index {
 public:
  static constexpr int kTagBits = 26;
  static constexpr int kUsesBits = 2;
  static constexpr int kOffsetBits = 36;
  static constexpr uint32_t kUsesMax = (1u << kUsesBits) - 1;
  // 2^36 steps of 8 bytes: 512 GiB, less the one value that means empty.
  static constexpr uint64_t kArenaBytesMax = ((uint64_t{1} << kOffsetBits) - 1) * kEntryAlignBytes;
  static_assert(kTagBits + kUsesBits + kOffsetBits == 64, "a slot is one word");

  enum class Touch { kNone, kCount };

  struct Upserted {
    bool stored = false;               // false: no memory to grow; nothing changed
    std::optional<uint64_t> replaced;  // where the old entry of the same key lies
  };

  Index();

  // The entry offset for which `matches(offset)` holds, or none.
  template <class Matches>
  std::optional<uint64_t> Find(uint64_t hash, Touch touch, Matches matches);

  // Points the matching slot, or a new one, at `offset`.
  template <class Matches>
  Upserted Upsert(uint64_t hash, uint64_t offset, Matches matches);

  // Removes the matching slot; returns where it pointed.
  template <class Matches>
  std::optional<uint64_t> Remove(uint64_t hash, Matches matches);

  // How often the slot that points at exactly `offset` was used, or none if there is none.
  std::optional<uint32_t> UsesOf(uint64_t hash, uint64_t offset);

  // Repoints the slot only if it still points at `from`; its uses start again at zero.
  bool Repoint(uint64_t hash, uint64_t from, uint64_t to);

  // Removes every slot for which `condemned(offset)` holds.  Cost: the whole index.
  template <class Condemned>
  size_t Sweep(Condemned condemned);

  size_t size() const { return size_.load(std::memory_order_relaxed); }
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = 64;  // far more than threads; 6 bits of the hash
  static constexpr size_t kFirstSlots = 16;
  static constexpr size_t kNone = SIZE_MAX;

  struct alignas(kCacheLineBytes) Shard {
    Mutex mutex;
    std::unique_ptr<uint64_t[]> slots GUARDED_BY(mutex);
    size_t capacity GUARDED_BY(mutex) = 0;
    size_t used GUARDED_BY(mutex) = 0;

    size_t Home(uint64_t slot) const REQUIRES(mutex) { return (Tag(slot) * capacity) >> kTagBits; }
    size_t Next(size_t at) const REQUIRES(mutex) { return at + 1 == capacity ? 0 : at + 1; }
    bool Full() const REQUIRES(mutex) { return (used + 1) * 5 > capacity * 4; }
    void Place(uint64_t slot) REQUIRES(mutex);
    void Erase(size_t at) REQUIRES(mutex);
    void GrowInto(std::unique_ptr<uint64_t[]> slots, size_t capacity) REQUIRES(mutex);
    template <class Matches>
    size_t Locate(uint64_t tag, Matches matches) const REQUIRES(mutex);
  };

  // Shard from the bottom bits, tag from the top: with the same bits, a shard would use 1/64 of its slots.
  static size_t ShardOf(uint64_t hash) { return hash & (kShards - 1); }
  static uint64_t TagOf(uint64_t hash) { return hash >> (64 - kTagBits); }
  static uint64_t Tag(uint64_t slot) { return slot >> (64 - kTagBits); }
  static uint32_t Uses(uint64_t slot) { return static_cast<uint32_t>(slot >> kOffsetBits) & kUsesMax; }
  static uint64_t Offset(uint64_t slot) { return ((slot & ((uint64_t{1} << kOffsetBits) - 1)) - 1) * kEntryAlignBytes; }
  static uint64_t Pack(uint64_t tag, uint64_t offset) {
    return (tag << (64 - kTagBits)) | (offset / kEntryAlignBytes + 1);
  }
  static constexpr uint64_t kOneUse = uint64_t{1} << kOffsetBits;

  // Makes room for one more slot; false without memory.  Allocates with the mutex released.
  bool EnsureRoom(Shard& shard) EXCLUDES(shard.mutex);

  std::array<Shard, kShards> shards_;
  std::atomic<size_t> size_{0};
  std::atomic<size_t> bytes_{0};
};

template <class Matches>
size_t Index::Shard::Locate(uint64_t tag, Matches matches) const {
  for (size_t at = (tag * capacity) >> kTagBits; slots[at] != 0; at = Next(at)) {
    if (Tag(slots[at]) == tag && matches(Offset(slots[at]))) return at;
  }
  return kNone;
}

template <class Matches>
std::optional<uint64_t> Index::Find(uint64_t hash, Touch touch, Matches matches) {
  Shard& shard = shards_[ShardOf(hash)];
  MutexLock lock(shard.mutex);
  const size_t at = shard.Locate(TagOf(hash), matches);
  if (at == kNone) return std::nullopt;
  uint64_t& slot = shard.slots[at];
  if (touch == Touch::kCount && Uses(slot) < kUsesMax) slot += kOneUse;
  return Offset(slot);
}

template <class Matches>
Index::Upserted Index::Upsert(uint64_t hash, uint64_t offset, Matches matches) {
  Shard& shard = shards_[ShardOf(hash)];
  if (!EnsureRoom(shard)) return {};
  MutexLock lock(shard.mutex);
  const uint64_t slot = Pack(TagOf(hash), offset);
  const size_t at = shard.Locate(TagOf(hash), matches);
  if (at != kNone) {
    const uint64_t old = shard.slots[at];
    // Overwriting a key is not a use of it, and its fame stays.
    shard.slots[at] = slot | (old & (uint64_t{kUsesMax} << kOffsetBits));
    return {true, Offset(old)};
  }
  // Two threads may have found room for one slot: probing needs one empty slot to stop at, no more.
  if (shard.used + 2 > shard.capacity) return {};
  shard.Place(slot);
  size_.fetch_add(1, std::memory_order_relaxed);
  return {true, std::nullopt};
}

template <class Matches>
std::optional<uint64_t> Index::Remove(uint64_t hash, Matches matches) {
  Shard& shard = shards_[ShardOf(hash)];
  MutexLock lock(shard.mutex);
  const size_t at = shard.Locate(TagOf(hash), matches);
  if (at == kNone) return std::nullopt;
  const uint64_t offset = Offset(shard.slots[at]);
  shard.Erase(at);
  size_.fetch_sub(1, std::memory_order_relaxed);
  return offset;
}

template <class Condemned>
size_t Index::Sweep(Condemned condemned) {
  size_t removed = 0;
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    // Erasing moves later slots of the run back, possibly into `at`: look at the same place again.
    for (size_t at = 0; at < shard.capacity;) {
      if (shard.slots[at] != 0 && condemned(Offset(shard.slots[at]))) {
        shard.Erase(at);
        ++removed;
      } else {
        ++at;
      }
    }
  }
  size_.fetch_sub(removed, std::memory_order_relaxed);
  return removed;
}

}  // namespace zerohop
