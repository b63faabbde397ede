#include "cache/evictor.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/copy.h"
#include "base/reserve.h"
#include "base/sanitizers.h"

namespace zerohop {
namespace {

// How long a writer waits for readers of other threads to leave a retired segment.  A choice: a lookup takes
// microseconds, and only a thread that the system took off its core in the middle of one takes longer.
#if defined(ZEROHOP_SANITIZED)
constexpr auto kReaderPatience = std::chrono::milliseconds(1000);
#else
constexpr auto kReaderPatience = std::chrono::milliseconds(50);
#endif

// Segments kept free between evictions, beyond the one that is asked for: 1/64 of all, a choice.  They take the entries
// that lookups rescue, because a lookup does not evict.
constexpr uint32_t kSlackShare = 64;

// A run is made in rounds: each takes the run, or evicts something towards it.  There is one round for each segment,
// and these besides, because other threads take segments away.
constexpr uint32_t kSpareRounds = 4;

// Entries that maxEntries evicts between two looks for segments without entries.  A choice: a look costs some ns a
// segment.
constexpr uint32_t kTidyEvery = 1024;

bool Exposed(const Segment& segment) { return segment.exposures.load(std::memory_order_acquire) != 0; }

void Add(Session* session, Count which, uint64_t by = 1) {
  if (session != nullptr) session->counters.Add(which, by);
}

}  // namespace

Evictor::Evictor(const Parts& parts)
    : parts_(parts),
      walk_(parts.arena, parts.index, parts.epochs, parts.spaces, parts.appraiser, parts.hash_key),
      victims_({parts.arena, parts.index, parts.epochs, parts.spaces, parts.appraiser, parts.exposure}) {}

void Evictor::AddScope(uint16_t scope, Stream& newcomers) {
  MutexLock lock(mutex_);
  auto survivors = std::make_unique<Stream>(parts_.arena, parts_.seal_clock, scope);
  EnsureRoom(newcomers_, newcomers_.size() + 1);
  EnsureRoom(streams_, streams_.size() + 1);
  newcomers_.push_back(&newcomers);
  streams_.push_back(std::move(survivors));
  parts_.exposure.SetScopes(static_cast<uint32_t>(streams_.size()));
  survivors_[scope].store(streams_.back().get(), std::memory_order_release);
}

// ---- Making room

Evictor::Outcome Evictor::MakeRoom(Session& session, uint32_t spare) {
  MutexLock lock(mutex_);
  walk_.Forget();
  Reclaim();
  const uint32_t wanted = 1 + parts_.arena.segment_count() / kSlackShare;
  if (parts_.arena.Takeable(spare) < wanted && RetireEmpty()) parts_.exposure.Notify();
  if (parts_.arena.Takeable(spare) < wanted) parts_.exposure.StartEvicting();
  while (parts_.arena.Takeable(spare) < wanted) {
    const std::optional<uint32_t> victim = victims_.Select(session, walk_);
    if (!victim) return AwaitTakeable(spare);
    Empty(&session, *victim, /*may_survive=*/true, /*decommit=*/false);
    // If a reader exposed it while it was being emptied, it stays retired until its views go: the next one is emptied.
    if (!AwaitFree(*victim, 1) && !Exposed(parts_.arena.segment(*victim))) return Outcome::kReaders;
  }
  return Outcome::kMadeRoom;
}

Evictor::Outcome Evictor::Shed(Session& session) {
  MutexLock lock(mutex_);
  walk_.Forget();
  Reclaim();
  parts_.exposure.StartEvicting();
  std::optional<uint32_t> victim = victims_.Select(session, walk_);
  if (!victim) {
    // In a cache of few segments, all that is worth emptying may still be open.
    SealOpen();
    victim = victims_.Select(session, walk_);
  }
  if (!victim) return Outcome::kPinned;
  Empty(&session, *victim, /*may_survive=*/true, /*decommit=*/false);
  return Outcome::kMadeRoom;
}

Evictor::Outcome Evictor::MakeRun(Session& session, uint32_t count, uint32_t spare, uint32_t* first) {
  MutexLock lock(mutex_);
  walk_.Forget();
  Reclaim();
  Arena& arena = parts_.arena;
  for (uint32_t round = 0; round < arena.segment_count() + kSpareRounds; ++round) {
    if (const auto run = arena.TakeRun(count, spare)) {
      *first = *run;
      return Outcome::kMadeRoom;
    }
    parts_.exposure.StartEvicting();
    if (round == 0) victims_.Renew(session, walk_);
    std::optional<uint32_t> window = victims_.SelectWindow(count);
    if (!window) {
      // An open segment in the middle of all may leave no window of this length.
      SealOpen();
      window = victims_.SelectWindow(count);
    }
    if (!window) return Outcome::kPinned;
    // The free segments outside the window must be enough for the spare.
    uint32_t free_inside = 0;
    for (uint32_t at = *window; at < *window + count; ++at) {
      free_inside += arena.segment(at).state.load(std::memory_order_acquire) == SegmentState::kFree;
    }
    if (arena.Takeable(0) >= spare + free_inside) {
      EmptyWindow(session, *window, count);
      continue;
    }
    const std::optional<uint32_t> victim = victims_.Select(session, walk_);
    if (!victim) return Outcome::kPinned;
    Empty(&session, *victim, /*may_survive=*/false, /*decommit=*/false);
    if (!AwaitFree(*victim, 1) && !Exposed(arena.segment(*victim))) return Outcome::kReaders;
  }
  return Outcome::kPinned;
}

void Evictor::EmptyWindow(Session& session, uint32_t first, uint32_t count) {
  for (uint32_t at = first; at < first + count;) {
    const Segment& segment = parts_.arena.segment(at);
    if (segment.state.load(std::memory_order_acquire) != SegmentState::kSealed ||
        segment.writers.load(std::memory_order_acquire) != 0) {
      ++at;  // free, or another thread has taken it meanwhile: then its length is not ours to read
      continue;
    }
    const uint32_t run = segment.run_segments;
    Empty(&session, at, /*may_survive=*/false, /*decommit=*/false);
    at += run;
  }
  AwaitFree(first, count);
}

void Evictor::Resample(Session& session) {
  if (!mutex_.TryLock()) return;
  victims_.Resample(session);
  mutex_.Unlock();
}

// ---- Freeing what was emptied

uint32_t Evictor::Reclaim() {
  return parts_.arena.Reclaim(parts_.epochs, [this](uint32_t index) {
    // A set that raced with clear put entries here after the segment was retired.  They are cleared too.
    Segment& segment = parts_.arena.segment(index);
    const size_t swept = SweepByPlace([this, index](uint64_t at) { return parts_.arena.SegmentOf(at) == index; });
    segment.live_entries.fetch_sub(static_cast<uint32_t>(swept), std::memory_order_relaxed);
    segment.retired_epoch = parts_.epochs.Advance();
  });
}

// Waits until none of the segments is retired.  False if that may take long: a view shows one, or a reader does not
// leave.
bool Evictor::AwaitFree(uint32_t first, uint32_t count) {
  const auto deadline = std::chrono::steady_clock::now() + kReaderPatience;
  for (;;) {
    Reclaim();
    bool retired = false;
    for (uint32_t index = first; index < first + count; ++index) {
      const Segment& segment = parts_.arena.segment(index);
      // Not `kFree`: another thread may have taken it since it was freed.
      if (segment.state.load(std::memory_order_acquire) != SegmentState::kRetired) continue;
      if (Exposed(segment)) return false;
      retired = true;
    }
    if (!retired) return true;
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::sched_yield();
  }
}

// When nothing can be evicted: waits for a retired segment, or for a sealed one that is still written to.
Evictor::Outcome Evictor::AwaitTakeable(uint32_t spare) {
  const auto deadline = std::chrono::steady_clock::now() + kReaderPatience;
  for (;;) {
    Reclaim();
    if (parts_.arena.Takeable(spare) > 0) return Outcome::kMadeRoom;
    bool waits = false;
    for (uint32_t index = 0; index < parts_.arena.segment_count(); ++index) {
      const Segment& segment = parts_.arena.segment(index);
      if (Exposed(segment)) continue;
      const SegmentState state = segment.state.load(std::memory_order_acquire);
      const bool sealed = state == SegmentState::kSealed;
      // The thread that wrote to it has finished.  The segment can be a victim now, so the caller tries again.
      if (sealed && segment.writers.load(std::memory_order_acquire) == 0) return Outcome::kMadeRoom;
      waits |= sealed || state == SegmentState::kRetired;
    }
    if (!waits) return Outcome::kPinned;
    if (std::chrono::steady_clock::now() > deadline) return Outcome::kReaders;
    ::sched_yield();
  }
}

void Evictor::Retire(uint32_t index, bool decommit) {
  parts_.arena.segment(index).retired_epoch = parts_.epochs.Advance();
  parts_.arena.Retire(index, decommit);
}

// Retires sealed segments without entries.  True if someone has a buffer over one.
bool Evictor::RetireEmpty() {
  bool exposed = false;
  for (const uint32_t index : victims_.ListSealed()) {
    const Segment& segment = parts_.arena.segment(index);
    if (segment.live_entries.load(std::memory_order_acquire) != 0) continue;
    exposed |= Exposed(segment);
    Retire(index, /*decommit=*/false);
  }
  Reclaim();
  return exposed;
}

void Evictor::SealOpen() {
  for (Stream* const stream : newcomers_) stream->SealOpen();
  for (const auto& stream : streams_) stream->SealOpen();
}

void Evictor::RetireAll() {
  MutexLock lock(mutex_);
  walk_.Forget();
  SealOpen();
  for (const uint32_t index : victims_.ListSealed()) Empty(nullptr, index, /*may_survive=*/false, /*decommit=*/true);
  parts_.exposure.Reset();
  Reclaim();
  parts_.exposure.Notify();
}

void Evictor::Tidy() {
  MutexLock lock(mutex_);
  if (RetireEmpty()) parts_.exposure.Notify();
}

// ---- Emptying a segment

void Evictor::Empty(Session* session, uint32_t index, bool may_survive, bool decommit) {
  Segment& segment = parts_.arena.segment(index);
  if (segment.live_entries.load(std::memory_order_acquire) != 0) {
    const bool whole = walk_.has(index) || walk_.Walk(session, index);
    // A large value does not survive: it would fill segments of other entries.
    EmptyWalked(session, index, may_survive && segment.view_at == 0);
    if (!whole || segment.live_entries.load(std::memory_order_acquire) != 0) {
      // Someone wrote over headers or keys.  The entries that the walk could not find are found by their place.
      const size_t swept = SweepByPlace([this, index](uint64_t at) { return parts_.arena.SegmentOf(at) == index; });
      segment.live_entries.fetch_sub(static_cast<uint32_t>(swept), std::memory_order_relaxed);
      Add(session, Count::kCorrupted, swept);
    }
  }
  walk_.Forget();
  Add(session, Count::kEvictedSegments);
  Retire(index, decommit);
}

void Evictor::EmptyWalked(Session* session, uint32_t index, bool may_survive) {
  const Segment& segment = parts_.arena.segment(index);
  const uint64_t now_us = NowUs();
  const float threshold = parts_.appraiser.threshold();
  // If nothing may survive, no worth is enough.
  const float least = may_survive ? victims_.WorthToStay(walk_) : std::numeric_limits<float>::infinity();
  const std::span<const WalkedEntry> walked = walk_.entries();
  size_t next = 0;  // the entry that will be copied after `i`, as far as can be told now
  for (size_t i = 0; i < walked.size(); ++i) {
    const WalkedEntry& one = walked[i];
    for (next = std::max(next, i + 1); next < walked.size() && walked[next].worth <= least;) ++next;
    const uint64_t next_at = walked[next < walked.size() ? next : i].entry.layout.value_at;
    const bool spared = session != nullptr && session->spared == one.hash && may_survive && one.worth >= 0;
    // The checksum is not compared here.  It moves with the value, and is compared at a hit.
    if ((one.worth > least || spared) &&
        CopyForward(one.entry, one.at, one.hash, segment.scope, /*spare=*/0, next_at)) {
      Add(session, Count::kCopiedForward);
      Add(session, Count::kCopiedForwardBytes, one.entry.layout.end - one.at);
      continue;
    }
    const bool expired = ExpiresUs(parts_.arena.bytes(), one.at, one.entry.header) <= now_us;
    EvictEntry(session, one, expired ? Count::kExpired : Count::kEvictedEntries, may_survive ? least : threshold);
  }
}

// `threshold`: the worth that it had to exceed.  True if someone could have found it.
bool Evictor::EvictEntry(Session* session, const WalkedEntry& one, Count why, float threshold) {
  const EntryHeader& header = one.entry.header;
  bool counted = false;
  const auto removed = parts_.index.Remove(
      one.hash,
      [&](uint64_t each) {
        if (each != one.at) return false;
        // If its keyspace was cleared since, it was counted then.
        counted = parts_.spaces.Alive(header.space);
        if (counted) parts_.spaces.Count(header.space, -1);
        return true;
      },
      [&](uint64_t at) {
        parts_.tags.Drop(TagsOf(parts_.arena.bytes(), at, header), one.hash);
        // While the cache evicts there are no near caches: evicting began under `mutex_`, with a notice.  A value that
        // was read before its eviction may be written back, so its version stays.  An expired one may not.
        const bool expired = why == Count::kExpired;
        if (!parts_.exposure.evicting() || expired) parts_.version_words.KeyChanged(one.hash);
        if (!counted) return;
        const std::span key(parts_.arena.bytes() + one.entry.layout.key_at, header.key_bytes);
        parts_.changes.Tell({expired ? Change::Why::kExpired : Change::Why::kEvicted,
                             parts_.spaces.SpaceOf(header.space), one.hash, key, nullptr});
      });
  if (!removed) return false;
  parts_.arena.segment(parts_.arena.SegmentOf(one.at)).live_entries.fetch_sub(1, std::memory_order_release);
  if (counted && why != Count::kExpired) {
    const uint32_t idle = one.access_state.Age(parts_.policy.now());
    parts_.eviction_records.Note(
        {one.hash, one.worth, threshold, one.access_state, static_cast<uint16_t>(idle), header.space,
         why == Count::kTrimmedEntries ? EvictionRecord::Why::kTrimmed : EvictionRecord::Why::kEvicted});
  }
  if (session == nullptr || !counted) return counted;
  session->Of(parts_.spaces.SpaceOf(header.space)).Add(why);
  session->evicted += why != Count::kExpired;
  return true;
}

template <class Matches>
size_t Evictor::SweepByPlace(Matches matches) {
  return parts_.index.Sweep([&](uint64_t at) {
    if (!matches(at)) return false;
    // The header may be wrong, and then so is its keyspace's count.
    EntryHeader header;
    std::memcpy(&header, parts_.arena.bytes() + at, sizeof(header));
    if (parts_.spaces.Alive(header.space)) parts_.spaces.Count(header.space, -1);
    Untag(at);
    return true;
  });
}

void Evictor::Untag(uint64_t at) const noexcept {
  Entry entry;
  if (!parts_.arena.TryRead(at, &entry)) return;
  const TagIds ids = TagsOf(parts_.arena.bytes(), at, entry.header);
  if (!ids.empty()) parts_.tags.Drop(ids, HashOfEntry(parts_.arena, parts_.spaces, parts_.hash_key, entry));
}

std::optional<uint64_t> Evictor::Rescue(const Entry& entry, uint64_t at, uint64_t hash) {
  const Segment& segment = parts_.arena.segment(parts_.arena.SegmentOf(at));
  if (segment.view_at != 0) return std::nullopt;  // a large value stays where it is
  // One free segment is left for the evictor, which must be able to copy before it frees.
  return CopyForward(entry, at, hash, segment.scope, /*spare=*/1, entry.layout.value_at);
}

// `next_at`: the value that will be copied after this one, which is fetched meanwhile.
std::optional<uint64_t> Evictor::CopyForward(const Entry& entry, uint64_t at, uint64_t hash, uint16_t scope,
                                             uint32_t spare, uint64_t next_at) {
  const EntryHeader& header = entry.header;
  const uint32_t words = header.extension_words();
  // A header that was written over may claim more bytes than a segment has.
  if (EntryBytesMax(words, header.key_bytes, header.value_bytes) > parts_.arena.segment_bytes()) return std::nullopt;
  Stream& stream = *survivors_[scope].load(std::memory_order_acquire);
  const std::optional<Reservation> room = stream.Reserve(words, header.key_bytes, header.value_bytes, spare);
  if (!room) return std::nullopt;
  std::byte* arena = parts_.arena.bytes();
  std::memcpy(arena + room->entry_at, &header, sizeof(EntryHeader));
  if (words != 0) {
    ExpiryWord(arena, room->entry_at).store(ExpiresUs(arena, at, header), std::memory_order_relaxed);
    constexpr size_t kRest = sizeof(EntryHeader) + sizeof(uint64_t);
    std::memcpy(arena + room->entry_at + kRest, arena + at + kRest, size_t{words} * 8 - sizeof(uint64_t));
  }
  std::memcpy(arena + room->layout.key_at, arena + entry.layout.key_at, entry.header.key_bytes);
  CopyFetchingBoth(arena + room->layout.value_at, arena + entry.layout.value_at, header.value_bytes, arena + next_at);
  Segment& to = parts_.arena.segment(room->segment);
  to.live_entries.fetch_add(1, std::memory_order_relaxed);
  // Only a slot that still points at the old place is repointed: a newer value of the key must not be undone.  The copy
  // gets the end that the entry has at that moment: it may have been touched since it was copied.
  const bool moved = parts_.index.Repoint(hash, at, room->entry_at, [&] {
    if (words == 0) return;
    ExpiryWord(arena, room->entry_at).store(ExpiresUs(arena, at, header), std::memory_order_relaxed);
  });
  Segment& loser = moved ? parts_.arena.segment(parts_.arena.SegmentOf(at)) : to;
  loser.live_entries.fetch_sub(1, std::memory_order_release);
  stream.Finish(*room);
  if (!moved) return std::nullopt;
  return room->entry_at;
}

// ---- maxEntries

void Evictor::Trim(Session& session, size_t entries_max, uint64_t newcomer) {
  MutexLock lock(mutex_);
  while (parts_.spaces.Entries() > entries_max) {
    // A sample of a nearly empty index may show nothing.  Then the whole index is looked at.
    if (!TrimOne(session, newcomer, /*everywhere=*/false) && !TrimOne(session, newcomer, /*everywhere=*/true)) return;
    if (++trimmed_ % kTidyEvery == 0 && RetireEmpty()) parts_.exposure.Notify();
  }
}

// Evicts one entry.  False if none was found but `newcomer`.
bool Evictor::TrimOne(Session& session, uint64_t newcomer, bool everywhere) {
  ReadGuard guard(parts_.epochs, session);
  auto choice = victims_.SelectEntry(guard, newcomer, everywhere);
  if (!choice) return false;
  WalkedEntry& least = choice->entry;
  least.hash = HashOfEntry(parts_.arena, parts_.spaces, parts_.hash_key, least.entry);
  const size_t before = parts_.spaces.Entries();
  const Count why = choice->expired ? Count::kExpired : Count::kTrimmedEntries;
  if (EvictEntry(&session, least, why, choice->next)) return true;
  // Gone meanwhile; or someone wrote over the key, and the slot is found by its place.
  const size_t swept = SweepByPlace([&least](uint64_t at) { return at == least.at; });
  parts_.arena.segment(parts_.arena.SegmentOf(least.at))
      .live_entries.fetch_sub(static_cast<uint32_t>(swept), std::memory_order_relaxed);
  Add(&session, Count::kCorrupted, swept);
  return swept > 0 || parts_.spaces.Entries() < before;
}

}  // namespace zerohop
