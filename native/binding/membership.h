// membership.h: an isolate's part in one cache: a Session, and which segments it has buffers over.
//
// While the cache is not under pressure (exposure_control.h), a membership holds its buffers strongly, so they are made
// once.  Under pressure it holds them weakly, and releases them after each collection (D2 in docs/DECISIONS.md).  Then
// any collection frees all buffers that no view keeps, and a hit makes a new one in a microsecond.  A buffer that is in
// use at two collections in a row grows old, and only a collection of the whole heap frees it.  So no buffer is used
// for longer than its views.  External ArrayBuffers, whose bytes V8 counts, are held strongly until their segments
// cool.
//
// Threads  the environment's, except OnNotice and OnCollectionWanted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "binding/exposure.h"
#include "binding/napi_setup.h"
#include "cache/buffer_holder.h"
#include "cache/cache.h"

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

  // This isolate's buffer over the segment; null if it has none.  Allocates nothing in V8's heap.
  napi_value Buffer(napi_env env, uint32_t segment) {
    return slots_[segment].ref == nullptr ? nullptr : BufferOf(env, segment);
  }

  // Counts a copied hit out of the segment; true once its copies have cost what an exposure costs.
  bool Rent(uint32_t segment, size_t bytes, uint64_t price_ns);

  // Makes a buffer over the segment.  Null: it could not be made, and the exposure was taken back.  REQUIRES:
  // Arena::TryExpose has counted the exposure.
  napi_value Expose(napi_env env, uint32_t segment);

  // Releases buffers over segments that cool or are retired; under pressure, makes all references weak.  Called at the
  // start of every call.  It takes one load if there is nothing to do.
  void HeedNotice(napi_env env) {
    if (cache_->exposure().notice() != seen_notice_) [[unlikely]]
      ReleaseBuffers(env);
  }

  // Whether nobody has used the cache for a while, in any thread.  Ask about once a second.
  bool IsUnused();

  // After a collection: releases the buffers that are held weakly.
  void Refresh(napi_env env);

  // The buffer over the segment turned out to be detached: drops it, and has every hit in the segment verified.
  void Detached(napi_env env, uint32_t segment);

  // Buffers that V8 has not freed yet, in segments: all of them, and those that this membership does not hold strongly.
  uint32_t seen() const { return tally_->segments.load(std::memory_order_relaxed); }
  uint32_t pending() const { return seen() > strong_ ? seen() - strong_ : 0; }
  const std::shared_ptr<ExposureTally>& tally() const { return tally_; }

  // BufferHolder.  The first two: any thread.
  void OnNotice() override;
  bool OnCollectionWanted(CollectionNeed need) override;
  bool Collect(CollectionNeed need) override;

  // The place where the keyspace's near hits are counted; none if the isolate has no more.
  std::optional<uint32_t> NearNumber(uint16_t space);
  // This isolate's buffer over the words that near caches watch; null if there can be no such buffer.
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
  uint64_t activity_ = 0;         // the cache's, when IsUnused last asked
  uint64_t unused_since_us_ = 0;  // since when it has been the same
  bool saw_pressure_ = false;
  std::shared_ptr<ExposureTally> tally_ = std::make_shared<ExposureTally>();
  std::vector<std::pair<uint16_t, uint32_t>> near_numbers_;  // keyspace, number
  napi_ref version_words_ = nullptr;
};

}  // namespace zerohop::binding
