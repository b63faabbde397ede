// evictor.h: why was my key evicted?  Because its worth was below the threshold when its segment was emptied.
//
// When no free segment is left, one sealed segment is emptied.  Entries worth more than the threshold are copied to the
// survivors of their scope; the others leave the index.  The segment is then retired, and it is free as soon as no
// reader, writer or view refers to it.
//
//   worth      the entry's reuse rate (policy.h) times its cost, by the byte
//   threshold  the worth that separates the least fifth of the live bytes from the rest, estimated from a sample
//   benefit    the share of a segment's bytes that emptying it would free: bytes of dead entries count in full, bytes
//   of
//              entries below the threshold count more, the less they are worth.  Estimated from the same sample.
//   victim     the sealed segment with the highest benefit among those that no external buffer shows, because only
//   those
//              are free at once.  Segments without entries come first.  Exposed segments are not emptied to make room:
//              their turn comes when the buffers are gone.
//   cooling    the quarter of the sealed segments with the highest benefit cools.  A cooling segment is not exposed any
//              more, and isolates are told to release their buffers over it, so that a collection can free it before it
//              is needed.  An entry that is asked for in a cooling segment moves to the survivors at once (Rescue).  A
//              segment that is still exposed when the next group is chosen stops cooling until its turn comes again.
//   limit      at most Limit() segments are exposed at a time, so that a victim is always left
//
//   evictor.cc        emptying segments                           evictor_choice.cc  choosing the victim
//   evictor_run.cc    neighbouring segments for large values     evictor_trim.cc    the limit of entries
//
// Threads  any; one eviction at a time under `mutex_`.  Lock order: mutex_ before stream, arena, index.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/hash.h"
#include "base/mutex.h"
#include "base/random.h"
#include "cache/arena.h"
#include "cache/buffer_holder.h"
#include "cache/change_listener.h"
#include "cache/entry.h"
#include "cache/epoch.h"
#include "cache/eviction_records.h"
#include "cache/index.h"
#include "cache/session.h"
#include "cache/shared_policy.h"
#include "cache/spaces.h"
#include "cache/stream.h"
#include "cache/tags.h"
#include "cache/version_words.h"

namespace zerohop {

class Evictor {
 public:
  enum class Outcome { kMadeRoom, kPinned, kReaders };

  // What it works on; all outlive it.
  struct Parts {
    Arena& arena;
    Index& index;
    EpochDomain& epochs;
    Spaces& spaces;
    Tags& tags;
    VersionWords& version_words;
    const SharedPolicy& policy;
    EvictionRecords& eviction_records;
    bool weigh_cost_and_bytes;  // CacheOptions
    std::atomic<uint64_t>& seal_clock;
    HashKey hash_key;
    const ChangeFeed& changes;
    std::function<void()> announce;  // notice() has grown
  };

  explicit Evictor(Parts parts) : parts_(std::move(parts)), estimates_(parts_.arena.segment_count()) {}

  static constexpr size_t kScopesMax = 1024;
  // A scope whose new entries go to `newcomers`, which outlives this.  In the order 0, 1, 2 …
  void AddScope(uint16_t scope, Stream& newcomers) EXCLUDES(mutex_);

  // Moves an entry of a cooling segment to the survivors of its scope and returns its new place; none if there is no
  // room, or it has been replaced meanwhile.  REQUIRES: a ReadGuard of the caller since it found the entry.
  std::optional<uint64_t> Rescue(const Entry& entry, uint64_t at, uint64_t hash);

  // On kMadeRoom a free segment could be taken with `spare` left (another thread may have taken it since).
  Outcome MakeRoom(Session& session, uint32_t spare) EXCLUDES(mutex_);

  // Empties one segment though there may be room: for what its entries hold outside of it.
  Outcome Shed(Session& session) EXCLUDES(mutex_);

  // Takes `count` neighbouring segments, evicting what lies there if need be.
  Outcome MakeRun(Session& session, uint32_t count, uint32_t spare, uint32_t* first) EXCLUDES(mutex_);

  // Evicts entries until at most `entries_max` can be found.  Each time the entry of least worth in a sample goes.
  // `newcomer` stays.
  void Trim(Session& session, size_t entries_max, uint64_t newcomer) EXCLUDES(mutex_);

  // Retires every segment in use.
  void RetireAll(Session* session) EXCLUDES(mutex_);

