#include "cache/evictor.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <utility>

#include "base/copy.h"
#include "base/reserve.h"

namespace zerohop {
namespace {

// How long a writer waits for readers of other threads to leave a retired segment.  A lookup takes microseconds; only
// a thread that the system took off its core in the middle of one lasts longer.
constexpr auto kReaderPatience = std::chrono::milliseconds(50);

// Segments that are never exposed while nothing is evicted: enough for streams, survivors and a few victims, however
// long someone keeps views of all the others.
constexpr uint32_t kReserveShare = 8;
// Of fewer segments each one counts, and the index is small.
constexpr uint32_t kSegmentsOfSmall = 12;

// Segments kept free between evictions, beyond the one that is asked for: room for entries that are rescued by reads,
// which do not evict.
constexpr uint32_t kSlackShare = 64;

// While a segment is walked, the header of the entry so many further on is asked for.
constexpr uint64_t kWalkAhead = 4;

uint32_t Reserve(uint32_t segments, uint32_t scopes) {
  // Open segments of newcomers and survivors, the spare one, and a victim; each scope beyond the first has two open
  // ones.  And one that the index may take for itself, growing after exposures were granted, if there are enough.
  const uint32_t least = segments < kSegmentsOfSmall ? 4 : 5;
  return std::max(least, segments / kReserveShare) + (scopes > 1 ? 2 * (scopes - 1) : 0);
}

}  // namespace

void Evictor::AddScope(uint16_t scope, Stream& newcomers) {
  MutexLock lock(mutex_);
  auto survivors = std::make_unique<Stream>(parts_.arena, parts_.seal_clock, scope);
  EnsureRoom(newcomers_, newcomers_.size() + 1);
  EnsureRoom(streams_, streams_.size() + 1);
  sealed_.reserve(parts_.arena.segment_count());
  newcomers_.push_back(&newcomers);
  streams_.push_back(std::move(survivors));
  scopes_.store(static_cast<uint32_t>(streams_.size()), std::memory_order_relaxed);
  survivors_[scope].store(streams_.back().get(), std::memory_order_release);
}

uint32_t Evictor::Limit(bool prompt) const {
  const uint32_t segments = parts_.arena.usable_segments();
  const uint32_t reserve = Reserve(segments, scopes_.load(std::memory_order_relaxed));
  if (segments <= reserve) return 0;
  if (prompt || !evicting()) return segments - reserve;
  const uint32_t lag = lag_.load(std::memory_order_relaxed);
  const uint32_t half = segments / 2;
  return std::min(segments - reserve, std::max(segments / 4, half - std::min(half, lag / 2)));
}

uint32_t Evictor::Reclaim() {
  return parts_.arena.Reclaim(parts_.epochs, [this](uint32_t index) {
    // A set that raced with clear put entries here after the segment was retired: they are cleared too.
    parts_.index.Sweep([this, index](uint64_t at) {
      if (parts_.arena.SegmentOf(at) != index) return false;
      Uncount(at);
      Untag(at);
      parts_.arena.segment(index).live_entries.fetch_sub(1, std::memory_order_relaxed);
      return true;
    });
    parts_.arena.segment(index).retired_epoch = parts_.epochs.Advance();
  });
}

// Waits until none of the segments is retired.  False if that may take long: a view shows one, or a reader stands
// still.
bool Evictor::AwaitFree(uint32_t first, uint32_t count) {
  const auto deadline = std::chrono::steady_clock::now() + kReaderPatience;
  for (;;) {
    Reclaim();
    bool retired = false;
    for (uint32_t index = first; index < first + count; ++index) {
      const Segment& segment = parts_.arena.segment(index);
      // Not `kFree`: another thread may have taken it since it was freed.
      if (segment.state.load(std::memory_order_acquire) != SegmentState::kRetired) continue;
      if (segment.exposures.load(std::memory_order_acquire) != 0) return false;
      retired = true;
    }
    if (!retired) return true;
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::sched_yield();
  }
}

// When nothing can be evicted: room for one segment, now or as soon as those have left that retired segments wait for,
// or that write to one that was sealed meanwhile.
Evictor::Outcome Evictor::AwaitTakeable(uint32_t spare) {
  const auto deadline = std::chrono::steady_clock::now() + kReaderPatience;
  for (;;) {
    Reclaim();
    if (parts_.arena.Takeable(spare) > 0) return Outcome::kMadeRoom;
    bool waits = false;
    for (uint32_t index = 0; index < parts_.arena.segment_count(); ++index) {
      const Segment& segment = parts_.arena.segment(index);
      if (segment.exposures.load(std::memory_order_acquire) != 0) continue;
      const SegmentState state = segment.state.load(std::memory_order_acquire);
      const bool sealed = state == SegmentState::kSealed;
      // A thread that was in the middle of writing to it is through: it is a victim now, and the caller comes again.
      if (sealed && segment.writers.load(std::memory_order_acquire) == 0) return Outcome::kMadeRoom;
      waits |= sealed || state == SegmentState::kRetired;
    }
    if (!waits) return Outcome::kPinned;
    if (std::chrono::steady_clock::now() > deadline) return Outcome::kReaders;
    ::sched_yield();
  }
}

void Evictor::StartEvicting() {
  if (evicting_.exchange(true, std::memory_order_relaxed)) return;
  parts_.version_words.AllChanged();
  Notify();  // buffers are held less strongly from now on
}

void Evictor::SignalPressure() {
  if (exposure_pressure_.load(std::memory_order_relaxed) ||
      exposure_pressure_.exchange(true, std::memory_order_relaxed))
    return;
  parts_.version_words.AllChanged();
  // Buffers that were held until now are old.
  collection_need_.store(CollectionNeed::kWhole, std::memory_order_relaxed);
  Notify();
}

void Evictor::Notify() {
  notice_.fetch_add(1, std::memory_order_release);
  parts_.announce();
}

Evictor::Outcome Evictor::MakeRoom(Session& session, uint32_t spare) {
  MutexLock lock(mutex_);
  walked_segment_.reset();
  Reclaim();
  const uint32_t wanted = 1 + parts_.arena.segment_count() / kSlackShare;
  if (parts_.arena.Takeable(spare) < wanted && RetireEmpty(/*decommit=*/false)) Notify();
  if (parts_.arena.Takeable(spare) < wanted) StartEvicting();
  while (parts_.arena.Takeable(spare) < wanted) {
    const std::optional<uint32_t> victim = Victim(session);
    if (!victim) return AwaitTakeable(spare);
    const Segment& segment = parts_.arena.segment(*victim);
    Evict(&session, *victim, /*may_survive=*/true, /*decommit=*/false);
    // If a reader exposed it while it was being emptied, it stays retired until its views go: take the next one.
    if (!AwaitFree(*victim, 1) && segment.exposures.load(std::memory_order_acquire) == 0) return Outcome::kReaders;
  }
  return Outcome::kMadeRoom;
}

Evictor::Outcome Evictor::Shed(Session& session) {
  MutexLock lock(mutex_);
  walked_segment_.reset();
  Reclaim();
  StartEvicting();
  std::optional<uint32_t> victim = Victim(session);
  if (!victim) {
    // A few segments, and all that is worth emptying is still open.
    SealOpen();
    victim = Victim(session);
  }
  if (!victim) return Outcome::kPinned;
  Evict(&session, *victim, /*may_survive=*/true, /*decommit=*/false);
  return Outcome::kMadeRoom;
}

// An entry leaves the index by its place: its header may be wrong, and then so is its keyspace's count.
void Evictor::Uncount(uint64_t at) const {
  EntryHeader header;
  std::memcpy(&header, parts_.arena.bytes() + at, sizeof(header));
  if (!Dead(header)) parts_.spaces.Count(header.space, -1);
}

void Evictor::Untag(uint64_t at) const noexcept {
  Entry entry;
  if (!parts_.arena.TryRead(at, &entry)) return;
  const TagIds ids = TagsOf(parts_.arena.bytes(), at, entry.header);
  if (!ids.empty()) parts_.tags.Drop(ids, HashOf(entry));
}

uint64_t Evictor::HashOf(const Entry& entry) const {
  return HashInSpace(parts_.hash_key, parts_.spaces.SpaceOf(entry.header.space),
                     parts_.arena.bytes() + entry.layout.key_at, entry.header.key_bytes);
}

void Evictor::Evict(Session* session, uint32_t index, bool may_survive, bool decommit) {
  Segment& segment = parts_.arena.segment(index);
  if (segment.live_entries.load(std::memory_order_acquire) != 0) {
    const bool whole = walked_segment_ == index || Walk(session, index);
    // A large value goes all the same: it would survive into segments of others.
    EvictWalked(session, index, may_survive && segment.view_at == 0);
    if (!whole || segment.live_entries.load(std::memory_order_acquire) != 0) {
      // Someone wrote over headers or keys: what the walk could not find is found by its place.
      const size_t swept = parts_.index.Sweep([this, index](uint64_t at) {
        if (parts_.arena.SegmentOf(at) != index) return false;
        Uncount(at);
        Untag(at);
        return true;
      });
      segment.live_entries.fetch_sub(static_cast<uint32_t>(swept), std::memory_order_relaxed);
      Add(session, Count::kCorrupted, swept);
    }
  }
  walked_segment_.reset();
  Add(session, Count::kEvictedSegments);
  segment.retired_epoch = parts_.epochs.Advance();
  parts_.arena.Retire(index, decommit);
}

// Lists the segment's live entries.  False if a header contradicts the segment's length.
bool Evictor::Walk(Session* session, uint32_t index) {
  walked_.clear();
  walked_segment_.reset();
  std::optional<ReadGuard> guard;  // a table that is outgrown meanwhile stays until it ends
  if (session != nullptr) guard.emplace(parts_.epochs, *session);
  const std::byte* const arena = parts_.arena.bytes();
  const uint64_t start = parts_.arena.StartOf(index);
  const uint64_t end = start + parts_.arena.segment(index).used_bytes;
  for (uint64_t at = start; at < end;) {
    const std::optional<Entry> entry = ReadEntry(arena, at, end);
    if (!entry) return false;
    // Each header says where the next one lies; entries of a segment are mostly alike, so those to come can be guessed,
    // and need not be waited for one after the other.
    __builtin_prefetch(arena + std::min(end, at + kWalkAhead * (entry->layout.end - at)));
    const uint64_t hash = HashOf(*entry);
    if (guard) parts_.index.Prefetch(*guard, hash);
    walked_.push_back({*entry, at, hash, -1, AccessState()});
    at = entry->layout.end;
  }
  const uint64_t now_us = NowUs();
  // None: overwritten, deleted or never published.
  std::erase_if(walked_, [&](Walked& one) {
    const std::optional<AccessState> access_state =
        guard ? parts_.index.SeenAccessStateOf(*guard, one.hash, one.at) : parts_.index.AccessStateOf(one.hash, one.at);
    if (!access_state) return true;
    one.access_state = *access_state;
    const EntryHeader& header = one.entry.header;
    if (!Dead(header) && !Expired(one.at, header, now_us)) one.worth = WorthPerByte(*access_state, one.at, one.entry);
    return false;
  });
  walked_segment_ = index;
  return true;
}

bool Evictor::EvictEntry(Session* session, const Walked& one, Count why, float threshold) {
  const EntryHeader& header = one.entry.header;
  bool counted = false;
  const auto removed = parts_.index.Remove(
      one.hash,
      [&](uint64_t each) {
        if (each != one.at) return false;
        // Of a keyspace that was cleared since: it was counted then.
        counted = !Dead(header);
        if (counted) parts_.spaces.Count(header.space, -1);
        return true;
      },
      [&](uint64_t at) {
        parts_.tags.Drop(TagsOf(parts_.arena.bytes(), at, header), one.hash);
        // While the cache evicts there are no near caches; that began under this lock, with a notice.  What was read
        // before an eviction may be written back; what is past its end may not.
        if (!evicting() || why == Count::kExpired) parts_.version_words.KeyChanged(one.hash);
        if (!counted) return;
        parts_.changes.Tell({why == Count::kExpired ? Change::Why::kExpired : Change::Why::kEvicted,
                             parts_.spaces.SpaceOf(header.space),
                             one.hash,
                             {parts_.arena.bytes() + one.entry.layout.key_at, header.key_bytes},
                             nullptr});
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

void Evictor::EvictWalked(Session* session, uint32_t index, bool may_survive) {
  const Segment& segment = parts_.arena.segment(index);
  const uint64_t now_us = NowUs();
  // No more, however much it is worth, where nothing may survive.
  const float least = may_survive ? WorstToKeep() : std::numeric_limits<float>::infinity();
  size_t next = 0;  // what will be copied after `i`, as far as can be told now
  for (size_t i = 0; i < walked_.size(); ++i) {
    const Walked& one = walked_[i];
    for (next = std::max(next, i + 1); next < walked_.size() && walked_[next].worth <= least;) ++next;
    const uint64_t next_at = walked_[next < walked_.size() ? next : i].entry.layout.value_at;
    // Not verified here: the checksum moves along with the value, and a hit finds out.
    const bool spared = session != nullptr && session->spared == one.hash && may_survive && one.worth >= 0;
    if ((one.worth > least || spared) &&
        CopyForward(one.entry, one.at, one.hash, segment.scope, /*spare=*/0, next_at)) {
      Add(session, Count::kCopiedForward);
      Add(session, Count::kCopiedForwardBytes, one.entry.layout.end - one.at);
      continue;
    }
    const bool expired = Expired(one.at, one.entry.header, now_us);
    EvictEntry(session, one, expired ? Count::kExpired : Count::kEvictedEntries, may_survive ? least : threshold());
  }
}

std::optional<uint64_t> Evictor::Rescue(const Entry& entry, uint64_t at, uint64_t hash) {
  const Segment& segment = parts_.arena.segment(parts_.arena.SegmentOf(at));
  if (segment.view_at != 0) return std::nullopt;  // a large value stays where it is
  // One free segment is left for the evictor, which must be able to copy before it frees.
  return CopyForward(entry, at, hash, segment.scope, /*spare=*/1, entry.layout.value_at);
}

std::optional<uint64_t> Evictor::CopyForward(const Entry& entry, uint64_t at, uint64_t hash, uint16_t scope,
                                             uint32_t spare, uint64_t next_at) {
  const EntryHeader& header = entry.header;
  const uint32_t words = header.extension_words();
  // A header that was written over may claim more than fits anywhere.
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
  CopyFetching(arena + room->layout.value_at, arena + entry.layout.value_at, header.value_bytes, arena + next_at);
  Segment& to = parts_.arena.segment(room->segment);
  to.live_entries.fetch_add(1, std::memory_order_relaxed);
  // Only a slot that still points at the old place: a newer value of the key must not be undone.  And with the end that
  // the entry has then: it may have been touched since it was copied.
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

void Evictor::SealOpen() {
  for (Stream* const stream : newcomers_) stream->SealOpen();
  for (const auto& stream : streams_) stream->SealOpen();
}

void Evictor::RetireAll(Session* session) {
  MutexLock lock(mutex_);
  walked_segment_.reset();
  SealOpen();
  ListSealed();
  for (const uint32_t index : sealed_) Evict(session, index, /*may_survive=*/false, /*decommit=*/true);
  evicting_.store(false, std::memory_order_relaxed);
  exposure_pressure_.store(false, std::memory_order_relaxed);
  CollectionDone();
  lag_.store(0, std::memory_order_relaxed);
  Reclaim();
  Notify();
}

// Retires sealed segments without entries; true if someone has a buffer over one.
bool Evictor::RetireEmpty(bool decommit) {
  ListSealed();
  bool seen = false;
  for (const uint32_t index : sealed_) {
    Segment& segment = parts_.arena.segment(index);
    if (segment.live_entries.load(std::memory_order_acquire) != 0) continue;
    seen |= segment.exposures.load(std::memory_order_relaxed) != 0;
    segment.retired_epoch = parts_.epochs.Advance();
    parts_.arena.Retire(index, decommit);
  }
  Reclaim();
  return seen;
}

void Evictor::Tidy() {
  MutexLock lock(mutex_);
  if (RetireEmpty(/*decommit=*/true)) Notify();
}

}  // namespace zerohop
