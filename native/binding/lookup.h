// lookup.h: from a key to a view or a copy: where a hit meets the question whether its segment may be shown.
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

// What a lookup answers where it has no buffer to make a view from.  Compared with lib/addon/native.ts (numbers.h).
inline constexpr int32_t kMiss = -1;
inline constexpr int32_t kCopied = -2;    // into the slab, at the offset in the registers
inline constexpr int32_t kNeedSlab = -3;  // a copy is due and the slab has no room for it; nothing was counted
inline constexpr int32_t kFailed = -4;    // an exception is pending

// In the answers of a batch, each key has so many words: result, offset, length.
inline constexpr size_t kLocationWords = 3;

// The caller's memory for copies begins with a header.
inline constexpr size_t kSlabHeaderBytes = kCacheLineBytes;

// The caller's memory for copies: a cursor in the first four bytes, copies behind the header.  JavaScript can
// write to all of it, so the cursor is checked like any other input.
struct Slab {
  std::byte* data = nullptr;
  size_t bytes = 0;
  bool known = false;

  // `value` is undefined before the first copy; a slab whose buffer was detached has no room.
  void Learn(napi_env env, napi_value value);

  // Offset of the copy, or none without room.
  std::optional<uint32_t> Put(const std::byte* from, size_t length);
};

struct Location {
  int32_t result = kMiss;  // the segment, if there is a buffer
  uint32_t offset = 0;
  uint32_t bytes = 0;
  napi_value buffer = nullptr;
};

// The buffer, or the result as a number; offset, length and segment in the registers.
napi_value AnswerOf(napi_env env, const Call& call, const Location& found);

// Answers lookups of one call: a view where this isolate has, or may have, a buffer over the segment; else a copy.
class Lookup {
 public:
  // `slab` is only looked at when a copy is due.
  Lookup(napi_env env, const Call& call, napi_value slab) : env_(env), call_(call), slab_value_(slab) {}

  Location One(Bytes key, Cache::Use use = Cache::Use::kCountMiss) { return One(key, use, nullptr, nullptr); }
  // And tells what a near cache must know: `mark`, and when the entry expires (untouched on a miss).
  Location OneMarked(Bytes key, Cache::VersionMark* mark, uint64_t* expires_us) {
    return One(key, Cache::Use::kCountMiss, mark, expires_us);
  }

  // And tells when the entry expires (untouched on a miss).
  Location OneEnding(Bytes key, uint64_t* expires_us) { return One(key, Cache::Use::kCountMiss, nullptr, expires_us); }

  // Any number of keys: `locations` (an Int32Array) gets result, offset and length of each, `buffers` (an array) the
  // buffer of each segment among the results.  The number of hits; null, and an exception pending, on failure.
  // REQUIRES: key_at runs no JavaScript.
  napi_value All(size_t count, const std::function<Bytes(size_t)>& key_at, napi_value locations, napi_value buffers);

  // At most Cache::kBatchMax keys.  A buffer is given with one location at least of each segment among them.
  void Many(std::span<const Bytes> keys, std::span<Location> locations);

 private:
  Location One(Bytes key, Cache::Use use, Cache::VersionMark* mark, uint64_t* expires_us);
  // Under a ReadGuard: answers, or says false if the segment is to be exposed, which has been granted.
  bool Answer(const ReadGuard& guard, Bytes key, Hit* hit, Cache::Use use, Location* answer);
  // Outside the guard.
  Location Expose(const Hit& hit, Cache::Use use);
  // Counts the hit, unless it was only peeked at.
  Location Shown(const Hit& hit, napi_value buffer, Cache::Use use) const;
  void CountHit(Cache::Use use) const {
    if (use != Cache::Use::kPeek) call_.counters().Add(Count::kHits);
  }

  napi_env env_;
  const Call& call_;
  napi_value slab_value_;
  Slab slab_;
};

}  // namespace zerohop::binding
