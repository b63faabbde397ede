// index.h: from the hash of a key to where its entry lies.
//
// 64 shards, each an array of buckets of one cache line:
//
//   bucket        u32 passed | 6 access states | 6 slots
//   passed        slots that lie further on because this bucket was full
//   access state  what the policy knows of the slot's entry (access_state.h)
//   slot          63 ........ 36 | 35 ............. 0
//                 tag (28 bits)  | entry offset / 8 + 1        0 = empty
//
// A slot lies in its home bucket, or in one of the following while that one is full.  The home follows from the tag
// alone (tag x buckets / 2^28), so a shard grows without touching the arena.  The rest of the tag tells neighbours
// apart.  The caller decides about equality: it compares key bytes in the entry.  A shard is at most 4/5 full.
//
// Readers take no lock.  They need none, because a slot never moves: it is written where it was empty, repointed in
// place, and emptied.  `passed` grows before a slot behind the bucket is written.  So a key that is stored all the
// while is found.  A shard grows by a copy; the old array is freed when every reader that may look at it has left
// (epoch.h).
//
// Invariants  a key has one slot at most (writers of a shard take its mutex); `size_` counts the slots in use
// Threads     any.  Readers: under a ReadGuard, which also keeps the entries that `matches` looks at.  Callbacks of the
//             functions that write run under the shard's mutex, and must not call the index.  Only tags, and what a
//             change listener takes, come after it in the lock order.
//             An access state is written beside its slot, not with it: a race may give an entry the access state of
//             another one, for a while.  A shard may have an owner (exclusive.h): then no other `Writer` changes it.
// Cost        find: one cache line of slots, seldom two, and the caller's look at the entry.
// Memory      64 bytes / 6 slots / load, which is 13 to 17 bytes an entry (D10 in docs/DECISIONS.md)
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/constants.h"
#include "base/mutex.h"
#include "base/sanitizers.h"
#include "cache/access_state.h"
#include "cache/epoch.h"

#if defined(__SSE4_1__) && !defined(ZEROHOP_TSAN)
#define ZEROHOP_PROBE_SSE 1
#include <smmintrin.h>
#endif

namespace zerohop {

class ReadGuard;
struct Session;

class Index {
 public:
  static constexpr int kTagBits = 28;
  static constexpr int kOffsetBits = 36;
  // 2^36 steps of 8 bytes: 512 GiB, less the one value that means empty.
  static constexpr uint64_t kArenaBytesMax = ((uint64_t{1} << kOffsetBits) - 1) * kEntryAlignBytes;
  static_assert(kTagBits + kOffsetBits == 64, "a slot is one word");

  static constexpr size_t kShards = 64;      // a choice: far more than threads; 6 bits of the hash
  static constexpr size_t kBucketSlots = 6;  // as many as fit into a cache line, each with its access state

  struct Upserted {
    bool stored = false;                 // false: refused, or no memory to grow; nothing changed
    bool refused = false;                // by `allowed`
    std::optional<uint64_t> replaced{};  // where the old entry of the same key lies
  };

  // Who changes the index.  `session` null: an eviction or upkeep, which does not wait for the owner of a shard.
  struct Writer {
    const Session* session = nullptr;
    bool busy = false;  // set by the index: another session owns the shard, so nothing was done
  };

  explicit Index(EpochDomain& epochs);
  ~Index();
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  // The offset of the entry for which `matches(offset)` holds; none if there is no such entry.  REQUIRES: a ReadGuard.
  template <class Matches>
  std::optional<uint64_t> Find(uint64_t hash, Matches matches) const {
    return Find(hash, matches, [](std::atomic<uint16_t>&) {});
  }
  // `touch(access_state)` may change the access state of what was found.
  template <class Matches, class Touch>
  std::optional<uint64_t> Find(uint64_t hash, Matches matches, Touch touch) const;

