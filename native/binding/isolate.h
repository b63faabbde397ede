// isolate.h: what the addon keeps for one JavaScript environment (the main thread or a worker).
//
//   Isolate     instance data: result registers, open handles, memberships, the collector's price; shared by all
//               evaluations of the library's JavaScript (evaluation.h)
//   Membership  this isolate's part in one cache: a Session, and which segments it has buffers over
//   Handle      what a JavaScript Cache or Keyspace holds: a number that leads to (membership, keyspace)
//
// A membership refers to its buffers strongly while the cache is not under pressure (exposure_control.h): they are made once.
// Then it refers to them weakly, and forgets them after each collection: a collection of whatever generation takes all
// that no view keeps, and a hit makes a new one in a microsecond.  (A buffer that is in use at two collections in a row
// grows old, and costs a collection of the whole heap to get back: so none is in use for longer than its views.)
// External ArrayBuffers, whose bytes V8 counts, are held strongly until they cool.
//
// Threads  everything here belongs to the environment's thread, except OnNotice, OnCollectionWanted, PostNotice and
//          AskToCollect.
// Lifetime from module init to the environment's cleanup hook, which runs before Node tears the environment down.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "binding/evaluation.h"
#include "binding/exposure.h"
#include "binding/keys.h"
#include "binding/napi_setup.h"
#include "cache/cache.h"
#include "fingerprint/known_inputs.h"

namespace zerohop::binding {

class Isolate;

class Membership final : public BufferHolder {
 public:
  Membership(Isolate& isolate, std::shared_ptr<Cache> cache);
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  Cache& cache() { return *cache_; }
  const std::shared_ptr<Cache>& shared_cache() const { return cache_; }
  Session& session() { return session_; }
  int handles = 0;  // open handles that use it

  // This isolate's buffer over the segment; null if it has none, or none any more.  Allocates nothing in V8's heap.
  napi_value Buffer(napi_env env, uint32_t segment) {
    return slots_[segment].ref == nullptr ? nullptr : BufferOf(env, segment);
  }

  // Counts a copied hit out of the segment; true once its copies have cost what an exposure costs.
  bool Rent(uint32_t segment, size_t bytes, uint64_t price_ns);

  // Makes a buffer over the segment.  REQUIRES: Arena::TryExpose was granted.  Null: it could not be made, and the
  // exposure was taken back.
  napi_value Expose(napi_env env, uint32_t segment);

  // Lets go of what cools or is retired, and of everything's strength when eviction begins.  At the start of every
  // call: one load when there is nothing to do.
  void HeedNotice(napi_env env) {
    if (cache_->exposure().notice() != seen_notice_) [[unlikely]]
      ReleaseBuffers(env);
  }

  // After a collection: forgets its weak references.
  void Refresh(napi_env env);

  // The buffer over the segment turned out to be detached: forget it, and trust the segment less.
  void Detached(napi_env env, uint32_t segment);

  // Buffers not yet freed by V8, in segments: all, and those that this membership does not hold strongly.
  uint32_t seen() const { return tally_->segments.load(std::memory_order_relaxed); }
  uint32_t pending() const { return seen() > strong_ ? seen() - strong_ : 0; }
  const std::shared_ptr<ExposureTally>& tally() const { return tally_; }

  // BufferHolder.  The first two: any thread.
  void OnNotice() override;
  bool OnCollectionWanted(CollectionNeed need) override;
  bool Collect(CollectionNeed need) override;

  // The number that counts the keyspace's near hits; none if the isolate has no more.
  std::optional<uint32_t> NearNumber(uint16_t space);
  // This isolate's buffer over the words that near caches watch; null where there can be none.
  napi_value VersionWordsBuffer(napi_env env);

 private:
  struct Slot {
    napi_ref ref = nullptr;
    uint32_t generation = 0;  // of the segment, when `rent_ns` began
    uint32_t rent_ns = 0;
    bool strong = false;
  };

  napi_value BufferOf(napi_env env, uint32_t segment);
  void ReleaseBuffers(napi_env env);
  void Drop(napi_env env, uint32_t segment);
  void Weaken(napi_env env, uint32_t segment);
  uint32_t LengthOf(uint32_t segment) const { return cache_->arena().segment(segment).run_segments; }

