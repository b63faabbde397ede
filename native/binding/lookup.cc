#include "binding/lookup.h"

#include <algorithm>
#include <cstring>

#include "base/constants.h"

namespace zerohop::binding {

void Slab::Learn(napi_env env, napi_value value) {
  if (known) return;
  known = true;
  napi_typedarray_type type;
  void* at = nullptr;
  size_t length = 0;
  if (napi_get_typedarray_info(env, value, &type, &length, &at, nullptr, nullptr) != napi_ok) return;
  if (type != napi_uint8_array || length < kCacheLineBytes) return;
  data = static_cast<std::byte*>(at);
  bytes = length;
}

std::optional<uint32_t> Slab::Put(const std::byte* from, size_t length) {
  if (data == nullptr) return std::nullopt;
  uint32_t cursor;
  std::memcpy(&cursor, data, sizeof(cursor));
  const size_t at = AlignUp(std::max<size_t>(cursor, kCacheLineBytes),
                            length >= kWideValueBytes ? kCacheLineBytes : kEntryAlignBytes);
  if (at > bytes || length > bytes - at) return std::nullopt;
  if (length > 0) std::memcpy(data + at, from, length);
  cursor = static_cast<uint32_t>(at + length);
  std::memcpy(data, &cursor, sizeof(cursor));
  return static_cast<uint32_t>(at);
}

Location Locate(napi_env env, const Call& call, Bytes key, napi_value slab_value, Slab& slab) {
  Cache& cache = call.cache();
  Membership& membership = call.membership();
  Isolate& isolate = *call.isolate;
  std::optional<Hit> hit;
  napi_value buffer = nullptr;
  bool expose = false;
  const bool shows = isolate.backend() != Backend::kCopy && !isolate.quiet();
  {
    // The Node-API calls under this guard (a reference's value, a slab's address) allocate nothing in V8's heap.
    ReadGuard guard(cache.epochs(), call.session());
    hit = cache.Find(guard, call.session(), call.space(), key);
    if (!hit) return {kMiss};
    if (shows) buffer = membership.Buffer(env, hit->segment);
    if (shows && buffer == nullptr && hit->cooling) [[unlikely]] {
      // Its segment is about to be emptied, and the entry is in use: it would be copied forward then.  Now is better.
      if (const std::optional<Hit> rescued = cache.Rescue(guard, call.space(), key, *hit)) {
        hit = rescued;
        buffer = membership.Buffer(env, hit->segment);
        call.session().counters.Add(Count::kCopiedForward);
      }
    }
    if (shows && buffer == nullptr) {
      expose = membership.Rent(hit->segment, hit->bytes, isolate.PriceNs(cache)) && isolate.MayExposeNow(cache) &&
               cache.TryExpose(guard, hit->segment, isolate.prompt());
    }
    if (buffer == nullptr && !expose) {
      slab.Learn(env, slab_value);
      if (const auto at = slab.Put(cache.arena().bytes() + hit->at, hit->bytes)) {
        call.session().counters.Add(Count::kCopiedHits);
        isolate.CountQuietHit();
        return {kCopied, *at, hit->bytes};
      }
    }
  }
  if (expose) buffer = membership.Expose(env, hit->segment);
  if (buffer == nullptr) {
    call.session().counters.Add(Count::kHits, ~uint64_t{0});  // asked again with a slab, and counted then
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    return {pending ? kFailed : kNeedSlab, 0, hit->bytes};
  }
  const Segment& segment = cache.arena().segment(hit->segment);
  const uint64_t view_start = cache.arena().StartOf(hit->segment) + segment.view_at;
  return {static_cast<int32_t>(hit->segment), static_cast<uint32_t>(hit->at - view_start), hit->bytes, buffer};
}

}  // namespace zerohop::binding
