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

SetOutcome Cache::TrySet(Session& session, uint16_t space, Bytes key, Bytes value, const StoreOptions& options) {
  if (value.size() > ValueBytesMax(key.size())) return SetOutcome::kTooLarge;
  const bool large = IsLarge(key.size(), value.size());
  const Spaces::Mark mark = spaces_.MarkOf(space);
  TakenTags tags(tags_);
  Newcomer newcomer{space, mark, HashOf(space, key), key, value, options, tags,
                    // A large value has room for an end from the start: it could not be moved to get one.
                    options.plain() && !large ? 0 : ExtensionWords(options.tags.size()), std::nullopt};
  {
    ReadGuard guard(epochs_, session);
    index_.Prefetch(guard, newcomer.hash);  // arrives while the value is copied
  }
  version_words_->Prefetch(newcomer.hash);
  DrainAccesses(session);
  if (options_.admission && evicting() && Refused(session, newcomer)) return SetOutcome::kRefusedWorth;
  Reservation room{};
  SetOutcome outcome = SetOutcome::kStored;
  if (!options.tags.empty()) outcome = TakeTags(session, mark.incarnation, newcomer.hash, options.tags, &tags);
  if (outcome == SetOutcome::kStored) {
    outcome = large ? SetLarge(session, newcomer, &room) : SetSmall(session, newcomer, &room);
  }
  if (outcome != SetOutcome::kStored) {
    PayFromBudget();
    ReadGuard guard(epochs_, session);  // before the mark is looked at: from here on its number is not another's
    if (spaces_.Valid(mark)) RemoveKey(session, space, mark.incarnation, newcomer.hash, key);
  }
  if (outcome == SetOutcome::kStored) {
    session.Of(space).Add(Count::kSets);
    session.Of(space).Add(Count::kStoredBytes, room.layout.end - room.entry_at);
    if (options_.max_entries != SIZE_MAX && spaces_.Entries() > options_.max_entries) {
      evictor_.Trim(session, options_.max_entries, room.entry_at);
    }
  }
  return outcome;
}

// Links for the tags of an entry to come, and memory for them, which the arena gives up first.
SetOutcome Cache::TakeTags(Session& session, uint16_t incarnation, uint64_t hash,
                           std::span<const std::string_view> names, TakenTags* taken) {
  std::array<Tags::Tag, kTagsMax> all;
  for (size_t i = 0; i < names.size(); ++i) all[i] = tags_.TagOf(incarnation, names[i]);
  const auto tags = std::span(all).first(names.size());
  // Evictions that let entries go, and gave back no link: the entries with tags lie elsewhere.  A few such are bad
  // luck; more would empty the cache of untagged entries for a set that is refused all the same.
  constexpr int kFruitlessMax = 2;
  int fruitless = 0;
  for (int attempt = 0; attempt < kRoomAttempts && fruitless < kFruitlessMax; ++attempt) {
    if (taken->Take(tags, hash)) return SetOutcome::kStored;
    Tags::Growth growth(tags_);
    PayFromBudget();
    auto outcome = Evictor::Outcome::kMadeRoom;
    const bool may_grow = arena_->usable_segments() >= arena_->segment_count() / 2;
    if (!may_grow) {
      const uint64_t evicted = session.evicted;
      const size_t used = tags_.used();
      outcome = evictor_.Shed(session);
      if (session.evicted > evicted && tags_.used() >= used) ++fruitless;
    } else if (arena_->committed_segments() > arena_->usable_segments()) {
      outcome = evictor_.MakeRoom(session, kSpareSegments);
    }
    // What was evicted may have given back as many as are needed.
    if (taken->Take(tags, hash)) return SetOutcome::kStored;
    if (outcome == Evictor::Outcome::kReaders) return SetOutcome::kRefusedReaders;
    if (outcome == Evictor::Outcome::kPinned) return SetOutcome::kRefusedPinned;
    if (may_grow && !growth.Map()) return SetOutcome::kRefusedMemory;
  }
  return SetOutcome::kRefusedMemory;
}

