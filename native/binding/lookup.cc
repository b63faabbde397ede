#include "binding/lookup.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
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

// A batch on its way, and memory for some of its keys at a time.
struct Lookup::Batch {
  Batch(napi_value buffers, size_t segments, Costs* costs) : buffers(buffers), given(segments), costs(costs) {}

  const napi_value buffers;
  // Segments whose buffer is among `buffers`, or will be before the call ends.  So it is shown until then, and further
  // hits in the segment need neither the reference nor another look.
  std::vector<bool> given;
  Costs* const costs;
  int32_t hits = 0;
  std::array<Hit, Cache::kBatchMax> found;
  std::array<float, Cache::kBatchMax> costs_ms;

  bool Give(napi_env env, uint32_t segment, napi_value buffer) {
    given[segment] = true;
    return napi_set_element(env, buffers, segment, buffer) == napi_ok;
  }
  void CountCost(size_t i) {
    if (costs == nullptr || !(costs_ms[i] > 0)) return;
    costs->sum_ms += costs_ms[i];
    costs->known++;
  }
};

namespace {

void Write(int32_t* to, int32_t result, uint32_t offset, uint32_t bytes) {
  to[0] = result;
  to[1] = static_cast<int32_t>(offset);
  to[2] = static_cast<int32_t>(bytes);
}

}  // namespace

bool Lookup::Some(std::span<const Bytes> keys, Batch& batch, int32_t* to) {
  constexpr auto kUse = Cache::Use::kCountMiss;
  Cache& cache = call_.cache();
  Session& session = call_.session();
  const Arena& arena = cache.arena();
  std::array<std::pair<uint32_t, napi_value>, Cache::kBatchMax> first_seen;
  std::array<uint8_t, Cache::kBatchMax> waiting;
  size_t seen = 0, waits = 0, again = 0;
  {
    ReadGuard guard(cache.epochs(), session);
    cache.FindMany(guard, session, call_.space(), keys, std::span(batch.found).first(keys.size()), kUse);
    const bool shows = call_.isolate->shows();
    for (size_t i = 0; i < keys.size(); ++i) {
      Hit& hit = batch.found[i];
      int32_t* const at = to + i * kLocationWords;
      if (!hit) {
        Write(at, kMiss, 0, 0);
        continue;
      }
      if (batch.costs != nullptr) batch.costs_ms[i] = cache.CostOfHit(guard, hit);
      if (shows && batch.given[hit.segment]) [[likely]] {
        Write(at, static_cast<int32_t>(hit.segment), OffsetOf(arena, hit), hit.bytes);
        batch.CountCost(i);
        ++again;
        continue;
      }
      // One exposure of a segment is enough for all keys in it.
      const auto is_awaited = [&] {
        const auto same = [&](uint8_t other) { return batch.found[other].segment == hit.segment; };
        return std::any_of(waiting.begin(), waiting.begin() + waits, same);
      };
      Location one;
      bool granted = false;
      if (is_awaited() || (granted = !Answer(guard, keys[i], &hit, kUse, &one))) {
        // A cooling entry was moved just now, to a segment that is given or awaited already.
        if (granted && (batch.given[hit.segment] || is_awaited())) cache.arena().Unexpose(hit.segment);
        waiting[waits++] = static_cast<uint8_t>(i);
        continue;
      }
      Write(at, one.result, one.offset, one.bytes);
      if (one.result == kNeedSlab) continue;
      ++batch.hits;
      batch.CountCost(i);
      if (one.buffer == nullptr || batch.given[hit.segment]) continue;
      batch.given[hit.segment] = true;
      first_seen[seen++] = {hit.segment, one.buffer};
    }
  }
  call_.counters().Add(Count::kHits, again);
  batch.hits += static_cast<int32_t>(again);
  for (const auto& [segment, buffer] : std::span(first_seen).first(seen)) {
    if (!batch.Give(env_, segment, buffer)) return false;
  }
  return ExposeAll(std::span(waiting).first(waits), batch, to);
}

// Outside the ReadGuard.
bool Lookup::ExposeAll(std::span<const uint8_t> waiting, Batch& batch, int32_t* to) {
  constexpr auto kUse = Cache::Use::kCountMiss;
  for (const uint8_t i : waiting) {
    const Hit& hit = batch.found[i];
    // The first one that waits for a segment has been granted its exposure.
    const auto same = [&](uint8_t other) { return batch.found[other].segment == hit.segment; };
    Location one{kNeedSlab, 0, hit.bytes};
    if (batch.given[hit.segment]) {
      one = Shown(hit, nullptr, kUse);
    } else if (*std::find_if(waiting.begin(), waiting.end(), same) == i) {
      one = Expose(hit, kUse);
    }
    if (one.result == kFailed) return false;
    Write(to + i * kLocationWords, one.result, one.offset, one.bytes);
    if (one.result < 0) continue;
    ++batch.hits;
    batch.CountCost(i);
    if (one.buffer != nullptr && !batch.Give(env_, hit.segment, one.buffer)) return false;
  }
  return true;
}

napi_value Lookup::All(size_t count, const KeysFrom& keys_from, napi_value locations, napi_value buffers,
                       Costs* costs) {
  auto* location =
      static_cast<int32_t*>(ReadArrayOf(env_, locations, napi_int32_array, count * kLocationWords, "locations"));
  if (location == nullptr) return nullptr;
  std::array<Bytes, Cache::kBatchMax> chunk;
  Batch batch(buffers, call_.cache().arena().segment_count(), costs);
  for (size_t first = 0; first < count; first += chunk.size()) {
    const auto some = std::span(chunk).first(std::min(chunk.size(), count - first));
    keys_from(first, some);
    const HandleScope scope(env_);
    if (!Some(some, batch, location + first * kLocationWords)) return nullptr;
  }
  return Int(env_, batch.hits);
}

}  // namespace zerohop::binding