  Isolate& isolate_;
  const std::shared_ptr<Cache> cache_;
  Session session_;
  std::vector<Slot> slots_;
  uint32_t strong_ = 0;  // in segments, runs by their length
  uint32_t seen_notice_ = 0;
  bool saw_pressure_ = false;
  std::shared_ptr<ExposureTally> tally_ = std::make_shared<ExposureTally>();
  std::vector<std::pair<uint16_t, uint32_t>> near_numbers_;  // keyspace, number
  napi_ref version_words_ = nullptr;
};

struct Handle {
  Membership* membership = nullptr;  // null: closed
  uint16_t space = 0;
  uint16_t generation = 0;  // part of the handle's number: a closed one's is not another's soon
  KeyKind keys = KeyKind::kText;
  Counters* counters = nullptr;  // the membership's, of the keyspace
};

class Isolate {
 public:
  // Registers, in memory that JavaScript shares: results of the last call, beyond the one it returned.
  enum Register : size_t {
    kOffset,
    kLength,
    kSegment,
    kNearWord,     // where the version of the key lies (cache/version_words.h)
    kNearVersion,  // what it was before the lookup
    kVerifyNow,    // set by JavaScript: the next lookup compares the checksum
    kNearEnds,     // the tick from which on JavaScript must ask (base/ticker.h)
    kEvicted,      // entries that the last `set` pushed out
    kRegisters = 48
  };
  static constexpr uint32_t kNearNumbers = 1024;
  // The same memory as numbers of eight bytes.
  enum WideRegister : size_t {
    kExpires = 8,
    kAge,
    kFrequency,
    kCost,
    kSize,
    kStoreTtl,   // set by JavaScript: what the next value is stored with, in us; infinity: it has no end
    kStoreCost,  // likewise, in ms
    kGap,        // in capacities
    kWorth,
    kThreshold,
    kIdle  // in capacities
  };

  explicit Isolate(napi_env env) : env_(env), backend_(ChooseBackend(env)) {}
  ~Isolate();
  Isolate(const Isolate&) = delete;
  Isolate& operator=(const Isolate&) = delete;

  static Isolate* Of(napi_env env) {
    void* data = nullptr;
    napi_get_instance_data(env, &data);
    return static_cast<Isolate*>(data);
  }

  // At module init: makes the registers, and the queue to the event loop.
  Status Prepare();
  // Another evaluation of the library; null: `library` is no object.
  Evaluation* Join(napi_value library);
  // The evaluation whose call this is.  At the start of every call, so that an error is of its classes.
  void Enter(Evaluation* evaluation) { evaluation_ = evaluation; }
  Evaluation& evaluation() { return *evaluation_; }

  napi_env env() const { return env_; }
  Backend backend() const { return backend_; }
  void ForbidExternalBuffers() { backend_ = Backend::kCopy; }
  uint32_t* registers() { return registers_; }
  napi_ref registers_array() const { return registers_ref_; }
  napi_ref near_hits_array() const { return near_hits_ref_; }
  double* wide_registers() { return reinterpret_cast<double*>(registers_); }

  // Of all its models.
  KnownInputs& known_inputs() { return known_inputs_; }

  // A number for a keyspace's near hits, in memory that JavaScript shares; none if there are no more.
  std::optional<uint32_t> TakeNearNumber();
  void GiveNearNumber(uint32_t number);
  double* near_hits() { return near_hits_; }
  // Has near caches drop what is stale: their views keep segments.  Runs JavaScript, ours.
  void TidyNear();

  // The number of a new handle: its place, and how often the place was used before.
  int32_t Open(std::shared_ptr<Cache> cache, uint16_t space, KeyKind keys);
  Handle* Find(int32_t number) {
    const size_t place = PlaceOf(number);
    // No generation is as negative as that of a negative number.
    if (place >= handles_.size() || handles_[place].membership == nullptr) return nullptr;
    return handles_[place].generation == number >> kPlaceBits ? &handles_[place] : nullptr;
  }
  void Close(int32_t handle);

  void set_heap_used_bytes(uint64_t bytes) { heap_used_bytes_ = bytes; }
  // What copies out of a segment must have cost before it is shown.
  uint64_t PriceNs(const Cache& cache) const;
  // Buffers come back at a collection, wherever it happens; not only when the event loop turns.
  bool prompt() const { return backend_ == Backend::kShared; }
  // Finalizers of external ArrayBuffers run when the event loop turns.  A loop that never lets it turn must not expose
  // the whole cache: this many segments of a cache between two turns.
  bool MayExposeNow(const Cache& cache);
  void CountExposed(uint32_t segments) { exposed_this_turn_ += segments; }

