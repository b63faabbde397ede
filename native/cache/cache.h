// cache.h: the engine: keys and values in segments, found through the index, evicted by segments.
//
//   Set   reserve in a stream -> write -> point the index at it            (no room: the evictor makes some)
//   Find  index -> compare the key in the entry -> where the value lies    (under a ReadGuard, without a lock)
//
// A value's bytes never change or move while they can be seen: overwriting appends, deleting only forgets, and a
// segment is reused when neither the index, nor a reader, nor an exposure refers to it.
//
//   shared_policy.h, appraiser.h  what an entry is worth       evictor.h            what goes when there is no room
//   keyspaces.h, upkeep.h         keyspaces, and clearing      collection_ladder.h  before a store is refused
//   exposure_control.h            which segments are shown     change_listener.h    who is told of changes
//   exclusive.h                   a section in which one session alone writes
//
//   cache_read.cc    Find and its kin              cache_scan.cc    the keys of a keyspace
//   cache_write.cc   Set, Delete, tags             cache_touch.cc   another end for an entry
//   store_run.h      several sets in a row         cache.cc         making one, clearing, upkeep, figures
//
// To read, compute and write back without losing another write: Mark -> Find -> Set with `expected` -> again on
// kChanged.
//
// Threads    any, each with a Session of its own.  Lock order in base/mutex.h.
// Limits     key 0..65 535 bytes; value up to half of the arena, and less than 4 GiB.
// Memory     segments + index + tags + policy <= max_bytes.  Fixed, beyond that: 76 bytes a segment, the words of
//            version_words.h, the eviction records, and this object.  While the index grows: the old and new array of
//            one shard of 64, and a segment until the next eviction.  Tags take half of max_bytes at most: beyond
//            that, entries are evicted until their tags make room.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mutex.h"
#include "base/same_bytes.h"
#include "base/status.h"
#include "cache/appraiser.h"
#include "cache/arena.h"
#include "cache/change_listener.h"
#include "cache/collection_ladder.h"
#include "cache/epoch.h"
#include "cache/eviction_records.h"
#include "cache/evictor.h"
#include "cache/exclusive.h"
#include "cache/exposure_control.h"
#include "cache/hit.h"
#include "cache/index.h"
#include "cache/keyspaces.h"
#include "cache/run_times.h"
#include "cache/session.h"
#include "cache/session_list.h"
#include "cache/shared_policy.h"
#include "cache/spaces.h"
#include "cache/stream.h"
#include "cache/tags.h"
#include "cache/upkeep.h"
#include "cache/version_words.h"

namespace zerohop {

enum class Verify : uint8_t {
  kOff,
  kSample,  // the checksum of every kVerifyEvery-th hit
  kTrap,    // JavaScript gets a write-protected mapping, and every hit's checksum is compared
};

struct CacheOptions {
  size_t max_bytes = 0;
  Verify verify = Verify::kSample;
  size_t max_entries = SIZE_MAX;
  Policy::Kind policy = Policy::Kind::kLearned;
  bool aging = false;      // Policy::Options::aging
  bool admission = false;  // a newcomer worth less than nearly all that is there is refused
  // For tests and simulations.  `segment_bytes` 0: the size follows from max_bytes.  Without `weigh_cost_and_bytes` the
  // worth of an entry is its reuse rate, whatever its cost and size.
  size_t segment_bytes = 0;
  bool weigh_cost_and_bytes = true;
  std::string binding_options{};  // the binding's own.  Like all options, the same when the cache is opened again
  bool operator==(const CacheOptions&) const = default;
};

// The state of a key when it was marked, before it was looked up.  The state changes when the key is set, deleted,
// touched or found past its end, or its keyspace is cleared.  It may also change without need, because many keys share
// a word.  An eviction does not change it: a value that was read may be written back.
struct Expected {
  uint32_t word;  // version_words.h
  uint32_t version;
  Spaces::Mark space;
};

class StagedValue;

// What a value is stored with.
struct StoreOptions {
  uint64_t expires_us = kNever;
  float cost = 0;
  std::span<const std::string_view> tags{};  // at most kTagsMax
  bool key_is_bytes = false;                 // Scan gives it back
  const Expected* expected = nullptr;        // stores only if the key's state is still this one; else kChanged
  // If given: end, cost and tags are those of this key's entry in the same keyspace, and the ones above do not count.
  // kChanged if there is no such entry.  REQUIRES: `expected` of that key, or an Exclusive section
  const Bytes* terms_of = nullptr;
  bool edited = false;             // EntryFacts::edited
  bool keep_old = false;           // a refused store leaves the older value of the key, as it does with `expected`
  const uint64_t* hash = nullptr;  // of this key in this keyspace, if the caller has it from FetchForStores
  StagedValue* staged = nullptr;   // this value, copied into the cache before (staged_value.h)