void Cache::CountRefusal(Session& session, uint16_t space, SetOutcome outcome) {
  Counters& counters = session.Of(space);
  switch (outcome) {
    case SetOutcome::kRefusedPinned: counters.Add(Count::kRefusedPinned); break;
    case SetOutcome::kRefusedReaders: counters.Add(Count::kRefusedReaders); break;
    case SetOutcome::kRefusedMemory: counters.Add(Count::kRefusedMemory); break;
    case SetOutcome::kRefusedWorth: counters.Add(Count::kRefusedWorth); break;
    case SetOutcome::kStored:
    case SetOutcome::kTooLarge: break;
  }
}

// True if the key is new and worth less than what it would push out.
bool Cache::Refused(Session& session, Newcomer& newcomer) {
  // Evictions sample the index and so renew the entry fee.  While all sets are refused nothing is evicted, so refusals
  // sample it too.
  constexpr uint32_t kResampleEvery = 16;
  {
    ReadGuard guard(epochs_, session);
    Entry entry;
    const auto known = index_.Find(
        newcomer.hash, [&](uint64_t at) { return Matches(at, newcomer.mark.incarnation, newcomer.key, &entry); });
    if (known) return false;
    newcomer.access_state = policy_.Arrive(session, newcomer.hash);
  }
  const uint64_t bytes = LayOut(0, newcomer.extension_words, newcomer.key.size(), newcomer.value.size()).end;
  const float weight = evictor_.WeightOf(newcomer.options.cost, bytes), fee = evictor_.entry_fee();
  if (policy_.Admits(*newcomer.access_state, fee / weight)) return false;
  eviction_records_.Note({newcomer.hash, policy_.ReuseRate(*newcomer.access_state) * weight, fee,
                          *newcomer.access_state, /*idle=*/0, newcomer.mark.incarnation,
                          EvictionRecord::Why::kRefused});
  if (++session.refused % kResampleEvery == 0) evictor_.Resample(session);
  return true;
}

// Room in the keyspace's open segment, with a writer counted until Finish.
SetOutcome Cache::ReserveSmall(Session& session, uint16_t space, uint32_t words, size_t key_bytes, size_t value_bytes,
                               Reservation* room) {
  Stream& stream = NewcomersOf(space);
  auto outcome = Evictor::Outcome::kMadeRoom;
  for (int attempt = 0; attempt < kRoomAttempts; ++attempt) {
    const std::optional<Reservation> reserved = stream.Reserve(words, key_bytes, value_bytes, kSpareSegments);
    if (reserved) {
      *room = *reserved;
      return SetOutcome::kStored;
    }
    // No room could be made.  Another thread may have opened a segment in this stream meanwhile, so one more attempt
    // was worth it.
    if (outcome != Evictor::Outcome::kMadeRoom) break;
    outcome = evictor_.MakeRoom(session, kSpareSegments);
  }
  return outcome == Evictor::Outcome::kReaders ? SetOutcome::kRefusedReaders : SetOutcome::kRefusedPinned;
}

SetOutcome Cache::SetSmall(Session& session, const Newcomer& newcomer, Reservation* room) {
  const SetOutcome outcome =
      ReserveSmall(session, newcomer.space, newcomer.extension_words, newcomer.key.size(), newcomer.value.size(), room);
  if (outcome != SetOutcome::kStored) return outcome;
  {
    // What Publish will compare the key with arrives while the value is copied.
    ReadGuard guard(epochs_, session);
    index_.Candidates(guard, newcomer.hash, [this](uint64_t at) { __builtin_prefetch(arena_->bytes() + at); });
  }
  Write(*room, newcomer);
  const bool stored = Publish(session, *room, newcomer);
  NewcomersOf(newcomer.space).Finish(*room);
  return stored ? SetOutcome::kStored : SetOutcome::kRefusedMemory;
}