  // For batches.  Prefetch fetches the line that Find will look at.  Candidates visits what Find will compare first, as
  // (offset, access state).  Both are valid under the ReadGuard: the access state then is the entry's, or was it.
  void Prefetch(const ReadGuard&, uint64_t hash) const;
  template <class Visit>
  void Candidates(const ReadGuard&, uint64_t hash, Visit visit) const;

  // Points the matching slot at `offset`, or a new slot if none matches.  All of this runs under the lock of the shard:
  //   allowed()        asked first; false: nothing is changed
  //   arrives()        gives a new slot its access state; a slot that matched keeps its own
  //   ready()          just before readers can see the slot
  //   done(replaced)   just after
  template <class Matches, class Arrives, class Allowed, class Ready, class Done>
  Upserted Upsert(Writer& writer, uint64_t hash, uint64_t offset, Matches matches, Arrives arrives, Allowed allowed,
                  Ready ready, Done done);
  template <class Matches>
  Upserted Upsert(uint64_t hash, uint64_t offset, Matches matches, AccessState access_state = {}) {
    Writer upkeep;
    return Upsert(
        upkeep, hash, offset, matches, [access_state] { return access_state; }, [] { return true; }, [] {},
        [](std::optional<uint64_t>) {});
  }

  // Removes the matching slot, and returns where it pointed.  `done(offset)` runs under the lock, once the slot is
  // empty.
  template <class Matches, class Done>
  std::optional<uint64_t> Remove(Writer& writer, uint64_t hash, Matches matches, Done done);
  template <class Matches, class Done>
  std::optional<uint64_t> Remove(uint64_t hash, Matches matches, Done done) {
    Writer upkeep;
    return Remove(upkeep, hash, matches, done);
  }
  template <class Matches>
  std::optional<uint64_t> Remove(uint64_t hash, Matches matches) {
    return Remove(hash, matches, [](uint64_t) {});
  }

  // Runs `act` under the lock of the hash's shard.  Unless: if no slot matches.  While: if a slot points at exactly
  // `offset`.  False: it did not run.
  template <class Matches, class Act>
  bool Unless(uint64_t hash, Matches matches, Act act);
  template <class Act>
  bool While(Writer& writer, uint64_t hash, uint64_t offset, Act act);

  // The access state of the slot that points at exactly `offset`; none if there is no such slot.
  std::optional<AccessState> AccessStateOf(uint64_t hash, uint64_t offset);
  // The same without the lock.
  std::optional<AccessState> SeenAccessStateOf(const ReadGuard&, uint64_t hash, uint64_t offset) const;

  // Visits the entries of the bucket that `random` picks, as (offset, access state), and returns how many there were.
  // Repeated with random numbers, it samples the whole index.
  template <class Visit>
  size_t Sample(const ReadGuard&, uint64_t random, Visit visit) const;
  // Fetches the line that Sample will look at.
  void PrefetchSample(const ReadGuard&, uint64_t random) const { __builtin_prefetch(&SampledBucket(random)); }

  // Repoints the slot from `from` to `to`, if it still points at `from` and `allowed()` is true.  Both `allowed()` and,
  // once the slot has changed, `done()` run under the lock.
  template <class Allowed, class Done>
  bool Repoint(Writer& writer, uint64_t hash, uint64_t from, uint64_t to, Allowed allowed, Done done);
  // `before` runs under the lock, just before the slot changes.
  template <class Before>
  bool Repoint(uint64_t hash, uint64_t from, uint64_t to, Before before) {
    Writer upkeep;
    const auto always = [&] { return before(), true; };
    return Repoint(upkeep, hash, from, to, always, [] {});
  }
  bool Repoint(uint64_t hash, uint64_t from, uint64_t to) {
    return Repoint(hash, from, to, [] {});
  }

  // Once it returns, no writer but `owner` changes anything.  Null: all may write again.  One caller at a time.
  void SetOwner(const Session* owner);
  // Waits until every change that has begun is done.
  void AwaitWriters();

