#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/checksum.h"
#include "cache/cache.h"
#include "cache/entry.h"
#include "cache/staged_value.h"

namespace zerohop {
namespace {

// How often a set asks the evictor again when other threads take the room that was made for it.  A choice.
constexpr int kRoomAttempts = 16;

}  // namespace

// With the largest extension, so that the answer does not change when the entry gets an end or tags.
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

// Inlined: most sets come this way, and the arguments lie in registers already.
[[gnu::always_inline]] inline SetOutcome Cache::Store(Session& session, uint16_t space, const Spaces::Mark& mark,
                                                      Bytes key, Bytes value, const StoreOptions& options,
                                                      std::span<const Tags::Tag> tags) {
  if (!Holds(options.expected)) return SetOutcome::kChanged;  // Publish decides; this saves the work before it
  const bool large = IsLarge(key.size(), value.size());
  const bool plain = options.expires_us == kNever && options.cost == 0 && tags.empty();
  TakenTags taken(tags_);
  Newcomer newcomer{space, mark, options.hash != nullptr ? *options.hash : HashOf(space, key), key, value, options,
                    taken,
                    // A large value has room for an end from the start: it could not be moved to get one.
                    plain && !large ? 0 : ExtensionWords(tags.size()), std::nullopt};
  {
    ReadGuard guard(epochs_, session);
    index_.Prefetch(guard, newcomer.hash);  // arrives while the value is copied
  }
  version_words_->Prefetch(newcomer.hash);
  DrainAccesses(session);
  if (options_.admission && evicting() && Refused(session, newcomer)) return SetOutcome::kRefusedWorth;
  Reservation room{};
  SetOutcome outcome = SetOutcome::kStored;
  if (!tags.empty()) outcome = TakeTags(session, newcomer.hash, tags, &taken);
  if (outcome == SetOutcome::kStored) {
    outcome = large ? SetLarge(session, newcomer, &room) : SetSmall(session, newcomer, &room);
  }
  if (outcome != SetOutcome::kStored) {
    PayFromBudget();
    if (options.expected == nullptr && !options.keep_old) RemoveKey(session, space, &mark, newcomer.hash, key, nullptr);
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

SetOutcome Cache::TrySet(Session& session, uint16_t space, Bytes key, Bytes value, const StoreOptions& options) {
  if (value.size() > ValueBytesMax(key.size())) return SetOutcome::kTooLarge;
  if (options.terms_of != nullptr) [[unlikely]]
    return SetOnTermsOf(session, space, key, value, options);
  const Spaces::Mark mark = options.expected != nullptr ? options.expected->space : spaces_.MarkOf(space);
  std::array<Tags::Tag, kTagsMax> tags;
  for (size_t i = 0; i < options.tags.size(); ++i) tags[i] = tags_.TagOf(mark.incarnation, options.tags[i]);
  return Store(session, space, mark, key, value, options, std::span(tags).first(options.tags.size()));
}

// If the entry changes after it is read here, its version is not the expected one, and nothing is stored.
SetOutcome Cache::SetOnTermsOf(Session& session, uint16_t space, Bytes key, Bytes value, const StoreOptions& options) {
  const Spaces::Mark mark = options.expected != nullptr ? options.expected->space : spaces_.MarkOf(space);
  StoreOptions kept = options;
  std::array<Tags::Tag, kTagsMax> tags;
  size_t count = 0;
  {
    ReadGuard guard(epochs_, session);
    const uint64_t hash = HashOf(space, *options.terms_of);
    Entry entry;
    const auto at = index_.Find(
        hash, [&](uint64_t candidate) { return Matches(candidate, mark.incarnation, *options.terms_of, &entry); });
    if (!at) return SetOutcome::kChanged;
    kept.expires_us = ExpiresUs(arena_->bytes(), *at, entry.header);
    if (HasCome(kept.expires_us)) return SetOutcome::kChanged;
    kept.cost = CostOf(arena_->bytes(), *at, entry.header);
    count = tags_.TagsOfLinks(TagsOf(arena_->bytes(), *at, entry.header), hash, tags);
  }
  return Store(session, space, mark, key, value, kept, std::span(tags).first(count));
}

// Takes links for the tags of an entry that will be stored.  If more memory is needed for links, the arena gives it up
// first.
SetOutcome Cache::TakeTags(Session& session, uint64_t hash, std::span<const Tags::Tag> tags, TakenTags* taken) {
  // Evictions that freed entries but no link: the entries with tags lie elsewhere.  A few of them are bad luck.  More
  // would empty the cache of untagged entries, for a set that is refused all the same.  A choice.
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
      outcome = evictor_.MakeRoom(session, Evictor::kSpareSegments);
    }
    // The eviction may have freed as many links as are needed.
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
    case SetOutcome::kTooLarge:
    case SetOutcome::kChanged: break;
  }
}

// True if the key is new and worth less than what it would push out.
bool Cache::Refused(Session& session, Newcomer& newcomer) {
  // Evictions sample the index and so renew the entry fee.  While all sets are refused nothing is evicted, so one
  // refusal in so many samples it too.  A choice.
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
  const float weight = appraiser_.WeightOf(newcomer.options.cost, bytes), fee = appraiser_.entry_fee();
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
  Stream& stream = keyspaces_.NewcomersOf(space);
  const EntrySize size{words, key_bytes, value_bytes};
  auto outcome = Evictor::Outcome::kMadeRoom;
  for (int attempt = 0; attempt < kRoomAttempts; ++attempt) {
    if (stream.ReserveSome({&size, 1}, Evictor::kSpareSegments, {room, 1}) != 0) return SetOutcome::kStored;
    // No room could be made.  Another thread may have opened a segment in this stream meanwhile, so one more attempt
    // was worth it.
    if (outcome != Evictor::Outcome::kMadeRoom) break;
    outcome = evictor_.MakeRoom(session, Evictor::kSpareSegments);
  }
  return outcome == Evictor::Outcome::kReaders ? SetOutcome::kRefusedReaders : SetOutcome::kRefusedPinned;
}

SetOutcome Cache::SetSmall(Session& session, const Newcomer& newcomer, Reservation* room) {
  const SetOutcome outcome =
      ReserveSmall(session, newcomer.space, newcomer.extension_words, newcomer.key.size(), newcomer.value.size(), room);
  if (outcome != SetOutcome::kStored) return outcome;
  {
    // Fetches the keys with which Publish will compare this one, while the value is copied.
    ReadGuard guard(epochs_, session);
    index_.Candidates(guard, newcomer.hash,
                      [this](uint64_t at, std::atomic<uint16_t>&) { __builtin_prefetch(arena_->bytes() + at); });
  }
  Write(*room, newcomer, Ticks());
  const SetOutcome published = Publish(session, *room, newcomer);
  keyspaces_.NewcomersOf(newcomer.space).Finish(*room);
  return published;
}

SetOutcome Cache::TakeRun(Session& session, uint16_t space, uint32_t words, size_t key_bytes, size_t value_bytes,
                          Reservation* room) {
  const size_t bytes = EntryBytesMax(words, key_bytes, value_bytes);
  const auto count = static_cast<uint32_t>((bytes + arena_->segment_bytes() - 1) / arena_->segment_bytes());
  uint32_t first = 0;
  switch (evictor_.MakeRun(session, count, Evictor::kSpareSegments, &first)) {
    case Evictor::Outcome::kMadeRoom: break;
    case Evictor::Outcome::kPinned: return SetOutcome::kRefusedPinned;
    case Evictor::Outcome::kReaders: return SetOutcome::kRefusedReaders;
  }
  const uint64_t at = arena_->StartOf(first);
  *room = {first, at, LayOut(at, words, key_bytes, value_bytes)};
  Segment& segment = arena_->segment(first);
  arena_->Own(first, keyspaces_.NewcomersOf(space).scope());
  segment.used_bytes = room->layout.end - at;
  segment.view_at = static_cast<uint32_t>(room->layout.value_at - at);
  segment.view_bytes = static_cast<uint32_t>(value_bytes);
  segment.appended.store(1, std::memory_order_relaxed);
  segment.writers.fetch_add(1, std::memory_order_relaxed);
  segment.sealed_at = seal_clock_.fetch_add(1, std::memory_order_relaxed);
  return SetOutcome::kStored;
}

void Cache::LeaveRun(const Reservation& room) noexcept {
  Segment& segment = arena_->segment(room.segment);
  segment.state.store(SegmentState::kSealed, std::memory_order_release);
  segment.writers.fetch_sub(1, std::memory_order_release);
}

// All of the entry but its value.
[[gnu::always_inline]] inline void Cache::WriteAround(const Reservation& room, const Newcomer& newcomer,
                                                      uint32_t checksum, uint32_t ticks) {
  std::byte* const arena = arena_->bytes();
  const Bytes key = newcomer.key;
  if (newcomer.extension_words != 0) {
    std::byte* const at = arena + room.entry_at + sizeof(EntryHeader);
    const TagIds tags = newcomer.tags.ids();
    const EntryExtension extension{newcomer.options.expires_us, newcomer.options.cost,
                                   static_cast<uint32_t>(tags.size())};
    std::memcpy(at, &extension, sizeof(extension));
    if (!tags.empty()) std::memcpy(at + sizeof(extension), tags.data(), tags.size_bytes());
    if (newcomer.options.expires_us != kNever) upkeep_.ExpectExpiry();
  }
  if (!key.empty()) std::memcpy(arena + room.layout.key_at, key.data(), key.size());
  const uint32_t bits = newcomer.extension_words << EntryHeader::kWordsShift |
                        (newcomer.options.key_is_bytes ? EntryHeader::kKeyIsBytes : 0) |
                        (newcomer.options.edited ? EntryHeader::kEdited : 0) | ticks;
  const EntryHeader header{static_cast<uint32_t>(newcomer.value.size()), checksum, static_cast<uint16_t>(key.size()),
                           newcomer.mark.incarnation, bits};
  std::memcpy(arena + room.entry_at, &header, sizeof(header));
}

SetOutcome Cache::SetLarge(Session& session, const Newcomer& newcomer, Reservation* room) {
  const size_t key_bytes = newcomer.key.size(), value_bytes = newcomer.value.size();
  std::optional<Reservation> staged;
  if (newcomer.options.staged != nullptr) {
    staged = newcomer.options.staged->TakeFor(keyspaces_.NewcomersOf(newcomer.space).scope(), newcomer.extension_words,
                                              key_bytes, value_bytes);
  }
  if (staged) {
    *room = *staged;
    const std::byte* const there = arena_->bytes() + room->layout.value_at;
    WriteAround(*room, newcomer, options_.verify != Verify::kOff ? Checksum(there, value_bytes) : 0, Ticks());
  } else {
    const SetOutcome outcome = TakeRun(session, newcomer.space, newcomer.extension_words, key_bytes, value_bytes, room);
    if (outcome != SetOutcome::kStored) return outcome;
    Write(*room, newcomer, Ticks());
  }
  const SetOutcome published = Publish(session, *room, newcomer);
  LeaveRun(*room);
  return published;
}

void Cache::Write(const Reservation& room, const Newcomer& newcomer, uint32_t ticks) {
  std::byte* const to = arena_->bytes() + room.layout.value_at;
  const Bytes value = newcomer.value;
  // The checksum of what was stored, not of the source: the source may be shared memory that changes meanwhile.
  uint32_t checksum = 0;
  if (options_.verify != Verify::kOff) {
    checksum = CopyAndChecksum(to, value.data(), value.size());
  } else if (!value.empty()) {
    std::memcpy(to, value.data(), value.size());
  }
  WriteAround(room, newcomer, checksum, ticks);
}

// Nothing here may throw: the writer is counted, and what is published stays.
SetOutcome Cache::Publish(Session& session, const Reservation& room, const Newcomer& newcomer) noexcept {
  // Counted before it can be seen: another thread may replace the entry at once and count it down.
  arena_->segment(room.segment).live_entries.fetch_add(1, std::memory_order_relaxed);
  Index::Writer writer{&session};
  SetOutcome outcome;
  do {
    if (writer.busy) [[unlikely]]
      gate_.Await();
    outcome = Point(ReadGuard(epochs_, session), session, writer, room, newcomer);
  } while (writer.busy);
  PayFromBudget();
  return outcome;
}

// The guard keeps the number of the keyspace from being another one's before the entry was counted.
SetOutcome Cache::Point(const ReadGuard&, Session& session, Index::Writer& writer, const Reservation& room,
                        const Newcomer& newcomer) noexcept {
  const uint16_t incarnation = newcomer.mark.incarnation;
  // An entry of the key from before the keyspace was cleared is replaced too.  So a key has one slot at most, however
  // often it is set and cleared.
  bool over_dead = false;
  Entry old;
  const auto matches = [&](uint64_t at) {
    if (!ReadAt(at, &old) || old.header.key_bytes != newcomer.key.size()) return false;
    const uint16_t of = old.header.space;
    over_dead = of != incarnation;
    if (over_dead && (spaces_.Alive(of) || spaces_.SpaceOf(of) != newcomer.space)) return false;
    return newcomer.key.empty() ||
           std::memcmp(arena_->bytes() + old.layout.key_at, newcomer.key.data(), newcomer.key.size()) == 0;
  };
  const Index::Upserted upserted = index_.Upsert(
      writer, newcomer.hash, room.entry_at, matches,
      [&] { return newcomer.access_state ? *newcomer.access_state : policy_.Arrive(session, newcomer.hash); },
      [&] { return spaces_.Valid(newcomer.mark) && Holds(newcomer.options.expected); },
      // The links are chained before anybody can see the entry: it may then be deleted by a tag at once.
      [&] { newcomer.tags.Chain(); },
      [&](std::optional<uint64_t> replaced) {
        if (replaced) Untag(*replaced, old.header, newcomer.hash);
        version_words_->KeyChanged(newcomer.hash);  // last, so that a Mark from here on is of the entry with its tags
        changes_.Tell({Change::Why::kWritten, newcomer.space, newcomer.hash, newcomer.key, &session});
      });
  if (upserted.stored) [[likely]] {
    if (!upserted.replaced || over_dead) spaces_.Count(incarnation, 1);
    if (upserted.replaced) Forget(*upserted.replaced);
    return SetOutcome::kStored;
  }
  if (writer.busy) return SetOutcome::kChanged;
  arena_->segment(room.segment).live_entries.fetch_sub(1, std::memory_order_relaxed);
  if (upserted.refused && newcomer.options.expected != nullptr) return SetOutcome::kChanged;
  // The keyspace was cleared since this set began.  The set counts as before the clearing, so its value is gone.
  if (upserted.refused) return SetOutcome::kStored;
  return SetOutcome::kRefusedMemory;  // for the index
}

void Cache::PayFromBudget() {
  const size_t bytes = index_.bytes() + tags_.bytes() + policy_.bytes();
  arena_->Withhold(static_cast<uint32_t>((bytes + arena_->segment_bytes() - 1) / arena_->segment_bytes()));
}

bool Cache::RemoveKey(Session& session, uint16_t space, const Spaces::Mark* mark, uint64_t hash, Bytes key,
                      const Expected* expected) {
  Index::Writer writer{&session};
  do {
    if (writer.busy) gate_.Await();
    ReadGuard guard(epochs_, session);  // first: while it lives, the number is not given to another keyspace
    if (mark != nullptr && !spaces_.Valid(*mark)) return false;
    const uint16_t incarnation = mark != nullptr ? mark->incarnation : spaces_.IncarnationOf(space);
    Entry entry;
    bool expired = false;
    const std::optional<uint64_t> at = index_.Remove(
        writer, hash, [&](uint64_t each) { return Holds(expected) && Matches(each, incarnation, key, &entry); },
        [&](uint64_t offset) {
          version_words_->KeyChanged(hash);
          Untag(offset, hash);
          expired = HasCome(ExpiresUs(arena_->bytes(), offset, entry.header));
          changes_.Tell({expired ? Change::Why::kExpired : Change::Why::kDeleted, space, hash, key, &session});
        });
    if (!at) continue;
    spaces_.Count(incarnation, -1);
    Forget(*at);  // from here on its segment may be written again
    if (expired) session.Of(space).Add(Count::kExpired);
    return !expired;
  } while (writer.busy);
  return false;
}

bool Cache::Delete(Session& session, uint16_t space, Bytes key) {
  const uint64_t hash = HashOf(space, key);
  const bool removed = RemoveKey(session, space, nullptr, hash, key, nullptr);
  version_words_->KeyChanged(hash);
  if (removed) session.Of(space).Add(Count::kDeletes);
  return removed;
}

bool Cache::DeleteIf(Session& session, uint16_t space, Bytes key, const Expected& expected) {
  const bool removed = RemoveKey(session, space, &expected.space, HashOf(space, key), key, &expected);
  if (removed) session.Of(space).Add(Count::kDeletes);
  return removed;
}

size_t Cache::DeleteByTag(Session& session, uint16_t space, std::string_view tag) {
  ExclusiveGate::Pass pass(gate_, &session);
  MutexLock lock(removal_mutex_);
  const Spaces::Mark mark = spaces_.MarkOf(space);
  size_t removed = 0, expired = 0;
  tags_.SetApart(tags_.TagOf(mark.incarnation, tag));
  std::array<Tags::Link, 64> links;  // few at a time: while a guard lives, no memory is used again
  while (const size_t count = tags_.Apart(links)) {
    ReadGuard guard(epochs_, session);
    if (!spaces_.Valid(mark)) break;  // cleared meanwhile: upkeep removes the rest
    for (const Tags::Link& link : std::span(links).first(count)) {
      // The entry may have gone with its link since, and another entry may own that link now.
      const auto at = index_.Remove(
          link.hash, [&](uint64_t each) { return tags_.Has(link) && upkeep_.Carries(each, link); },
          [&](uint64_t offset) {
            version_words_->KeyChanged(link.hash);
            Untag(offset, link.hash);
            Entry gone;
            if (!changes_.heard() || !ReadAt(offset, &gone)) return;
            const Bytes key(arena_->bytes() + gone.layout.key_at, gone.header.key_bytes);
            changes_.Tell({Change::Why::kDeleted, space, link.hash, key, &session});
          });
      if (!at) {
        upkeep_.DropOrphan(link);
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

}  // namespace zerohop