SetOutcome Cache::SetLarge(Session& session, const Newcomer& newcomer, Reservation* taken) {
  const size_t bytes = EntryBytesMax(newcomer.extension_words, newcomer.key.size(), newcomer.value.size());
  const auto count = static_cast<uint32_t>((bytes + arena_->segment_bytes() - 1) / arena_->segment_bytes());
  uint32_t first = 0;
  switch (evictor_.MakeRun(session, count, kSpareSegments, &first)) {
    case Evictor::Outcome::kMadeRoom: break;
    case Evictor::Outcome::kPinned: return SetOutcome::kRefusedPinned;
    case Evictor::Outcome::kReaders: return SetOutcome::kRefusedReaders;
  }
  const uint64_t at = arena_->StartOf(first);
  const Reservation room{first, at, LayOut(at, newcomer.extension_words, newcomer.key.size(), newcomer.value.size())};
  *taken = room;
  Segment& segment = arena_->segment(first);
  arena_->Own(first, NewcomersOf(newcomer.space).scope());
  segment.used_bytes = room.layout.end - at;
  segment.view_at = static_cast<uint32_t>(room.layout.value_at - at);
  segment.view_bytes = static_cast<uint32_t>(newcomer.value.size());
  segment.appended.store(1, std::memory_order_relaxed);
  segment.writers.fetch_add(1, std::memory_order_relaxed);
  segment.sealed_at = seal_clock_.fetch_add(1, std::memory_order_relaxed);
  Write(room, newcomer);
  const bool stored = Publish(session, room, newcomer);
  segment.state.store(SegmentState::kSealed, std::memory_order_release);
  segment.writers.fetch_sub(1, std::memory_order_release);
  return stored ? SetOutcome::kStored : SetOutcome::kRefusedMemory;
}