  // Removes every slot for which `condemned(offset)` holds.  Cost: the whole index.
  template <class Condemned>
  size_t Sweep(Condemned condemned) {
    size_t removed = 0;
    for (size_t shard = 0; shard < kShards; ++shard) removed += SweepShard(shard, condemned);
    return removed;
  }
  template <class Condemned>
  size_t SweepShard(size_t shard, Condemned condemned);

  // Visits the offsets whose home is the bucket of `place`, wherever their slots lie, and returns the place to go on
  // from; kScanEnd: there is none.  Places follow the order of tags, so a shard may grow between two calls: each slot
  // that is there all the while is visited once.  Any place is allowed.
  static constexpr uint64_t kScanEnd = uint64_t{kShards} << kTagBits;
  template <class Visit>
  uint64_t VisitFrom(const ReadGuard&, uint64_t place, Visit visit) const;

  // Visits every offset of one shard, under its lock.
  template <class Visit>
  void VisitShard(size_t shard, Visit visit);

  // Frees arrays that were outgrown and that no reader looks at any more.
  void Tidy() EXCLUDES(outgrown_mutex_);

  size_t size() const { return size_.load(std::memory_order_relaxed); }
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct alignas(kCacheLineBytes) Bucket {
    std::atomic<uint32_t> passed{0};
    std::array<std::atomic<uint16_t>, kBucketSlots> access_states{};
    std::array<std::atomic<uint64_t>, kBucketSlots> slots{};

    // The slots of this tag, a bit each, and empty ones if the tag is 0.  A hint: whoever follows it loads the slot
    // again.  All six are compared at once, because the processor cannot foresee a branch for each (D90 in
    // docs/DECISIONS.md).
    uint32_t SlotsOf(uint64_t tag) const;
  };
  static_assert(sizeof(Bucket) == kCacheLineBytes, "one line a bucket");

  // Large tables are mapped, not allocated: an allocator would keep pieces of outgrown ones (D10).
  struct Release {
    bool mapped;
    size_t bytes;
    void operator()(Bucket* buckets) const;
  };
  struct Table {
    size_t count;  // of buckets
    std::unique_ptr<Bucket[], Release> buckets;
    // Of an outgrown table: the epoch since when it is, and the table that was outgrown before it.
    uint64_t epoch = 0;
    std::unique_ptr<Table> next{};
    size_t Home(uint64_t tag) const { return (tag * count) >> kTagBits; }
    size_t Next(size_t at) const { return at + 1 == count ? 0 : at + 1; }
    size_t bytes() const { return count * sizeof(Bucket); }
  };

  // One slot's place.
  struct Place {
    Table* table = nullptr;
    size_t bucket = 0;
    size_t slot = 0;
    explicit operator bool() const { return table != nullptr; }
    std::atomic<uint64_t>& word() const { return table->buckets[bucket].slots[slot]; }
    std::atomic<uint16_t>& access_state() const { return table->buckets[bucket].access_states[slot]; }
  };

  struct alignas(kCacheLineBytes) Shard {
    std::atomic<Table*> table{nullptr};  // owned; replaced under the mutex
    Mutex mutex;
    size_t used GUARDED_BY(mutex) = 0;
    const Session* owner GUARDED_BY(mutex) = nullptr;

    bool Keeps(Writer& writer) const REQUIRES(mutex) {
      return writer.busy = owner != nullptr && writer.session != nullptr && writer.session != owner;
    }
    bool Full() const REQUIRES(mutex) {
      return (used + 1) * 5 > table.load(std::memory_order_relaxed)->count * kBucketSlots * 4;
    }
    template <class Matches>
    Place Locate(uint64_t tag, Matches matches) const REQUIRES(mutex);
    void Erase(const Place& place) REQUIRES(mutex);
  };
  static_assert(sizeof(Shard) <= 2 * kCacheLineBytes, "an owner costs no line of its own");