  // Retires segments without entries and frees what nobody sees.
  void Tidy() EXCLUDES(mutex_);

  // The entry at `at` has left the index just now, found by its place.  REQUIRES: the lock of its shard.
  void Untag(uint64_t at) const noexcept;

  // The worth that an entry must exceed to stay when its segment is emptied; and the worth of a newcomer that is
  // admitted, where admission is on.
  float threshold() const { return threshold_.load(std::memory_order_relaxed); }
  float entry_fee() const { return entry_fee_.load(std::memory_order_relaxed); }
  // Looks at more of the index, unless another thread is at it.
  void Resample(Session& session) EXCLUDES(mutex_);
  // The entry's worth.
  float WorthPerByte(AccessState access_state, uint64_t at, const Entry& entry) const {
    const float cost = CostOf(parts_.arena.bytes(), at, entry.header);
    return parts_.policy.ReuseRate(access_state) * WeightOf(cost, entry.layout.end - at);
  }
  // What its reuse rate is multiplied by.
  float WeightOf(float cost, uint64_t bytes) const {
    return parts_.weigh_cost_and_bytes ? (cost > 0 ? cost : kCostUnsaid) / static_cast<float>(bytes) : 1;
  }

  static constexpr size_t bytes_a_segment() { return sizeof(Estimate); }

  // Tells the holders of buffers to look at them.
  void Notify();
  uint32_t notice() const { return notice_.load(std::memory_order_acquire); }
  bool evicting() const { return evicting_.load(std::memory_order_relaxed); }
  // True while as many segments are exposed as the limit allows, or while the cache evicts.  Isolates then hold buffers
  // weakly and near caches keep nothing, so that unused buffers make room for others.
  bool under_pressure() const { return exposure_pressure_.load(std::memory_order_relaxed) || evicting(); }
  void SignalPressure();  // any thread
  // How many segments may be exposed.  `prompt`: buffers come back at the next collection of the young generation, so
  // nearly all segments may be exposed.  Otherwise finalizers wait for the event loop: while the cache evicts, half of
  // the segments may be exposed, and down to a quarter while collections lag.
  uint32_t Limit(bool prompt) const;

  // kYoung: released buffers still pin cooling segments.  kWhole: a group stayed exposed for its whole time of cooling,
  // so its buffers have grown old.
  CollectionNeed collection_need() const { return collection_need_.load(std::memory_order_relaxed); }
  void CollectionDone() { collection_need_.store(CollectionNeed::kNothing, std::memory_order_relaxed); }

 private:
  // The benefit of emptying a segment, as far as samples tell.
  struct Estimate {
    float benefit = 0;  // of its live entries: 1 if all are worth nothing, 0 if all are worth the threshold
    uint32_t seen = 0;  // entries that it was estimated from, up to kSeenMax
    uint32_t generation = 0;
  };
  struct Sampled {
    float worth;
    uint32_t bytes;
  };

  uint32_t Reclaim() REQUIRES(mutex_);
  bool AwaitFree(uint32_t first, uint32_t count) REQUIRES(mutex_);
  Outcome AwaitTakeable(uint32_t spare) REQUIRES(mutex_);
  void ListSealed() REQUIRES(mutex_);
  static constexpr float kCostUnsaid = 1;  // what an entry is taken to cost if nobody said, in ms

