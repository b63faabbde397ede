#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/checksum.h"
#include "cache/cache.h"
#include "cache/entry.h"

namespace zerohop {
namespace {

// Left for the evictor when newcomers take segments: survivors are copied before their segment is free.
constexpr uint32_t kSpareSegments = 1;

// How often a set goes back to the evictor when other threads take the room it was given.
constexpr int kRoomAttempts = 16;

}  // namespace

// Whatever extension it has.
bool Cache::IsLarge(size_t key_bytes, size_t value_bytes) const {
  return EntryBytesMax(kExtensionWordsMax, key_bytes, value_bytes) > arena_->segment_bytes() / kLargeShare;
}

size_t Cache::ValueBytesMax(size_t key_bytes) const {
  const size_t run = size_t{arena_->segment_count() / 2} * arena_->segment_bytes();
  const size_t around = EntryBytesMax(kExtensionWordsMax, key_bytes, 0) + kCacheLineBytes;
  return std::min<size_t>(run - around, UINT32_MAX - kHugePageBytes);
}

uint32_t Cache::Ticks() const {
  return static_cast<uint32_t>((CoarseNowUs() - born_us_) / kTickUs) & EntryHeader::kWrittenMax;
}

SetOutcome Cache::Set(Session& session, uint16_t space, Bytes key, Bytes value, const Terms& terms) {
  if (value.size() > ValueBytesMax(key.size())) return SetOutcome::kTooLarge;
  const bool large = IsLarge(key.size(), value.size());
  const Spaces::Mark mark = spaces_.MarkOf(space);
  std::array<uint32_t, kTagsMax> tags;
  for (size_t i = 0; i < terms.tags.size(); ++i) tags[i] = tags_.Hold(mark.incarnation, terms.tags[i]);
  const Newcomer newcomer{space,
                          mark,
                          HashOf(mark.incarnation, key),
                          key,
                          value,
                          terms,
                          {tags.data(), terms.tags.size()},
                          // A large value has room for an end from the start: it could not be moved to get one.
                          terms.plain() && !large ? 0 : ExtensionWords(terms.tags.size())};
  const SetOutcome outcome = large ? SetLarge(session, newcomer) : SetSmall(session, newcomer);
  if (outcome != SetOutcome::kStored) {
    tags_.Release(newcomer.tags);
    RemoveKey(session, space, mark.incarnation, newcomer.hash, key);
    CountRefusal(session, space, outcome);
  }
  near_->KeyChanged(newcomer.hash);
  if (outcome == SetOutcome::kStored) {
    session.Of(space).Add(Count::kSets);
    if (options_.max_entries != SIZE_MAX) Trim(session);
  }
  return outcome;
}

void Cache::CountRefusal(Session& session, uint16_t space, SetOutcome outcome) {
  Counters& counters = session.Of(space);
  switch (outcome) {
    case SetOutcome::kRefusedPinned: counters.Add(Count::kRefusedPinned); break;
    case SetOutcome::kRefusedReaders: counters.Add(Count::kRefusedReaders); break;
    case SetOutcome::kRefusedMemory: counters.Add(Count::kRefusedMemory); break;
    case SetOutcome::kStored:
    case SetOutcome::kTooLarge: break;
  }
}

void Cache::Trim(Session& session) {
  size_t entries = 0;
  for (size_t space = 0; space < spaces_.size(); ++space) entries += EntriesOf(static_cast<uint16_t>(space));
  if (entries > options_.max_entries) evictor_.Trim(session, entries - options_.max_entries);
}

// Room in the keyspace's open segment, with a writer counted until Finish.
SetOutcome Cache::ReserveSmall(Session& session, uint16_t space, uint32_t words, size_t key_bytes, size_t value_bytes,
                               Reservation* room) {
  Stream& stream = NewcomersOf(space);
  for (int attempt = 0; attempt < kRoomAttempts; ++attempt) {
    const std::optional<Reservation> reserved = stream.Reserve(words, key_bytes, value_bytes, kSpareSegments);
    if (reserved) {
      *room = *reserved;
      return SetOutcome::kStored;
    }
    switch (evictor_.MakeRoom(session, kSpareSegments)) {
      case Evictor::Outcome::kMadeRoom: break;
      case Evictor::Outcome::kPinned: return SetOutcome::kRefusedPinned;
      case Evictor::Outcome::kReaders: return SetOutcome::kRefusedReaders;
    }
  }
  return SetOutcome::kRefusedPinned;
}

SetOutcome Cache::SetSmall(Session& session, const Newcomer& newcomer) {
  Reservation room;
  const SetOutcome outcome = ReserveSmall(session, newcomer.space, newcomer.extension_words, newcomer.key.size(),
                                          newcomer.value.size(), &room);
  if (outcome != SetOutcome::kStored) return outcome;
  Write(room, newcomer);
  const bool stored = Publish(room, newcomer);
  NewcomersOf(newcomer.space).Finish(room);
  return stored ? SetOutcome::kStored : SetOutcome::kRefusedMemory;
}

SetOutcome Cache::SetLarge(Session& session, const Newcomer& newcomer) {
  const size_t bytes = EntryBytesMax(newcomer.extension_words, newcomer.key.size(), newcomer.value.size());
  const auto count = static_cast<uint32_t>((bytes + arena_->segment_bytes() - 1) / arena_->segment_bytes());
  uint32_t first = 0;
  switch (evictor_.MakeRun(session, count, kSpareSegments, &first)) {
    case Evictor::Outcome::kMadeRoom: break;
    case Evictor::Outcome::kPinned: return SetOutcome::kRefusedPinned;
    case Evictor::Outcome::kReaders: return SetOutcome::kRefusedReaders;
  }
  const uint64_t at = arena_->StartOf(first);
  const Reservation room{first, at,
                         LayOut(at, newcomer.extension_words, newcomer.key.size(), newcomer.value.size())};
  Segment& segment = arena_->segment(first);
  arena_->Own(first, NewcomersOf(newcomer.space).scope());
  segment.used_bytes = room.layout.end - at;
  segment.view_at = static_cast<uint32_t>(room.layout.value_at - at);
  segment.view_bytes = static_cast<uint32_t>(newcomer.value.size());
  segment.writers.fetch_add(1, std::memory_order_relaxed);
  segment.sealed_at = seal_clock_.fetch_add(1, std::memory_order_relaxed);
  Write(room, newcomer);
  const bool stored = Publish(room, newcomer);
  segment.state.store(SegmentState::kSealed, std::memory_order_release);
  segment.writers.fetch_sub(1, std::memory_order_release);
  return stored ? SetOutcome::kStored : SetOutcome::kRefusedMemory;
}

void Cache::Write(const Reservation& room, const Newcomer& newcomer) {
  std::byte* const arena = arena_->bytes();
  const Bytes key = newcomer.key, value = newcomer.value;
  if (newcomer.extension_words != 0) {
    std::byte* const at = arena + room.entry_at + sizeof(EntryHeader);
    const EntryExtension extension{newcomer.terms.expires_us, newcomer.terms.cost,
                                   static_cast<uint32_t>(newcomer.tags.size())};
    std::memcpy(at, &extension, sizeof(extension));
    if (!newcomer.tags.empty()) std::memcpy(at + sizeof(extension), newcomer.tags.data(), newcomer.tags.size_bytes());
    if (newcomer.terms.expires_us != kNever) any_terms_.store(true, std::memory_order_relaxed);
  }
  if (!key.empty()) std::memcpy(arena + room.layout.key_at, key.data(), key.size());
  // The checksum of what was stored, not of the source: the source may be shared memory that changes meanwhile.
  uint32_t checksum = 0;
  if (options_.verify != Verify::kOff) {
    checksum = CopyAndChecksum(arena + room.layout.value_at, value.data(), value.size());
  } else if (!value.empty()) {
    std::memcpy(arena + room.layout.value_at, value.data(), value.size());
  }
  const uint32_t bits = newcomer.extension_words << EntryHeader::kWordsShift |
                        (newcomer.terms.key_is_bytes ? EntryHeader::kKeyIsBytes : 0) | Ticks();
  const EntryHeader header{static_cast<uint32_t>(value.size()), checksum, static_cast<uint16_t>(key.size()),
                           newcomer.mark.incarnation, bits};
  std::memcpy(arena + room.entry_at, &header, sizeof(header));
}

// False without memory for the index.
bool Cache::Publish(const Reservation& room, const Newcomer& newcomer) {
  Segment& segment = arena_->segment(room.segment);
  const uint16_t incarnation = newcomer.mark.incarnation;
  // Counted before it can be seen: another thread may replace the entry at once and count it down.
  segment.live_entries.fetch_add(1, std::memory_order_relaxed);
  Entry entry;
  const Index::Upserted upserted = index_.Upsert(
      newcomer.hash, room.entry_at,
      [&](uint64_t at) { return Matches(at, incarnation, newcomer.key, &entry); },
      [&] { return spaces_.Valid(newcomer.mark); });
  if (!upserted.stored) segment.live_entries.fetch_sub(1, std::memory_order_relaxed);
  // The keyspace was cleared since this set began: the set came first, and what it stored is cleared already.
  if (upserted.refused) {
    tags_.Release(newcomer.tags);
    return true;
  }
  if (!upserted.stored) return false;
  if (!newcomer.tags.empty()) tags_.Add(newcomer.tags, {newcomer.hash, room.entry_at});
  if (upserted.replaced) {
    Forget(*upserted.replaced);
  } else {
    spaces_.Count(incarnation, 1);
  }
  PayFromBudget();
  return true;
}

void Cache::PayFromBudget() {
  const size_t bytes = index_.bytes() + tags_.bytes();
  arena_->Withhold(static_cast<uint32_t>((bytes + arena_->segment_bytes() - 1) / arena_->segment_bytes()));
}

bool Cache::RemoveKey(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash, Bytes key) {
  Entry entry;
  const std::optional<uint64_t> at =
      index_.Remove(hash, [&](uint64_t candidate) { return Matches(candidate, incarnation, key, &entry); });
  if (!at) return false;
  // Read before it is forgotten: from then on its segment may be written again.
  const bool expired = Expired(ExpiresUs(arena_->bytes(), *at, entry.header));
  Forget(*at);
  spaces_.Count(incarnation, -1);
  if (expired) session.Of(space).Add(Count::kExpired);
  return !expired;
}

bool Cache::Delete(Session& session, uint16_t space, Bytes key) {
  const Spaces::Mark mark = spaces_.MarkOf(space);
  const uint64_t hash = HashOf(mark.incarnation, key);
  const bool removed = RemoveKey(session, space, mark.incarnation, hash, key);
  near_->KeyChanged(hash);
  if (removed) session.Of(space).Add(Count::kDeletes);
  return removed;
}

size_t Cache::DeleteByTag(Session& session, uint16_t space, std::string_view tag) {
  const uint16_t incarnation = spaces_.MarkOf(space).incarnation;
  uint32_t id = 0;
  size_t removed = 0, expired_entries = 0;
  for (const Tags::Reference& one : tags_.Take(incarnation, tag, &id)) {
    bool expired = false;
    const auto at = index_.Remove(one.hash, [&](uint64_t each) {
      if (each != one.entry_at) return false;
      EntryHeader header;
      std::memcpy(&header, arena_->bytes() + each, sizeof(header));
      const TagIds ids = TagsOf(arena_->bytes(), each, header);
      if (header.space != incarnation || std::find(ids.begin(), ids.end(), id) == ids.end()) return false;
      expired = Expired(ExpiresUs(arena_->bytes(), each, header));
      return true;
    });
    if (!at) continue;  // replaced, evicted or deleted meanwhile
    Forget(*at);
    spaces_.Count(incarnation, -1);
    near_->KeyChanged(one.hash);
    removed += !expired;
    expired_entries += expired;
  }
  session.Of(space).Add(Count::kDeletes, removed);
  session.Of(space).Add(Count::kExpired, expired_entries);
  return removed;
}

std::optional<SetOutcome> Cache::Touch(Session& session, uint16_t space, Bytes key,
                                       std::optional<uint64_t> expires_us) {
  const Spaces::Mark mark = spaces_.MarkOf(space);
  const uint64_t hash = HashOf(mark.incarnation, key);
  const auto find = [&](Index::Touch touch, Entry* entry) {
    return index_.Find(hash, touch, [&](uint64_t at) { return Matches(at, mark.incarnation, key, entry); });
  };
  size_t value_bytes;
  {
    ReadGuard guard(epochs_, session);
    Entry entry;
    const auto at = find(Index::Touch::kCount, &entry);
    if (!at || Expired(ExpiresUs(arena_->bytes(), *at, entry.header))) return std::nullopt;
    const bool endless = entry.header.extension_words() == 0;
    if (!expires_us || (endless && *expires_us == kNever)) return SetOutcome::kStored;
    if (*expires_us != kNever) any_terms_.store(true, std::memory_order_relaxed);
    if (!endless) {
      ExpiryWord(arena_->bytes(), *at).store(*expires_us, std::memory_order_relaxed);
      near_->KeyChanged(hash);
      return SetOutcome::kStored;
    }
    value_bytes = entry.header.value_bytes;
  }
  // The entry has no room for an end: it is written anew.  The room first, as making some may move the entry, or evict it.
  constexpr uint32_t kWords = ExtensionWords(0);
  Reservation room;
  const SetOutcome outcome = ReserveSmall(session, space, kWords, key.size(), value_bytes, &room);
  if (outcome != SetOutcome::kStored) {
    CountRefusal(session, space, outcome);
    return outcome;  // and the entry stays as it is
  }
  bool done = false, gone = false;
  {
    ReadGuard guard(epochs_, session);
    while (!done && !gone) {
      Entry entry;
      const auto at = find(Index::Touch::kNone, &entry);
      // Replaced by something else meanwhile: that came after this touch.
      gone = !at || entry.header.value_bytes != value_bytes || entry.header.extension_words() != 0;
      if (!gone) done = MoveWithEnd(*at, entry, room, hash, *expires_us);  // false: moved just now; look again
    }
  }
  NewcomersOf(space).Finish(room);
  near_->KeyChanged(hash);
  return SetOutcome::kStored;
}

// Writes an entry that has no extension to another place with one, and repoints the index.  REQUIRES: a ReadGuard since
// the entry was found.
bool Cache::MoveWithEnd(uint64_t at, const Entry& entry, const Reservation& room, uint64_t hash, uint64_t expires_us) {
  std::byte* const arena = arena_->bytes();
  EntryHeader header = entry.header;
  header.bits |= ExtensionWords(0) << EntryHeader::kWordsShift;
  const EntryExtension extension{expires_us, 0, 0};
  std::memcpy(arena + room.entry_at, &header, sizeof(header));
  std::memcpy(arena + room.entry_at + sizeof(header), &extension, sizeof(extension));
  std::memcpy(arena + room.layout.key_at, arena + entry.layout.key_at, header.key_bytes);
  std::memcpy(arena + room.layout.value_at, arena + entry.layout.value_at, header.value_bytes);
  Segment& to = arena_->segment(room.segment);
  to.live_entries.fetch_add(1, std::memory_order_relaxed);
  const bool moved = index_.Repoint(hash, at, room.entry_at, 1);
  (moved ? arena_->segment(arena_->SegmentOf(at)) : to).live_entries.fetch_sub(1, std::memory_order_release);
  return moved;
}

}  // namespace zerohop