  // Shard from the bottom bits, tag from the top: with the same bits, a shard would use 1/64 of its buckets.
  static size_t ShardOf(uint64_t hash) { return hash & (kShards - 1); }
  static uint64_t TagOf(uint64_t hash) { return hash >> (64 - kTagBits); }
  static uint64_t Tag(uint64_t slot) { return slot >> (64 - kTagBits); }
  static uint64_t Offset(uint64_t slot) { return ((slot & ((uint64_t{1} << kOffsetBits) - 1)) - 1) * kEntryAlignBytes; }
  static uint64_t Pack(uint64_t tag, uint64_t offset) {
    return (tag << (64 - kTagBits)) | (offset / kEntryAlignBytes + 1);
  }

  static std::unique_ptr<Table> NewTable(size_t count);
  // Writes the slot of a new key where there is room.  REQUIRES: the lock of the table's shard, and an empty slot.
  static void Insert(Table& table, uint64_t slot, uint16_t access_state);
  const Bucket& SampledBucket(uint64_t random) const {
    const Table& table = *shards_[ShardOf(random)].table.load(std::memory_order_acquire);
    return table.buckets[table.Home(TagOf(random))];
  }

  // Replaces the shard's full table by a larger one.  False without memory.  Allocates with the mutex released.
  bool Grow(Shard& shard) noexcept EXCLUDES(shard.mutex, outgrown_mutex_);

