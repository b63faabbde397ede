#include "binding/lookup.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

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
  const size_t at = AlignUp(std::max<size_t>(cursor, kSlabHeaderBytes),
                            length >= kWideValueBytes ? kCacheLineBytes : kEntryAlignBytes);
  if (at > bytes || length > bytes - at) return std::nullopt;
  if (length > 0) std::memcpy(data + at, from, length);
  cursor = static_cast<uint32_t>(at + length);
  std::memcpy(data, &cursor, sizeof(cursor));
  return static_cast<uint32_t>(at);
}

napi_value AnswerOf(napi_env env, const Call& call, const Location& found) {
  if (found.result == kFailed) return nullptr;
  uint32_t* const registers = call.isolate->registers();
  registers[Isolate::kOffset] = found.offset;
  registers[Isolate::kLength] = found.bytes;
  registers[Isolate::kSegment] = static_cast<uint32_t>(found.result);
  return found.buffer != nullptr ? found.buffer : Int(env, found.result);
}

Location Lookup::Shown(const Hit& hit, napi_value buffer, Cache::Use use) const {
  CountHit(use);
  const Arena& arena = call_.cache().arena();
  const uint64_t view_start = arena.StartOf(hit.segment) + arena.segment(hit.segment).view_at;
  return {static_cast<int32_t>(hit.segment), static_cast<uint32_t>(hit.at - view_start), hit.bytes, buffer};
}

bool Lookup::Answer(const ReadGuard& guard, Bytes key, Hit* hit, Cache::Use use, Location* answer) {
  // The Node-API calls in here (a reference's value, a slab's address) allocate nothing in V8's heap.
  Cache& cache = call_.cache();
  Membership& membership = call_.membership();
  Isolate& isolate = *call_.isolate;
  if (isolate.shows()) {
    napi_value buffer = membership.Buffer(env_, hit->segment);
    if (buffer == nullptr && hit->cooling) [[unlikely]] {
      // The segment will be emptied soon, and would then copy this entry forward.  Copying it now makes the hit a view
      // (D5).
      if (const Hit rescued = cache.Rescue(guard, call_.space(), key, *hit)) {
        *hit = rescued;
        buffer = membership.Buffer(env_, hit->segment);
        call_.session().counters.Add(Count::kCopiedForward);
      }
    }
    if (buffer != nullptr) {
      *answer = Shown(*hit, buffer, use);
      return true;
    }
    if (membership.Rent(hit->segment, hit->bytes, isolate.PriceNs(cache)) && isolate.MayExposeNow(cache) &&
        cache.exposure().TryExpose(guard, hit->segment, isolate.prompt())) {
      return false;
    }
  }
  slab_.Learn(env_, slab_value_);
  if (const auto at = slab_.Put(cache.arena().bytes() + hit->at, hit->bytes)) {
    CountHit(use);
    if (use != Cache::Use::kPeek) call_.counters().Add(Count::kCopiedHits);
    isolate.collector().CountQuietHit();
    *answer = {kCopied, *at, hit->bytes};
  } else {
    *answer = {kNeedSlab, 0, hit->bytes};  // the hit is counted when the caller asks again
  }
  return true;
}

Location Lookup::Expose(const Hit& hit, Cache::Use use) {
  if (napi_value buffer = call_.membership().Expose(env_, hit.segment)) return Shown(hit, buffer, use);
  bool pending = false;
  napi_is_exception_pending(env_, &pending);
  return {pending ? kFailed : kNeedSlab, 0, hit.bytes};
}

Location Lookup::One(Bytes key, Cache::Use use, Cache::VersionMark* mark, uint64_t* expires_us, float* cost_ms) {
  Location answer;
  Hit hit;
  {
    ReadGuard guard(call_.cache().epochs(), call_.session());
    hit = call_.cache().Find(guard, call_.session(), call_.space(), key, use, mark);
    if (!hit) return answer;
    if (expires_us != nullptr) {
      *expires_us = hit.expires_us;
      if (cost_ms != nullptr) *cost_ms = call_.cache().CostOfHit(guard, hit);
    }
    // The usual case.  Answer would find it too, but its call is 4 % of a get's instructions.
    if (call_.isolate->shows()) [[likely]] {
      if (napi_value buffer = call_.membership().Buffer(env_, hit.segment)) return Shown(hit, buffer, use);
    }
    if (Answer(guard, key, &hit, use, &answer)) return answer;
  }
  answer = Expose(hit, use);
  return answer;
}

