// spaces.h: the keyspaces of a cache, and what clearing one costs: a new number.
//
// An entry names its keyspace by an *incarnation*: the number that the keyspace had when the entry was written.
// Clearing gives the keyspace another number, so no entry from before is found any more, however many there are.  Such
// entries are *dead*: they leave the index with their segment, or when a pass over the index meets them.
//
//   keyspace (0 … kSpacesMax)   name, scope, codec; what handles refer to
//   incarnation (u16)           what entries refer to; one current one a keyspace
//
// Invariants  a dead number is given out again only after a pass over the whole index that began after its death, and
//             after every reader that may still use it has left.  `births` tells this to a writer that slept meanwhile.
// Threads     any.  Names under `mutex_`; numbers and counts are atomic, and read without it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"

namespace zerohop {

class Spaces {
 public:
  static constexpr size_t kSpacesMax = 1024;        // a choice: one for each kind of value
  static constexpr size_t kIncarnationsMax = 8192;  // a choice: 7 168 clearings fit between two passes over the index
  static_assert(kSpacesMax < kIncarnationsMax && kIncarnationsMax <= UINT16_MAX, "entries have 16 bits for it");

  struct Space {
    std::string name, scope, codec;
    uint16_t scope_id;
    // What else must be the same when it is opened again.  Empty until somebody has told.
    std::string terms{};
  };

  Spaces();

  // The keyspace's number by its name.
  std::optional<uint16_t> Find(const std::string& name) const EXCLUDES(mutex_);
  Space At(uint16_t space) const EXCLUDES(mutex_);
  size_t size() const EXCLUDES(mutex_);
  // Adds a keyspace with an incarnation of its own; none if there are too many.
  std::optional<uint16_t> Add(Space space) EXCLUDES(mutex_);
  void Tell(uint16_t space, const std::string& terms) EXCLUDES(mutex_);

  // The number that entries get now.  A reader asks for it under its ReadGuard.
  uint16_t IncarnationOf(uint16_t space) const { return current_[space].load(std::memory_order_acquire); }
  // For writers, which hold no guard: the number, and what tells whether it still belongs to the keyspace.
  struct Mark {
    uint16_t incarnation;
    uint32_t births;
  };
  Mark MarkOf(uint16_t space) const {
    for (;;) {
      const uint16_t number = IncarnationOf(space);
      const uint32_t births = incarnations_[number].births.load(std::memory_order_acquire);
      // If not, it died in between, and may have been given to another keyspace.
      if (IncarnationOf(space) == number) return {number, births};
    }
  }
  // Another number for each mark.
  uint64_t GenerationOf(uint16_t space) const {
    const Mark mark = MarkOf(space);
    return uint64_t{mark.births} << 16 | mark.incarnation;
  }
  bool Valid(const Mark& mark) const {
    const Incarnation& one = incarnations_[mark.incarnation];
    return one.alive.load(std::memory_order_acquire) && one.births.load(std::memory_order_acquire) == mark.births;
  }
  // The keyspace of an entry's number, dead or alive.  Any value is allowed: it is read from memory that JavaScript can
  // write to.
  uint16_t SpaceOf(uint16_t incarnation) const {
    return incarnation < kIncarnationsMax ? incarnations_[incarnation].space.load(std::memory_order_relaxed)
                                          : uint16_t{0};
  }
  bool Alive(uint16_t incarnation) const {
    return incarnation < kIncarnationsMax && incarnations_[incarnation].alive.load(std::memory_order_acquire);
  }

  // Gives the keyspace a new number.  False if no number is left.  Then a pass over the index and Buried() make some.
  bool Renew(uint16_t space) EXCLUDES(mutex_);

  // Whether there are entries that nobody can find.
  bool any_dead() const { return dead_.load(std::memory_order_relaxed) > 0; }
  // BeginPass: a pass over the index begins.  Buried: it has removed every dead entry, so the numbers that were dead
  // when it began may be given out again.
  uint64_t BeginPass() EXCLUDES(mutex_);
  void Buried(uint64_t pass) EXCLUDES(mutex_);

  // Counts entries of the incarnation in the index.  REQUIRES: the lock of the entry's shard, or a ReadGuard, so that
  // the number is not given out again in between.
  void Count(uint16_t incarnation, int by) {
    if (incarnation < kIncarnationsMax) incarnations_[incarnation].entries.fetch_add(by, std::memory_order_relaxed);
  }
  // Entries of all keyspaces, without dead ones.
  size_t Entries() const {
    size_t entries = 0;
    for (size_t space = 0, spaces = size(); space < spaces; ++space) entries += EntriesOf(static_cast<uint16_t>(space));
    return entries;
  }
  size_t EntriesOf(uint16_t space) const {
    const int64_t entries = incarnations_[IncarnationOf(space)].entries.load(std::memory_order_relaxed);
    return entries > 0 ? static_cast<size_t>(entries) : 0;
  }

 private:
  struct Incarnation {
    std::atomic<int64_t> entries{0};
    std::atomic<uint32_t> births{0};
    std::atomic<uint16_t> space{0};
    std::atomic<bool> alive{false};
  };
  struct Dead {
    uint16_t incarnation;
    uint64_t died;
  };

  std::optional<uint16_t> TakeIncarnation(uint16_t space) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::vector<Space> spaces_ GUARDED_BY(mutex_);
  uint16_t unused_ GUARDED_BY(mutex_) = 0;           // numbers from here on were never given out
  std::vector<uint16_t> buried_ GUARDED_BY(mutex_);  // may be given out again
  std::vector<Dead> waiting_ GUARDED_BY(mutex_);
  uint64_t clock_ GUARDED_BY(mutex_) = 0;
  std::atomic<size_t> dead_{0};
  std::unique_ptr<Incarnation[]> incarnations_;
  std::unique_ptr<std::atomic<uint16_t>[]> current_;
};

}  // namespace zerohop