  EpochDomain& epochs_;
  std::array<Shard, kShards> shards_;
  std::atomic<size_t> size_{0};
  std::atomic<size_t> bytes_{0};
  Mutex outgrown_mutex_;
  std::unique_ptr<Table> outgrown_ GUARDED_BY(outgrown_mutex_);  // a list
};

inline uint32_t Index::Bucket::SlotsOf(uint64_t tag) const {
#if defined(ZEROHOP_PROBE_SSE)
  // A slot is one aligned word, which these loads do not tear.
  const auto* const words = reinterpret_cast<const __m128i*>(slots.data());
  const __m128i wanted = _mm_set1_epi64x(static_cast<int64_t>(tag));
  const auto pair = [&](size_t at) {
    const __m128i tags = _mm_srli_epi64(_mm_load_si128(words + at), 64 - kTagBits);
    return static_cast<uint32_t>(_mm_movemask_pd(_mm_castsi128_pd(_mm_cmpeq_epi64(tags, wanted))));
  };
  static_assert(kBucketSlots == 6, "three pairs");
  return pair(0) | pair(1) << 2 | pair(2) << 4;
#else
  uint32_t some = 0;
  for (size_t i = 0; i < kBucketSlots; ++i) {
    some |= uint32_t{Tag(slots[i].load(std::memory_order_relaxed)) == tag} << i;
  }
  return some;
#endif
}

// The hit is the usual case, so it is inlined into whoever looks.
template <class Matches, class Touch>
[[gnu::always_inline]] inline std::optional<uint64_t> Index::Find(uint64_t hash, Matches matches, Touch touch) const {
  const Table& table = *shards_[ShardOf(hash)].table.load(std::memory_order_acquire);
  const uint64_t tag = TagOf(hash);
  size_t at = table.Home(tag);
  do {
    Bucket& bucket = table.buckets[at];
    for (uint32_t some = bucket.SlotsOf(tag); some != 0; some &= some - 1) {
      const auto i = static_cast<size_t>(std::countr_zero(some));
      const uint64_t slot = bucket.slots[i].load(std::memory_order_acquire);
      if (slot == 0 || !matches(Offset(slot))) [[unlikely]]
        continue;
      touch(bucket.access_states[i]);
      return Offset(slot);
    }
    if (bucket.passed.load(std::memory_order_acquire) == 0) break;
    at = table.Next(at);
  } while (at != table.Home(tag));
  return std::nullopt;
}

template <class Visit>
size_t Index::Sample(const ReadGuard&, uint64_t random, Visit visit) const {
  const Bucket& bucket = SampledBucket(random);
  size_t seen = 0;
  for (size_t i = 0; i < kBucketSlots; ++i) {
    const uint64_t slot = bucket.slots[i].load(std::memory_order_acquire);
    if (slot == 0) continue;
    visit(Offset(slot), AccessState(bucket.access_states[i].load(std::memory_order_relaxed)));
    ++seen;
  }
  return seen;
}

inline void Index::Prefetch(const ReadGuard&, uint64_t hash) const {
  const Table& table = *shards_[ShardOf(hash)].table.load(std::memory_order_acquire);
  __builtin_prefetch(&table.buckets[table.Home(TagOf(hash))]);
}

template <class Visit>
void Index::Candidates(const ReadGuard&, uint64_t hash, Visit visit) const {
  const Table& table = *shards_[ShardOf(hash)].table.load(std::memory_order_acquire);
  const uint64_t tag = TagOf(hash);
  Bucket& bucket = table.buckets[table.Home(tag)];
  for (uint32_t some = bucket.SlotsOf(tag); some != 0; some &= some - 1) {
    const auto i = static_cast<size_t>(std::countr_zero(some));
    const uint64_t slot = bucket.slots[i].load(std::memory_order_acquire);
    if (slot != 0) visit(Offset(slot), bucket.access_states[i]);
  }
}

template <class Matches>
Index::Place Index::Shard::Locate(uint64_t tag, Matches matches) const {
  Table* const current = table.load(std::memory_order_relaxed);
  size_t at = current->Home(tag);
  for (size_t looked = 0; looked < current->count; ++looked, at = current->Next(at)) {
    const Bucket& bucket = current->buckets[at];
    for (size_t i = 0; i < kBucketSlots; ++i) {
      const uint64_t slot = bucket.slots[i].load(std::memory_order_relaxed);
      if (Tag(slot) == tag && slot != 0 && matches(Offset(slot))) return {current, at, i};
    }
    if (bucket.passed.load(std::memory_order_relaxed) == 0) break;
  }
  return {};
}

template <class Matches, class Arrives, class Allowed, class Ready, class Done>
Index::Upserted Index::Upsert(Writer& writer, uint64_t hash, uint64_t offset, Matches matches, Arrives arrives,
                              Allowed allowed, Ready ready, Done done) {
  Shard& shard = shards_[ShardOf(hash)];
  const uint64_t slot = Pack(TagOf(hash), offset);
  for (;;) {
    {
      MutexLock lock(shard.mutex);
      if (shard.Keeps(writer)) [[unlikely]]
        return {};
      if (!allowed()) return {.refused = true};
      const Place place = shard.Locate(TagOf(hash), matches);
      if (place) {
        // Overwriting a key is not a use of it, so the access state stays.
        const uint64_t old = place.word().load(std::memory_order_relaxed);
        ready();
        place.word().store(slot, std::memory_order_release);
        done(std::optional(Offset(old)));
        return {.stored = true, .replaced = Offset(old)};
      }
      if (!shard.Full()) {
        ready();
        Insert(*shard.table.load(std::memory_order_relaxed), slot, arrives().bits());
        ++shard.used;
        size_.fetch_add(1, std::memory_order_relaxed);
        done(std::nullopt);
        return {.stored = true};
      }
    }
    if (!Grow(shard)) return {};
  }
}

template <class Matches, class Done>
std::optional<uint64_t> Index::Remove(Writer& writer, uint64_t hash, Matches matches, Done done) {
  Shard& shard = shards_[ShardOf(hash)];
  MutexLock lock(shard.mutex);
  if (shard.Keeps(writer)) return std::nullopt;
  const Place place = shard.Locate(TagOf(hash), matches);
  if (!place) return std::nullopt;
  const uint64_t offset = Offset(place.word().load(std::memory_order_relaxed));
  shard.Erase(place);
  size_.fetch_sub(1, std::memory_order_relaxed);
  done(offset);
  return offset;
}

template <class Matches, class Act>
bool Index::Unless(uint64_t hash, Matches matches, Act act) {
  Shard& shard = shards_[ShardOf(hash)];
  MutexLock lock(shard.mutex);
  if (shard.Locate(TagOf(hash), matches)) return false;
  act();
  return true;
}

template <class Act>
bool Index::While(Writer& writer, uint64_t hash, uint64_t offset, Act act) {
  Shard& shard = shards_[ShardOf(hash)];
  MutexLock lock(shard.mutex);
  if (shard.Keeps(writer)) return false;
  if (!shard.Locate(TagOf(hash), [offset](uint64_t each) { return each == offset; })) return false;
  act();
  return true;
}

template <class Allowed, class Done>
bool Index::Repoint(Writer& writer, uint64_t hash, uint64_t from, uint64_t to, Allowed allowed, Done done) {
  Shard& shard = shards_[ShardOf(hash)];
  MutexLock lock(shard.mutex);
  if (shard.Keeps(writer)) return false;
  const Place place = shard.Locate(TagOf(hash), [from](uint64_t each) { return each == from; });
  if (!place || !allowed()) return false;
  place.word().store(Pack(TagOf(hash), to), std::memory_order_release);
  done();
  return true;
}

template <class Condemned>
size_t Index::SweepShard(size_t shard_number, Condemned condemned) {
  Shard& shard = shards_[shard_number];
  size_t removed = 0;
  MutexLock lock(shard.mutex);
  Table* const table = shard.table.load(std::memory_order_relaxed);
  for (size_t at = 0; at < table->count; ++at) {
    for (size_t i = 0; i < kBucketSlots; ++i) {
      const uint64_t slot = table->buckets[at].slots[i].load(std::memory_order_relaxed);
      if (slot == 0 || !condemned(Offset(slot))) continue;
      shard.Erase({table, at, i});
      ++removed;
    }
  }
  size_.fetch_sub(removed, std::memory_order_relaxed);
  return removed;
}

template <class Visit>
uint64_t Index::VisitFrom(const ReadGuard&, uint64_t place, Visit visit) const {
  if (place >= kScanEnd) return kScanEnd;
  const uint64_t shard = place >> kTagBits, from = place & ((uint64_t{1} << kTagBits) - 1);
  const Table& table = *shards_[shard].table.load(std::memory_order_acquire);
  const size_t home = table.Home(from);
  // The first tag whose home is the next bucket; one more than there are, after the last.
  const uint64_t end = (((uint64_t{home} + 1) << kTagBits) + table.count - 1) / table.count;
  size_t at = home;
  for (size_t looked = 0; looked < table.count; ++looked, at = table.Next(at)) {
    Bucket& bucket = table.buckets[at];
    for (std::atomic<uint64_t>& word : bucket.slots) {
      const uint64_t slot = word.load(std::memory_order_acquire);
      if (slot != 0 && Tag(slot) >= from && Tag(slot) < end) visit(Offset(slot));
    }
    if (bucket.passed.load(std::memory_order_acquire) == 0) break;
  }
  return (shard << kTagBits) + end;  // the next shard's first, after the last bucket
}

template <class Visit>
void Index::VisitShard(size_t shard_number, Visit visit) {
  Shard& shard = shards_[shard_number];
  MutexLock lock(shard.mutex);
  const Table& table = *shard.table.load(std::memory_order_relaxed);
  for (size_t at = 0; at < table.count; ++at) {
    const Bucket& bucket = table.buckets[at];
    for (size_t i = 0; i < kBucketSlots; ++i) {
      const uint64_t slot = bucket.slots[i].load(std::memory_order_relaxed);
      if (slot != 0) visit(Offset(slot), AccessState(bucket.access_states[i].load(std::memory_order_relaxed)));
    }
  }
}

}  // namespace zerohop