void Lookup::Many(std::span<const Bytes> keys, std::span<Location> locations, float* costs_ms) {
  constexpr auto kUse = Cache::Use::kCountMiss;
  std::array<Hit, Cache::kBatchMax> hits;
  std::array<bool, Cache::kBatchMax> waits{};
  {
    ReadGuard guard(call_.cache().epochs(), call_.session());
    call_.cache().FindMany(guard, call_.session(), call_.space(), keys, std::span(hits).first(keys.size()), kUse);
    for (size_t i = 0; i < keys.size(); ++i) {
      locations[i] = {};
      if (!hits[i]) continue;
      if (costs_ms != nullptr) costs_ms[i] = call_.cache().CostOfHit(guard, hits[i]);
      // One exposure of a segment is enough for all keys in it.
      for (size_t j = 0; j < i && !waits[i]; ++j) waits[i] = waits[j] && hits[j].segment == hits[i].segment;
      if (!waits[i]) waits[i] = !Answer(guard, keys[i], &hits[i], kUse, &locations[i]);
    }
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!waits[i]) continue;
    locations[i] = Expose(hits[i], kUse);
    for (size_t j = i + 1; j < keys.size(); ++j) {
      if (!waits[j] || hits[j].segment != hits[i].segment) continue;
      locations[j] = locations[i].result < 0 ? locations[i] : Shown(hits[j], nullptr, kUse);
      locations[j].bytes = hits[j].bytes;
      waits[j] = false;
    }
  }
}

napi_value Lookup::All(size_t count, const std::function<Bytes(size_t)>& key_at, napi_value locations,
                       napi_value buffers, Costs* costs) {
  auto* location =
      static_cast<int32_t*>(ReadArrayOf(env_, locations, napi_int32_array, count * kLocationWords, "locations"));
  if (location == nullptr) return nullptr;
  std::array<Bytes, Cache::kBatchMax> chunk;
  std::array<Location, Cache::kBatchMax> found;
  std::array<float, Cache::kBatchMax> costs_ms;
  std::vector<bool> given(call_.cache().arena().segment_count());
  int32_t hits = 0;
  for (size_t first = 0; first < count; first += chunk.size()) {
    const size_t some = std::min(chunk.size(), count - first);
    for (size_t i = 0; i < some; ++i) chunk[i] = key_at(first + i);
    napi_handle_scope scope;
    if (napi_open_handle_scope(env_, &scope) != napi_ok) return nullptr;
    Many(std::span(chunk).first(some), std::span(found).first(some), costs == nullptr ? nullptr : costs_ms.data());
    bool good = true;
    for (size_t i = 0; i < some; ++i, location += 3) {
      const Location& one = found[i];
      good = good && one.result != kFailed;
      if (good && one.buffer != nullptr && !given[static_cast<size_t>(one.result)]) {
        good = napi_set_element(env_, buffers, static_cast<uint32_t>(one.result), one.buffer) == napi_ok;
        given[static_cast<size_t>(one.result)] = true;
      }
      const bool answered = one.result >= 0 || one.result == kCopied;
      hits += answered;
      if (costs != nullptr && answered && costs_ms[i] > 0) {
        costs->sum_ms += costs_ms[i];
        costs->known++;
      }
      location[0] = one.result;
      location[1] = static_cast<int32_t>(one.offset);
      location[2] = static_cast<int32_t>(one.bytes);
    }
    napi_close_handle_scope(env_, scope);
    if (!good) return nullptr;
  }
  return Int(env_, hits);
}

}  // namespace zerohop::binding