  std::optional<uint32_t> Victim(Session& session) REQUIRES(mutex_);
  std::optional<uint32_t> MostBeneficial(float* next) REQUIRES(mutex_);
  float BenefitOf(uint32_t index) const REQUIRES(mutex_);
  float BenefitOfWorth(float worth) const;
  float WalkedBenefit(uint32_t index) const REQUIRES(mutex_);
  void Survey(Session& session, uint32_t entries) REQUIRES(mutex_);
  void Weigh(uint64_t at, AccessState access_state, uint64_t now_us) REQUIRES(mutex_);
  void RefreshSmall(Session& session) REQUIRES(mutex_);
  void LearnBenefit(uint32_t index, float benefit, uint32_t seen) REQUIRES(mutex_);
  void DrawThreshold() REQUIRES(mutex_);
  float WorstToKeep() const REQUIRES(mutex_);
  // At most 3/4 of a segment survive: an eviction always frees something.
  size_t SurvivorRoom() const { return parts_.arena.segment_bytes() / 4 * 3; }
  uint32_t CoolingWindow() const;
  void CoolIfDue() REQUIRES(mutex_);
  void Cool() REQUIRES(mutex_);
  void StartEvicting() REQUIRES(mutex_);
  void Evict(Session* session, uint32_t index, bool may_survive, bool decommit) REQUIRES(mutex_);
  void EvictWalked(Session* session, uint32_t index, bool may_survive) REQUIRES(mutex_);
  // `next_at`: the value that will be copied after this one.
  std::optional<uint64_t> CopyForward(const Entry& entry, uint64_t at, uint64_t hash, uint16_t scope, uint32_t spare,
                                      uint64_t next_at);
  bool Walk(Session* session, uint32_t index) REQUIRES(mutex_);
  uint64_t HashOf(const Entry& entry) const;
  void Uncount(uint64_t at) const;
  // Nobody may find it any more: its keyspace was cleared, or its time is over.
  bool Dead(const EntryHeader& header) const { return !parts_.spaces.Alive(header.space); }
  bool Expired(uint64_t at, const EntryHeader& header, uint64_t now_us) const {
    return ExpiresUs(parts_.arena.bytes(), at, header) <= now_us;
  }
  bool RetireEmpty(bool decommit) REQUIRES(mutex_);
  bool TrimOne(Session& session, uint64_t newcomer, bool everywhere) REQUIRES(mutex_);
  void SealOpen() REQUIRES(mutex_);
  std::optional<uint32_t> CheapestWindow(uint32_t count) REQUIRES(mutex_);
  uint32_t FreeIn(uint32_t first, uint32_t count) const;
  void EvictWindow(Session& session, uint32_t first, uint32_t count) REQUIRES(mutex_);
  static void Add(Session* session, Count which, uint64_t by = 1) {
    if (session != nullptr) session->counters.Add(which, by);
  }

  const Parts parts_;
  std::atomic<uint32_t> notice_{0};
  std::atomic<bool> evicting_{false};
  std::atomic<bool> exposure_pressure_{false};
  std::atomic<uint32_t> scopes_{0};
  std::atomic<uint32_t> lag_{0};  // cooled segments that were still exposed at the last cooling
  std::atomic<CollectionNeed> collection_need_{CollectionNeed::kNothing};
  std::unique_ptr<std::atomic<Stream*>[]> survivors_ { new std::atomic<Stream*>[ kScopesMax ]() };  // by scope

  // A live entry of the segment that is being emptied.
  struct Walked {
    Entry entry;
    uint64_t at;
    uint64_t hash;
    float worth;  // by the byte; below zero: nobody may find it any more
    AccessState access_state;
  };
  // `threshold`: the worth that it had to exceed.  True if someone could have found it.
  bool EvictEntry(Session* session, const Walked& one, Count why, float threshold);

  Mutex mutex_;
  std::vector<std::unique_ptr<Stream>> streams_ GUARDED_BY(mutex_);  // owns what survivors_ points at
  std::vector<Stream*> newcomers_ GUARDED_BY(mutex_);
  uint32_t evictions_since_cooling_ GUARDED_BY(mutex_) = UINT32_MAX / 2;
  std::vector<uint32_t> sealed_ GUARDED_BY(mutex_);            // scratch of one eviction
  std::vector<Walked> walked_ GUARDED_BY(mutex_);              // likewise
  std::optional<uint32_t> walked_segment_ GUARDED_BY(mutex_);  // whose entries those are

  // What is known of the live entries.
  static constexpr uint32_t kSampleMax = 512;
  std::vector<Estimate> estimates_ GUARDED_BY(mutex_);           // by segment
  std::array<Sampled, kSampleMax> sample_ GUARDED_BY(mutex_){};  // a ring
  uint32_t sampled_ GUARDED_BY(mutex_) = 0;                      // ever
  uint32_t trimmed_ GUARDED_BY(mutex_) = 0;
  uint32_t next_small_ GUARDED_BY(mutex_) = 0;  // segment whose estimate is renewed next
  uint64_t Draw() REQUIRES(mutex_) { return NextRandom(random_) ^ random_ >> 29; }
  uint64_t random_ GUARDED_BY(mutex_) = 0x9e3779b97f4a7c15u;
  std::atomic<float> threshold_{0};
  std::atomic<float> entry_fee_{0};
};

}  // namespace zerohop