  bool plain() const { return expires_us == kNever && cost == 0 && tags.empty(); }
};

enum class SetOutcome { kStored, kRefusedPinned, kRefusedReaders, kRefusedMemory, kRefusedWorth, kTooLarge, kChanged };

// A key, as Scan gives it.
struct ScannedKey {
  std::vector<std::byte> bytes;
  bool is_bytes;
};

struct CacheUsage {
  CountTotals counts{};
  size_t keyspaces, keyspaces_max, scopes, scopes_max;
  size_t entries, indexed, index_bytes, arena_bytes, segment_bytes, fixed_bytes;
  size_t policy_bytes, policy_capacity;
  uint64_t age_us;  // since it was made
  float threshold;
  uint32_t policy_tick;  // requests
  uint32_t segments, free_segments, retired_segments, committed_segments, exposed_segments, exposure_limit;
  bool evicting;
};

class Cache {
 public:
  static Result<std::unique_ptr<Cache>> Create(const CacheOptions& options);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // Opens a keyspace.  The same name must come with the same scope and codec each time.  Scopes other than "" (public)
  // get segments of their own.  Space 0 is the cache itself: bytes, public.  `terms` is what else must be the same, as
  // text (terms.h).
  Result<uint16_t> OpenSpace(const std::string& name, const std::string& scope, const std::string& codec,
                             const std::string& terms = {}) {
    return keyspaces_.Open(name, scope, codec, terms);
  }

  // The keyspace of this name, whatever its codec; none if it was not opened.
  std::optional<uint16_t> FindSpace(const std::string& name) const { return spaces_.Find(name); }

  void Join(Session* session) { sessions_.Add(session); }
  void Part(Session* session) { sessions_.Remove(session); }  // its counts stay
  const EpochDomain& epochs() const { return epochs_; }

  // kCount       counts the lookup and a use of the entry
  // kCountMiss   the same, but the caller counts the hit (Count::kHits) once it has decided to answer with it
  // kPeek        counts nothing
  enum class Use { kCount, kCountMiss, kPeek };
  // For near caches (version_words.h): the word that holds the key's version, and the version before the lookup.
  struct VersionMark {
    uint32_t word;
    uint32_t version;
  };
  Hit Find(const ReadGuard& guard, Session& session, uint16_t space, Bytes key, Use use = Use::kCount,
           VersionMark* mark = nullptr);

  // The same for several keys.  The memory that each needs is fetched before the first is looked at.
  // hits.size() == keys.size() <= kBatchMax.
  static constexpr size_t kBatchMax = 32;
  void FindMany(const ReadGuard& guard, Session& session, uint16_t space, std::span<const Bytes> keys,
                std::span<Hit> hits, Use use = Use::kCount);

  // Fetches the memory that stores under these keys will need, and gives their hashes for StoreOptions::hash.
  // hashes.size() >= keys.size()
  void FetchForStores(const ReadGuard& guard, uint16_t space, std::span<const Bytes> keys,
                      std::span<uint64_t> hashes) const;

  bool Has(const ReadGuard& guard, Session& session, uint16_t space, Bytes key) {
    return Find(guard, session, space, key, Use::kPeek).segment != Hit::kNowhere;
  }
  std::optional<EntryFacts> Describe(const ReadGuard& guard, Session& session, uint16_t space, Bytes key);
  // What the entry of a hit of this guard cost to make, in ms.  0 if it is not known.
  float CostOfHit(const ReadGuard&, const Hit& hit) const {
    // JavaScript may have written over the header.  The value, which was checked, lies behind all that is read here.
    if (hit.at - hit.entry_at < sizeof(EntryHeader) + sizeof(EntryExtension)) return 0;
    EntryHeader header;
    std::memcpy(&header, arena_->bytes() + hit.entry_at, sizeof(header));
    return CostOf(arena_->bytes(), hit.entry_at, header);
  }
  // The last eviction or refusal of the key; none if no record of it is left.
  std::optional<LastEviction> LastEvictionOf(uint16_t space, Bytes key) const;