void Cache::Write(const Reservation& room, const Newcomer& newcomer) {
  std::byte* const arena = arena_->bytes();
  const Bytes key = newcomer.key, value = newcomer.value;
  if (newcomer.extension_words != 0) {
    std::byte* const at = arena + room.entry_at + sizeof(EntryHeader);
    const TagIds tags = newcomer.tags.ids();
    const EntryExtension extension{newcomer.options.expires_us, newcomer.options.cost,
                                   static_cast<uint32_t>(tags.size())};
    std::memcpy(at, &extension, sizeof(extension));
    if (!tags.empty()) std::memcpy(at + sizeof(extension), tags.data(), tags.size_bytes());
    if (newcomer.options.expires_us != kNever) any_expiry_.store(true, std::memory_order_relaxed);
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
                        (newcomer.options.key_is_bytes ? EntryHeader::kKeyIsBytes : 0) | Ticks();
  const EntryHeader header{static_cast<uint32_t>(value.size()), checksum, static_cast<uint16_t>(key.size()),
                           newcomer.mark.incarnation, bits};
  std::memcpy(arena + room.entry_at, &header, sizeof(header));
}

// False without memory for the index.  Nothing here may throw: the writer is counted, and what is published stays.
bool Cache::Publish(Session& session, const Reservation& room, const Newcomer& newcomer) noexcept {
  Segment& segment = arena_->segment(room.segment);
  const uint16_t incarnation = newcomer.mark.incarnation;
  // Counted before it can be seen: another thread may replace the entry at once and count it down.
  segment.live_entries.fetch_add(1, std::memory_order_relaxed);
  Index::Upserted upserted;
  {
    ReadGuard guard(epochs_, session);  // so that the number is not another keyspace's before it was counted
    // An entry of the key from before the keyspace was cleared is replaced too: so a key has one slot at most, however
    // often it is cleared and set.
    bool over_dead = false;
    const auto matches = [&](uint64_t at) {
      Entry entry;
      if (!ReadAt(at, &entry) || entry.header.key_bytes != newcomer.key.size()) return false;
      const uint16_t of = entry.header.space;
      over_dead = of != incarnation;
      if (over_dead && (spaces_.Alive(of) || spaces_.SpaceOf(of) != newcomer.space)) return false;
      return newcomer.key.empty() ||
             std::memcmp(arena_->bytes() + entry.layout.key_at, newcomer.key.data(), newcomer.key.size()) == 0;
    };
    upserted = index_.Upsert(
        newcomer.hash, room.entry_at, matches,
        [&] { return newcomer.access_state ? *newcomer.access_state : policy_.Arrive(session, newcomer.hash); },
        [&] { return spaces_.Valid(newcomer.mark); },
        [&](std::optional<uint64_t> replaced) {
          version_words_->KeyChanged(newcomer.hash);
          if (replaced) Untag(*replaced, newcomer.hash);
          newcomer.tags.Chain();
        });
    if (upserted.stored && (!upserted.replaced || over_dead)) spaces_.Count(incarnation, 1);
  }
  if (!upserted.stored) segment.live_entries.fetch_sub(1, std::memory_order_relaxed);
  // The keyspace was cleared since this set began: the set came first, and what it stored is cleared already.
  if (upserted.refused) return true;
  if (!upserted.stored) return false;
  if (upserted.replaced) Forget(*upserted.replaced);
  PayFromBudget();
  return true;
}

void Cache::PayFromBudget() {
  const size_t bytes = index_.bytes() + tags_.bytes() + policy_.bytes();
  arena_->Withhold(static_cast<uint32_t>((bytes + arena_->segment_bytes() - 1) / arena_->segment_bytes()));
}

bool Cache::RemoveKey(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash, Bytes key) {
  Entry entry;
  const std::optional<uint64_t> at = index_.Remove(
      hash, [&](uint64_t candidate) { return Matches(candidate, incarnation, key, &entry); },
      [&](uint64_t offset) {
        version_words_->KeyChanged(hash);
        Untag(offset, hash);
      });
  if (!at) return false;
  spaces_.Count(incarnation, -1);
  // Read before it is forgotten: from then on its segment may be written again.
  const bool expired = HasCome(ExpiresUs(arena_->bytes(), *at, entry.header));
  Forget(*at);
  if (expired) session.Of(space).Add(Count::kExpired);
  return !expired;
}

bool Cache::Delete(Session& session, uint16_t space, Bytes key) {
  ReadGuard guard(epochs_, session);
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  const uint64_t hash = HashOf(space, key);
  const bool removed = RemoveKey(session, space, incarnation, hash, key);
  version_words_->KeyChanged(hash);
  if (removed) session.Of(space).Add(Count::kDeletes);
  return removed;
}

bool Cache::Carries(uint64_t at, const Tags::Link& link) const {
  Entry entry;
  if (!ReadAt(at, &entry)) return false;
  const TagIds ids = TagsOf(arena_->bytes(), at, entry.header);
  return std::find(ids.begin(), ids.end(), link.id) != ids.end();
}

void Cache::DropOrphan(const Tags::Link& link) {
  index_.Unless(
      link.hash, [&](uint64_t at) { return Carries(at, link); }, [&] { tags_.Drop(link); });
}

size_t Cache::DeleteByTag(Session& session, uint16_t space, std::string_view tag) {
  MutexLock lock(removal_mutex_);
  const Spaces::Mark mark = spaces_.MarkOf(space);
  size_t removed = 0, expired = 0;
  tags_.SetApart(tags_.TagOf(mark.incarnation, tag));
  std::array<Tags::Link, 64> links;  // few at a time: while a guard lives, nobody's memory is used again
  while (const size_t count = tags_.Apart(links)) {
    ReadGuard guard(epochs_, session);
    if (!spaces_.Valid(mark)) break;  // cleared meanwhile: upkeep finds what is left
    for (const Tags::Link& link : std::span(links).first(count)) {
      // The entry may have gone with its link since, and another entry may own that link now.
      const auto at = index_.Remove(
          link.hash, [&](uint64_t each) { return tags_.Has(link) && Carries(each, link); },
          [&](uint64_t offset) {
            version_words_->KeyChanged(link.hash);
            Untag(offset, link.hash);
          });
      if (!at) {
        DropOrphan(link);
        continue;
      }
      spaces_.Count(mark.incarnation, -1);
      Entry entry;
      const bool over = ReadAt(*at, &entry) && HasCome(ExpiresUs(arena_->bytes(), *at, entry.header));
      ++(over ? expired : removed);
      Forget(*at);
    }
  }
  session.Of(space).Add(Count::kDeletes, removed);
  session.Of(space).Add(Count::kExpired, expired);
  return removed;
}

std::optional<SetOutcome> Cache::TryTouch(Session& session, uint16_t space, Bytes key,
                                          std::optional<uint64_t> expires_us) {
  // Both are read again under each guard: without one, the keyspace may be cleared and get another number.
  uint16_t incarnation;
  uint64_t hash;
  const auto find = [&](bool touch, Entry* entry) {
    incarnation = spaces_.IncarnationOf(space);
    hash = HashOf(space, key);
    return index_.Find(
        hash, [&](uint64_t at) { return Matches(at, incarnation, key, entry); },
        [&](std::atomic<uint16_t>& access_state) {
          if (touch) policy_.Touch(session, hash, access_state);
        });
  };
  DrainAccesses(session);
  if (expires_us && *expires_us != kNever) any_expiry_.store(true, std::memory_order_relaxed);
  size_t value_bytes = 0;
  for (bool touch = true;; touch = false) {
    ReadGuard guard(epochs_, session);
    Entry entry;
    const auto at = find(touch, &entry);
    if (!at || HasCome(ExpiresUs(arena_->bytes(), *at, entry.header))) return std::nullopt;
    const bool endless = entry.header.extension_words() == 0;
    if (!expires_us || (endless && *expires_us == kNever)) return SetOutcome::kStored;
    value_bytes = entry.header.value_bytes;
    // A large one has room for an end: this header was written over.
    if (endless && IsLarge(key.size(), value_bytes)) return std::nullopt;
    if (endless) break;
    // While the entry cannot move: a copy that was made before would keep the old end.
    const bool stored = index_.While(
        hash, *at, [&] { ExpiryWord(arena_->bytes(), *at).store(*expires_us, std::memory_order_relaxed); });
    if (!stored) continue;
    version_words_->KeyChanged(hash);
    return SetOutcome::kStored;
  }
  // The entry has no room for an end, so it is written anew.  Room is reserved first, because making room may move the
  // entry.  `spared` keeps this thread from evicting it; another thread still may.
  constexpr uint32_t kWords = ExtensionWords(0);
  Reservation room;
  session.spared = hash;
  const SetOutcome outcome = ReserveSmall(session, space, kWords, key.size(), value_bytes, &room);
  session.spared = 0;
  if (outcome != SetOutcome::kStored) return outcome;  // and the entry stays as it is
  bool found = false;
  {
    ReadGuard guard(epochs_, session);
    for (bool done = false; !done;) {
      Entry entry;
      const auto at = find(/*touch=*/false, &entry);
      // Whatever becomes of it, the room must look like an entry: the segment is walked from one to the next.
      const EntryHeader header{static_cast<uint32_t>(value_bytes), 0, static_cast<uint16_t>(key.size()), incarnation,
                               kWords << EntryHeader::kWordsShift};
      std::memcpy(arena_->bytes() + room.entry_at, &header, sizeof(header));
      found = at.has_value();
      // Gone; or replaced by something else, which came after this touch.
      if (!at || entry.header.value_bytes != value_bytes || entry.header.extension_words() != 0) break;
      done = MoveWithEnd(*at, entry, room, hash, *expires_us);  // false: moved just now; look again
    }
    version_words_->KeyChanged(hash);
  }
  NewcomersOf(space).Finish(room);
  return found ? std::optional(SetOutcome::kStored) : std::nullopt;
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
  // A header that was written over may claim bytes up to where the room lies, and beyond.
  std::memmove(arena + room.layout.key_at, arena + entry.layout.key_at, header.key_bytes);
  std::memmove(arena + room.layout.value_at, arena + entry.layout.value_at, header.value_bytes);
  Segment& to = arena_->segment(room.segment);
  to.live_entries.fetch_add(1, std::memory_order_relaxed);
  const bool moved = index_.Repoint(hash, at, room.entry_at);
  (moved ? arena_->segment(arena_->SegmentOf(at)) : to).live_entries.fetch_sub(1, std::memory_order_release);
  return moved;
}

}  // namespace zerohop