  // At the start of every call: one load when there is nothing to do.
  void HeedCollection() {
    if (collections_->load(std::memory_order_relaxed) != seen_collections_) [[unlikely]]
      Collected();
  }

  // Keeps V8's account of external memory at what let-go buffers hold; never below zero of our own.  May collect
  // garbage: not under a lock, not under a ReadGuard.
  void Account();
  // Makes V8 collect its young generation.  Not while the last one that freed no buffer was
  // too recent.  True if it ran.
  bool CollectYoung();
  // Makes V8 collect everything.  Not if collections would then take more than 1 % of the time.  True if it ran.
  bool ForceCollection();
  // Plans the collection that the evictor wants, where this membership's buffers are concerned.  A buffer that a view
  // uses at that moment would survive, and grow old; so first kQuietHits hits are copies, and views that are held
  // briefly go.
  void PlanCollection(Membership& membership);
  // A store of another thread waits for a collection: it runs when the event loop turns, or in this isolate's next call
  // of the cache.  Any thread, as PostNotice.
  void AskToCollect(CollectionNeed need);
  void CollectAsAsked();
  // Hits are views where they can be; else copies.
  bool shows() const { return backend_ != Backend::kCopy && quiet_calls_ == 0; }
  void CountQuietHit() {
    if (quiet_hits_ > 0) --quiet_hits_;
  }
  // At the start of every call.
  void HeedPlan() {
    if (quiet_calls_ == 0) [[likely]]
      return;
    if (--quiet_calls_ == 0 || quiet_hits_ == 0) CollectAsPlanned();
  }

  // Once a second from an unreferenced timer: frees, gives back, and collects for an idle process.
  void Maintain();

  // Posts to this isolate's event loop.  Any thread, while a Membership of this isolate is in its cache's list.
  void PostNotice();
  void OnPosted();  // on this thread

  const std::vector<std::unique_ptr<Membership>>& memberships() const { return memberships_; }

 private:
  static constexpr int kPlaceBits = 20;  // a million open handles
  static constexpr int kGenerationBits = 31 - kPlaceBits;
  static size_t PlaceOf(int32_t number) { return static_cast<size_t>(number) & ((size_t{1} << kPlaceBits) - 1); }

  bool CallHook(Evaluation& evaluation, const char* hook);
  uint64_t PendingBytes();
  uint32_t SeenSegments() const;
  void Collected();
  void CollectAsPlanned();
  using Clock = std::chrono::steady_clock;

  const napi_env env_;
  Backend backend_;
  napi_ref registers_ref_ = nullptr;
  uint32_t* registers_ = nullptr;
  napi_ref near_hits_ref_ = nullptr;
  double* near_hits_ = nullptr;
  std::vector<uint32_t> near_numbers_;  // not taken
  std::vector<std::unique_ptr<Evaluation>> evaluations_;
  Evaluation* evaluation_ = nullptr;  // that called last
  napi_threadsafe_function post_ = nullptr;
  std::atomic<bool> posted_{false};
  std::atomic<CollectionNeed> asked_{CollectionNeed::kNothing};  // for by other threads

  std::shared_ptr<std::atomic<uint32_t>> collections_ = std::make_shared<std::atomic<uint32_t>>(0);
  uint32_t seen_collections_ = 0;
  uint32_t exposed_this_turn_ = 0;
  CollectionNeed planned_ = CollectionNeed::kNothing;
  uint32_t quiet_calls_ = 0;  // left
  uint32_t quiet_hits_ = 0;   // left

  std::vector<Handle> handles_;
  std::vector<size_t> free_places_;
  std::vector<std::unique_ptr<Membership>> memberships_;
  // Buffers of closed caches that V8 has not freed yet.
  struct Departed {
    std::shared_ptr<ExposureTally> tally;
    size_t segment_bytes;
  };
  std::vector<Departed> departed_;

  KnownInputs known_inputs_;

  uint64_t heap_used_bytes_ = 0;
  int64_t accounted_bytes_ = 0;  // what we have added to V8's account and not yet taken off
  Clock::time_point next_collection_{};
  Clock::time_point next_young_collection_{};
};

}  // namespace zerohop::binding