  // Copies `value` in.  If it is refused, nothing is stored, and an older value of the key is removed, so that nobody
  // reads what the caller meant to replace (D11).  With `expected` or `keep_old`, it stays.  kTooLarge is the caller's
  // mistake, and changes nothing.  If others write to `value` meanwhile, the copy may be torn.
  //
  // Before it refuses because of views, it has garbage collected (collection_ladder.h): a thread with an isolate may
  // run a collection in here, any other may wait up to 40 ms.  A refusal is counted once, when it stands. REQUIRES: no
  // ReadGuard of the caller.
  SetOutcome Set(Session& session, uint16_t space, Bytes key, Bytes value, const StoreOptions& options = {}) {
    return StoreOrCollect(session, space, [&] { return TrySet(session, space, key, value, options); });
  }
  bool Delete(Session& session, uint16_t space, Bytes key);

  Expected Mark(uint16_t space, Bytes key) const {
    const Spaces::Mark mark = spaces_.MarkOf(space);
    const uint32_t word = version_words_->WordOf(HashOf(space, key));
    return {word, version_words_->Read(word), mark};
  }
  // False: the key is not there, or its state is not the expected one.
  bool DeleteIf(Session& session, uint16_t space, Bytes key, const Expected& expected);

  // Removes every entry of the keyspace that carries the tag; returns how many.
  size_t DeleteByTag(Session& session, uint16_t space, std::string_view tag) EXCLUDES(removal_mutex_);

  // Counts a use, and gives the entry another end if `expires_us` is given.  None: there is no such key.  An entry
  // without an end has no room for one, so it is written anew.  If that is refused, the outcome says why, and the entry
  // stays as it was.  kChanged: the key's state is not `expected`, and nothing was done.  Collects garbage, as Set
  // does. REQUIRES: no ReadGuard of the caller.
  std::optional<SetOutcome> Touch(Session& session, uint16_t space, Bytes key, std::optional<uint64_t> expires_us,
                                  const Expected* expected = nullptr) {
    bool found = false;
    const SetOutcome outcome = StoreOrCollect(session, space, [&] {
      const auto touched = TryTouch(session, space, key, expires_us, expected);
      found = touched.has_value();
      return touched.value_or(SetOutcome::kStored);
    });
    return found ? std::optional(outcome) : std::nullopt;
  }

  // Clears the keyspace.  The cost does not depend on how many entries there are.  `by`: the caller's session; it must
  // be given if it is in an Exclusive section.
  void ClearSpace(uint16_t space, const Session* by = nullptr) EXCLUDES(removal_mutex_);
  // Clears all keyspaces, and frees the memory that nobody sees.
  void Clear(const Session* by = nullptr) EXCLUDES(removal_mutex_);

  // Once Listen returns, `listener` is told every change, as other listeners are.  Once StopListening returns, it is
  // not called any more.
  void Listen(ChangeListener* listener) EXCLUDES(removal_mutex_);
  void StopListening(ChangeListener* listener) EXCLUDES(removal_mutex_);

  // The keys of a keyspace in one shard of the index, 0 … Index::kShards - 1.  All shards together give every key once
  // that is stored from before the first call until after the last.
  std::vector<ScannedKey> Scan(Session& session, size_t shard, uint16_t space);

  // The keyspace's keys a few at a time, without a lock: visits about `keys` of them from `cursor` on, and returns
  // where to go on.  0 begins, and 0 is the end.  A key that is there all the while is visited once, even if the index
  // grows or other keys come and go.  Any cursor is allowed.  Cost: at most `buckets` lines of the index.
  template <class Visit>
  uint64_t ScanFrom(const ReadGuard& guard, uint16_t space, uint64_t cursor, size_t keys, size_t buckets, Visit visit);
  // A random key of the keyspace; none if it has none.  Cost: a few lines of the index, but a pass over it if the
  // keyspace has only a small part of all keys.
  std::optional<ScannedKey> RandomKey(Session& session, uint16_t space);

