// lookup.h: from a key to a view or a copy.  Here a hit is answered according to whether its segment may be exposed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "binding/call.h"
#include "binding/napi_setup.h"
#include "cache/cache.h"

namespace zerohop::binding {

// Answers of a lookup that has no buffer for a view.  Compared with lib/addon/native.ts (numbers.h).
inline constexpr int32_t kMiss = -1;
inline constexpr int32_t kCopied = -2;    // into the slab, at the offset in the registers
inline constexpr int32_t kNeedSlab = -3;  // a copy is due, and the slab has no room for it.  Nothing was counted
inline constexpr int32_t kFailed = -4;    // an exception is pending

// Words of one key in the answers of a batch: result, offset, length.
inline constexpr size_t kLocationWords = 3;

// The caller's memory for copies begins with a header of so many bytes.
inline constexpr size_t kSlabHeaderBytes = kCacheLineBytes;

// The caller's memory for copies.  The first four bytes are a cursor; copies lie behind the header.  JavaScript can
// write to all of it, so the cursor is checked as any other input.
struct Slab {
  std::byte* data = nullptr;
  size_t bytes = 0;
  bool known = false;

  // Reads the slab.  `value` is undefined before the first copy.  A slab whose buffer was detached has no room.
  void Learn(napi_env env, napi_value value);

  // Copies, and returns the offset of the copy; none: there is no room.
  std::optional<uint32_t> Put(const std::byte* from, size_t length);
};

struct Location {
  int32_t result = kMiss;  // the segment, if there is a buffer
  uint32_t offset = 0;
  uint32_t bytes = 0;
  napi_value buffer = nullptr;
};

// What the hits of a batch cost to make.  Hits that the caller must ask for again (kNeedSlab) are left out.
struct Costs {
  double sum_ms = 0;
  uint32_t known = 0;  // hits with a cost above 0
};

// The buffer, or the result as a number.  Writes offset, length and segment to the registers.
napi_value AnswerOf(napi_env env, const Call& call, const Location& found);

// Answers the lookups of one call: a view if this isolate has, or may have, a buffer over the segment; otherwise a
// copy.
class Lookup {
 public:
  // `slab` is read only when a copy is due.
  Lookup(napi_env env, const Call& call, napi_value slab) : env_(env), call_(call), slab_value_(slab) {}

  Location One(Bytes key, Cache::Use use = Cache::Use::kCountMiss) { return One(key, use, nullptr, nullptr); }
  // The same, and tells what a near cache must know: `mark`, and when the entry expires (unchanged on a miss).
  Location OneMarked(Bytes key, Cache::VersionMark* mark, uint64_t* expires_us) {
    return One(key, Cache::Use::kCountMiss, mark, expires_us);
  }

  // The same, and tells when the entry expires, and what it cost to make (unchanged on a miss).
  Location OneCosted(Bytes key, uint64_t* expires_us, float* cost_ms) {
    return One(key, Cache::Use::kCountMiss, nullptr, expires_us, cost_ms);
  }

  // Gives some of the keys, from the first-th on.
  using KeysFrom = std::function<void(size_t first, std::span<Bytes> keys)>;
  // Any number of keys.  Writes result, offset and length of each to `locations` (an Int32Array), and the buffer of
  // each segment among the results to `buffers` (an array).  Returns the number of hits; null, and an exception is
  // pending, on failure.  `costs`: adds those of the hits, if it is given.  REQUIRES: `keys_from` runs no JavaScript.
  napi_value All(size_t count, const KeysFrom& keys_from, napi_value locations, napi_value buffers,
                 Costs* costs = nullptr);

 private:
  struct Batch;

  // At most Cache::kBatchMax keys, whose answers are written from `to` on.  False: an exception is pending.
  bool Some(std::span<const Bytes> keys, Batch& batch, int32_t* to);
  bool ExposeAll(std::span<const uint8_t> waiting, Batch& batch, int32_t* to);
  Location One(Bytes key, Cache::Use use, Cache::VersionMark* mark, uint64_t* expires_us, float* cost_ms = nullptr);
  // Under a ReadGuard.  Answers; or returns false if the segment must be exposed first, which has been granted.
  bool Answer(const ReadGuard& guard, Bytes key, Hit* hit, Cache::Use use, Location* answer);
  // Outside the ReadGuard, because it makes a buffer.
  Location Expose(const Hit& hit, Cache::Use use);
  // Counts the hit, unless `use` is kPeek.
  Location Shown(const Hit& hit, napi_value buffer, Cache::Use use) const;
  // Where the value lies in the buffer over its segment.
  static uint32_t OffsetOf(const Arena& arena, const Hit& hit) {
    return static_cast<uint32_t>(hit.at - arena.StartOf(hit.segment) - arena.segment(hit.segment).view_at);
  }
  void CountHit(Cache::Use use) const {
    if (use != Cache::Use::kPeek) call_.counters().Add(Count::kHits);
  }

  napi_env env_;
  const Call& call_;
  napi_value slab_value_;
  Slab slab_;
};

inline Location Lookup::Shown(const Hit& hit, napi_value buffer, Cache::Use use) const {
  CountHit(use);
  return {static_cast<int32_t>(hit.segment), OffsetOf(call_.cache().arena(), hit), hit.bytes, buffer};
}

// In the header: a call of its own would be 4 % of a get's instructions.
[[gnu::always_inline]] inline Location Lookup::One(Bytes key, Cache::Use use, Cache::VersionMark* mark,
                                                   uint64_t* expires_us, float* cost_ms) {
  Membership& membership = call_.membership();
  Cache& cache = membership.cache();
  ReadGuard guard(cache.epochs(), membership.session());
  // Made in place: a copy would wait for what Find has written a moment ago.
  Hit hit = cache.Find(guard, membership.session(), call_.space(), key, use, mark);
  if (!hit) return {};
  if (expires_us != nullptr) {
    *expires_us = hit.expires_us;
    if (cost_ms != nullptr) *cost_ms = cache.CostOfHit(guard, hit);
  }
  // The usual case, which Answer would find too.
  if (call_.isolate->shows()) [[likely]] {
    if (napi_value buffer = membership.Buffer(env_, hit.segment)) return Shown(hit, buffer, use);
  }
  Location answer;
  if (Answer(guard, key, &hit, use, &answer)) return answer;
  guard.End();
  return Expose(hit, use);
}

}  // namespace zerohop::binding