  // The largest value that `Set` can take with a key of `key_bytes`.
  size_t ValueBytesMax(size_t key_bytes) const;
  // Whether it gets a run of segments to itself.
  bool IsLarge(size_t key_bytes, size_t value_bytes) const;

  // Which segments may be shown, and which buffers must go.
  ExposureControl& exposure() { return exposure_; }
  const ExposureControl& exposure() const { return exposure_; }
  bool evicting() const { return exposure_.evicting(); }
  // For a hit whose segment cools: moves the entry to another segment, and returns where it is then; false if it could
  // not be moved.
  Hit Rescue(const ReadGuard& guard, uint16_t space, Bytes key, const Hit& hit);
  // A buffer over the segment was detached, so someone may write to an alias.  From now on every hit in it is verified.
  void Taint(uint32_t segment) { arena_->segment(segment).tainted.store(true, std::memory_order_relaxed); }

  Arena& arena() const { return *arena_; }
  const CacheOptions& options() const { return options_; }
  const std::shared_ptr<VersionWords>& version_words() const { return version_words_; }

  // Frees what nobody sees any more, gives the pages of segments back that nobody needed for a second, and looks
  // through a part of the index for expired entries.  `idle`: gives the pages of all free segments back.
  void Maintain(bool idle);
  // Entries with an end were stored, so Maintain looks for expired ones.
  bool expects_expiry() const { return upkeep_.expects_expiry(); }
  CacheUsage Usage();
  // A number that stays the same while nobody uses the cache.
  uint64_t Activity() const;
  // Counts of one keyspace, and its entries.
  CountTotals CountsOf(uint16_t space) const { return sessions_.TotalsOf(space); }
  size_t EntriesOf(uint16_t space) const { return spaces_.EntriesOf(space); }
  size_t space_count() const { return spaces_.size(); }
  // Another number after each clearing of the keyspace; no number comes again.
  uint64_t GenerationOf(uint16_t space) const { return spaces_.GenerationOf(space); }
  // How long the runs of a keyspace's model took.
  RunTimes& run_times() { return run_times_; }
  std::string NameOf(uint16_t space) const { return spaces_.At(space).name; }

 private:
  static constexpr uint32_t kVerifyEvery = 256;  // hits, on average; at irregular distances (D17)
  friend class Exclusive;
  friend class StagedValue;
  friend class StoreRun;

  Cache(const CacheOptions& options, Arena* arena, std::shared_ptr<VersionWords> version_words);

  // A set under way.
  struct Newcomer {
    uint16_t space;
    Spaces::Mark mark;
    uint64_t hash;
    Bytes key, value;
    const StoreOptions& options;
    TakenTags& tags;
    uint32_t extension_words;
    std::optional<AccessState> access_state;  // if the policy has placed it already
  };

  // By the keyspace and not by its incarnation: the key's version word stays the same when the keyspace is cleared.
  uint64_t HashOf(uint16_t space, Bytes key) const { return HashInSpace(hash_key_, space, key.data(), key.size()); }
  // Whether the next hit's checksum is compared.  In a `tainted` segment it always is, unless `verify` is off.
  bool MustVerify(Session& session, bool tainted) const {
    if (session.verify_in > 0 && !session.verify_now && !tainted) [[likely]] {
      --session.verify_in;
      return false;
    }
    return VerifiesNow(session, tainted);
  }
  // The rest of it: `verify_in` has run out, or something asks for a comparison.
  bool VerifiesNow(Session& session, bool tainted) const;
  // Fetches the memory for comparing the key and reading a value of about `value_bytes`.
  void FetchAhead(uint64_t at, size_t key_bytes, size_t value_bytes) const;
  // True if the entry at `at` has this key; fills `entry`.
  bool Matches(uint64_t at, uint16_t incarnation, Bytes key, Entry* entry) const;
  // `kAlone`: not one of a batch.  A batch has fetched the memory already.
  template <bool kAlone>
  inline Hit FindHashed(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash, Bytes key, Use use);
  // FindHashed<false>, as a call.
  Hit FindFetched(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash, Bytes key, Use use);
  // What follows once the entry at `at` turned out to have the key.
  inline Hit HitAt(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash, Bytes key, Use use,
                   uint64_t at, const Entry& entry, Moment& now);
  // The entry of a hit is corrupted, or has come to its end: drops it, and counts a miss.
  void DropUnreadable(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash, uint64_t at, Bytes key,
                      bool corrupted, Use use);
  // Removes exactly the entry at `at`; false if it is not there any more.  REQUIRES: a ReadGuard.
  bool Drop(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash, uint64_t at, Bytes key,
            Change::Why why);
  // The entry at `at` has left the index.
  void Forget(uint64_t at) {
    arena_->segment(arena_->SegmentOf(at)).live_entries.fetch_sub(1, std::memory_order_release);
  }
  // True if there was an entry, and it had not expired.  `mark`: only if the keyspace is still this one.  `expected`:
  // only if the key's state is still this one.
  bool RemoveKey(Session& session, uint16_t space, const Spaces::Mark* mark, uint64_t hash, Bytes key,
                 const Expected* expected);
  // REQUIRES: the lock of the key's shard, for an answer that lasts.
  bool Holds(const Expected* expected) const {
    return expected == nullptr ||
           (version_words_->Read(expected->word) == expected->version && spaces_.Valid(expected->space));
  }

  // Runs `store` until it succeeds or nothing more can be done for it.  Counts a refusal that stands.
  template <class Store>
  SetOutcome StoreOrCollect(Session& session, uint16_t space, Store store) {
    SetOutcome outcome = store();
    if (outcome == SetOutcome::kStored) [[likely]]
      return outcome;
    CollectionLadder ladder(session, sessions_, exposure_, *arena_);
    while (outcome == SetOutcome::kRefusedPinned && ladder.Climb()) outcome = store();
    CountRefusal(session, space, outcome);
    return outcome;
  }
  SetOutcome TrySet(Session& session, uint16_t space, Bytes key, Bytes value, const StoreOptions& options);
  std::optional<SetOutcome> TryTouch(Session& session, uint16_t space, Bytes key, std::optional<uint64_t> expires_us,
                                     const Expected* expected);
  // The entry at `at`, which the index gave; false if what JavaScript wrote there is none.
  bool ReadAt(uint64_t at, Entry* entry) const;
  // The entry at `at`, of that hash, has left the index just now.  REQUIRES: the lock of the hash's shard.
  void Untag(uint64_t at, uint64_t hash) noexcept {
    if (Entry entry; ReadAt(at, &entry)) Untag(at, entry.header, hash);
  }
  void Untag(uint64_t at, const EntryHeader& header, uint64_t hash) noexcept {
    if (const TagIds ids = TagsOf(arena_->bytes(), at, header); !ids.empty()) tags_.Drop(ids, hash);
  }
  SetOutcome TakeTags(Session& session, uint64_t hash, std::span<const Tags::Tag> tags, TakenTags* taken);
  SetOutcome SetOnTermsOf(Session& session, uint16_t space, Bytes key, Bytes value, const StoreOptions& options);
  SetOutcome Store(Session& session, uint16_t space, const Spaces::Mark& mark, Bytes key, Bytes value,
                   const StoreOptions& options, std::span<const Tags::Tag> tags);
  SetOutcome ReserveSmall(Session& session, uint16_t space, uint32_t words, size_t key_bytes, size_t value_bytes,
                          Reservation* room);
  SetOutcome SetSmall(Session& session, const Newcomer& newcomer, Reservation* room);
  SetOutcome SetLarge(Session& session, const Newcomer& newcomer, Reservation* room);
  // Room for a large value, with a writer counted until LeaveRun.
  SetOutcome TakeRun(Session& session, uint16_t space, uint32_t words, size_t key_bytes, size_t value_bytes,
                     Reservation* room);
  void LeaveRun(const Reservation& room) noexcept;
  void Write(const Reservation& room, const Newcomer& newcomer, uint32_t ticks);
  void WriteAround(const Reservation& room, const Newcomer& newcomer, uint32_t checksum, uint32_t ticks);
  SetOutcome Publish(Session& session, const Reservation& room, const Newcomer& newcomer) noexcept;
  // Points the index at what was written, and counted as a live entry.  If the writer is then busy, nothing was done.
  SetOutcome Point(const ReadGuard& guard, Session& session, Index::Writer& writer, const Reservation& room,
                   const Newcomer& newcomer) noexcept;
  // An end that an entry shall get.
  struct NewEnd {
    uint16_t space;
    uint64_t hash;
    Bytes key;
    uint64_t expires_us;
    const Expected* expected;
    bool changed = false;  // set by SetEnd and MoveWithEnd: the key's state is not the expected one
  };
  bool SetEnd(Index::Writer& writer, uint64_t at, NewEnd& end);
  bool MoveWithEnd(Index::Writer& writer, uint64_t at, const Entry& entry, const Reservation& room, NewEnd& end);
  void TellTouched(const Index::Writer& writer, const NewEnd& end) const;
  void CountRefusal(Session& session, uint16_t space, SetOutcome outcome);
  uint32_t Ticks() const;
  void PayFromBudget();
  bool Refused(Session& session, Newcomer& newcomer);
  void DrainAccesses(Session& session) {
    if (SharedPolicy::Due(session)) [[unlikely]]
      policy_.Drain(session, FillLevel(session));
  }
  SharedPolicy::Fill FillLevel(const Session& session);

  const CacheOptions options_;
  const HashKey hash_key_;
  const uint64_t born_us_ = CoarseNowUs();
  Arena* const arena_;  // one reference of it is ours
  const std::shared_ptr<VersionWords> version_words_;
  EpochDomain epochs_;
  RunTimes run_times_;
  SessionList sessions_{epochs_};
  Index index_;
  SharedPolicy policy_;
  Appraiser appraiser_;
  ExposureControl exposure_;
  Spaces spaces_;
  Tags tags_;
  EvictionRecords eviction_records_;
  ChangeFeed changes_;
  std::atomic<uint64_t> seal_clock_{1};
  std::atomic<uint64_t> decommit_due_us_{0};  // when Maintain gives pages back again

  Evictor evictor_;
  Upkeep upkeep_;
  Keyspaces keyspaces_;

  ExclusiveGate gate_;

  // Deletions by tag and clearings run one after the other.  So what one of them has begun to remove is gone, also from
  // near caches, when another returns.
  Mutex removal_mutex_;
};

// These two are in the header because every lookup, in whatever file, calls both.
inline bool Cache::ReadAt(uint64_t at, Entry* entry) const { return arena_->TryRead(at, entry); }

[[gnu::always_inline]] inline bool Cache::Matches(uint64_t at, uint16_t incarnation, Bytes key, Entry* entry) const {
  const std::byte* const memory = arena_->bytes();
  const uint64_t end = arena_->EndOf(arena_->SegmentOf(at));
  if (!TryReadHeader(memory, at, end, &entry->header)) return false;
  if (entry->header.space != incarnation || entry->header.key_bytes != key.size()) return false;
  if (!TryLayOut(at, end, entry)) return false;
  return SameBytes(memory + entry->layout.key_at, key.data(), key.size());
}

template <class Visit>
uint64_t Cache::ScanFrom(const ReadGuard& guard, uint16_t space, uint64_t cursor, size_t keys, size_t buckets,
                         Visit visit) {
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  const uint64_t now = NowUs();
  size_t visited = 0;
  for (; buckets > 0 && visited < keys && cursor < Index::kScanEnd; --buckets) {
    cursor = index_.VisitFrom(guard, cursor, [&](uint64_t at) {
      Entry entry;
      if (!ReadAt(at, &entry) || entry.header.space != incarnation) return;
      if (ExpiresUs(arena_->bytes(), at, entry.header) <= now) return;
      ++visited;
      visit(Bytes(arena_->bytes() + entry.layout.key_at, entry.header.key_bytes), entry.header.key_is_bytes());
    });
  }
  return cursor < Index::kScanEnd ? cursor : 0;
}

}  // namespace zerohop
