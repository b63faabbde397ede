// read_binding.cc: lookups.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/copy.h"
#include "base/ticker.h"
#include "binding/call.h"
#include "binding/convert.h"
#include "binding/function_table.h"
#include "binding/keys.h"
#include "binding/lookup.h"

namespace zerohop::binding {
namespace {

// The work of `gather`.  While the rows of one batch are copied, the next batch is looked up already, so that waits for
// memory overlap.
class Gathering {
 public:
  Gathering(Cache& cache, Session& session, uint16_t space, const KeyBatch& keys, std::byte* rows, size_t row_bytes,
            int32_t* missing)
      : cache_(cache),
        session_(session),
        space_(space),
        keys_(keys),
        rows_(rows),
        row_bytes_(row_bytes),
        missing_(missing) {}

  // Returns how many rows are missing.
  uint32_t Run() {
    // While a guard lives, no memory is used again.  So it lives only as long as copying this much takes.
    const size_t window = std::max(kBatch, kGuardedBytes / std::max<size_t>(row_bytes_, 1) / kBatch * kBatch);
    for (size_t first = 0; first < keys_.size(); first += window) {
      const size_t end = std::min(keys_.size(), first + window);
      ReadGuard guard(cache_.epochs(), session_);
      FindBatch(guard, first, end);
      for (size_t at = first; at < end; at += kBatch) {
        FindBatch(guard, at + kBatch, end);
        for (size_t i = at; i < std::min(end, at + kBatch); ++i) CopyOrMiss(i, end);
      }
    }
    return absent_;
  }

 private:
  static constexpr size_t kBatch = Cache::kBatchMax;
  static constexpr size_t kRing = 2 * kBatch;
  static constexpr size_t kGuardedBytes = size_t{1} << 20;  // under one guard.  A choice
  static constexpr size_t kRowsAhead = 1;                   // rows that are prefetched ahead

  void FindBatch(const ReadGuard& guard, size_t first, size_t end) {
    if (first >= end) return;
    std::array<Bytes, kBatch> batch;
    const size_t count = std::min(kBatch, end - first);
    for (size_t i = 0; i < count; ++i) batch[i] = keys_[first + i];
    cache_.FindMany(guard, session_, space_, std::span(batch).first(count),
                    std::span(hits_).subspan(first % kRing, count));
  }

  // A value of another length was not stored by this codec.
  bool HasRow(const Hit& hit) const { return hit && hit.bytes == row_bytes_; }

  void CopyOrMiss(size_t i, size_t end) {
    const Hit& hit = hits_[i % kRing];
    if (!HasRow(hit)) {
      missing_[absent_++] = static_cast<int32_t>(i);
      return;
    }
    const std::byte* const arena = cache_.arena().bytes();
    const Hit& ahead = hits_[std::min(i + kRowsAhead, end - 1) % kRing];
    CopyFetching(rows_ + i * row_bytes_, arena + hit.at, row_bytes_, arena + (HasRow(ahead) ? ahead.at : hit.at));
  }

  Cache& cache_;
  Session& session_;
  const uint16_t space_;
  const KeyBatch& keys_;
  std::byte* const rows_;
  const size_t row_bytes_;
  int32_t* const missing_;
  uint32_t absent_ = 0;
  std::array<Hit, kRing> hits_;
};

// find(handle, key, slab): buffer | kMiss | kCopied | kNeedSlab.  Writes offset, length and segment to the registers.
napi_value Find(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args);
  KeyReader key;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  return AnswerOf(env, call, Lookup(env, call, args[2]).One(key.bytes()));
}

// findNear(handle, key, slab): the same.  It also writes to the registers what a near cache must know of the answer.
napi_value FindNear(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args);
  KeyReader key;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  uint32_t* const registers = call.isolate->registers();
  call.session().verify_now = registers[Isolate::kVerifyNow] != 0;
  Cache::VersionMark mark{};
  uint64_t expires_us = kNever;
  const Location found = Lookup(env, call, args[2]).OneMarked(key.bytes(), &mark, &expires_us);
  call.session().verify_now = false;
  registers[Isolate::kNearWord] = mark.word;
  registers[Isolate::kNearVersion] = mark.version;
  registers[Isolate::kNearEnds] = static_cast<uint32_t>(Ticker::Process().EndTick(expires_us));
  if (expires_us != kNever) Ticker::Process().Wake();
  return AnswerOf(env, call, found);
}

// peek(handle, key, slab): as `find`, but counts nothing.
napi_value Peek(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args);
  KeyReader key;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  return AnswerOf(env, call, Lookup(env, call, args[2]).One(key.bytes(), Cache::Use::kPeek));
}

// findMany(handle, keys, slab, locations, buffers, ends, count): how many hits there are.  `keys`: a list; or, with
// `ends`, `count` strings as one, and where each of them ends.  Writes result, offset and length of keys[i] to
// locations[3i..], and a buffer to buffers[segment] for each segment among the results.
napi_value FindMany(napi_env env, napi_callback_info info) {
  const Arguments<7> args(env, info);
  const Call call(env, args);
  if (!call) return nullptr;
  const KeyKind kind = call.keys();
  KeyBatch keys;
  if (!keys.Read(env, {args[1], args[5], args[6]}, kind)) return nullptr;
  const Call still(env, args);  // reading the keys may have run JavaScript that closed the cache
  if (!still) return nullptr;
  const auto keys_from = [&keys](size_t first, std::span<Bytes> some) {
    for (size_t i = 0; i < some.size(); ++i) some[i] = keys[first + i];
  };
  return Lookup(env, still, args[2]).All(keys.size(), keys_from, args[3], args[4]);
}

// gather(handle, keys, out, rowBytes, missing, ends, count): how many keys are missing.  Writes their places among the
// keys to `missing`.  Keys as for findMany.
napi_value Gather(napi_env env, napi_callback_info info) {
  const Arguments<7> args(env, info);
  const Call call(env, args);
  if (!call) return nullptr;
  const KeyKind kind = call.keys();
  KeyBatch keys;
  if (!keys.Read(env, {args[1], args[5], args[6]}, kind)) return nullptr;
  const Call still(env, args);
  uint32_t row_bytes = 0;
  Bytes out;
  if (!still || napi_get_value_uint32(env, args[3], &row_bytes) != napi_ok || !ReadView(env, args[2], "out", &out)) {
    return nullptr;
  }
  auto* missing = static_cast<int32_t*>(ReadArrayOf(env, args[4], napi_int32_array, keys.size(), "missing"));
  if (missing == nullptr) return nullptr;
  if (out.size() < keys.size() * row_bytes) return ThrowRange(env, "out: expected room for a row of every key");
  auto* const rows = const_cast<std::byte*>(out.data());
  Cache& cache = still.cache();
  Gathering gathering{cache, still.session(), still.space(), keys, rows, row_bytes, missing};
  return Int(env, static_cast<int32_t>(gathering.Run()));
}

// copy(handle, key, peek): ArrayBuffer | undefined.  Counts nothing if `peek`.
napi_value Copy(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args);
  KeyReader key;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  // The buffer is made outside the guard.  If the value has another length by then, it starts over.
  bool peeks = false;
  napi_get_value_bool(env, args[2], &peeks);
  Cache::Use use = peeks ? Cache::Use::kPeek : Cache::Use::kCountMiss;
  for (;;) {
    Hit hit;
    {
      ReadGuard guard(call.cache().epochs(), call.session());
      hit = call.cache().Find(guard, call.session(), call.space(), key.bytes(), use);
    }
    if (!hit) {
      // The first lookup counts its own miss.  A later one finds that the value has gone since.
      if (!peeks && use == Cache::Use::kPeek) call.counters().Add(Count::kMisses);
      return nullptr;
    }
    use = Cache::Use::kPeek;
    void* data = nullptr;
    napi_value buffer;
    if (napi_create_arraybuffer(env, hit.bytes, &data, &buffer) != napi_ok) return nullptr;
    ReadGuard guard(call.cache().epochs(), call.session());
    const auto again = call.cache().Find(guard, call.session(), call.space(), key.bytes(), use);
    if (!again) {  // the value has gone between the two lookups: a miss
      if (!peeks) call.counters().Add(Count::kMisses);
      return nullptr;
    }
    if (again.bytes != hit.bytes) continue;
    if (!peeks) call.counters().Add(Count::kHits);
    if (hit.bytes > 0) std::memcpy(data, call.cache().arena().bytes() + again.at, hit.bytes);
    return buffer;
  }
}

// check(handle, keys, ends, count): throws if one of them is not a key, or the handle was closed.
napi_value Check(napi_env env, napi_callback_info info) {
  const Arguments<4> args(env, info);
  const Call call(env, args);
  KeyBatch keys;
  if (call) keys.Read(env, {args[1], args[2], args[3]}, call.keys());
  return nullptr;
}

napi_value Has(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args);
  KeyReader key;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  ReadGuard guard(call.cache().epochs(), call.session());
  return Bool(env, call.cache().Has(guard, call.session(), call.space(), key.bytes()));
}

// describe(handle, key): whether there is such an entry.  Writes its facts to the wide registers.
napi_value Describe(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args);
  KeyReader key;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  std::optional<EntryFacts> facts;
  {
    ReadGuard guard(call.cache().epochs(), call.session());
    facts = call.cache().Describe(guard, call.session(), call.space(), key.bytes());
  }
  if (!facts) return Bool(env, false);
  double* const wide = call.isolate->wide_registers();
  wide[Isolate::kExpires] = MsLeft(facts->hit.expires_us);
  wide[Isolate::kAge] = static_cast<double>(facts->age_us) / 1000;
  wide[Isolate::kFrequency] = facts->frequency;
  wide[Isolate::kGap] = facts->gap;
  wide[Isolate::kIdle] = facts->idle;
  wide[Isolate::kWorth] = facts->worth;
  wide[Isolate::kThreshold] = facts->threshold;
  wide[Isolate::kCost] = facts->cost;
  wide[Isolate::kSize] = facts->hit.bytes;
  return Bool(env, true);
}

// lastEviction(handle, key): how the key was last evicted: 0 not remembered, 1 with its segment, 2 by maxEntries, 3
// refused by admission.  Writes what was known then to the wide registers.
napi_value LastEviction(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args);
  KeyReader key;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  const auto last = call.cache().LastEvictionOf(call.space(), key.bytes());
  if (!last) return Int(env, 0);
  double* const wide = call.isolate->wide_registers();
  wide[Isolate::kFrequency] = last->frequency;
  wide[Isolate::kGap] = last->gap;
  wide[Isolate::kIdle] = last->idle;
  wide[Isolate::kWorth] = last->worth;
  wide[Isolate::kThreshold] = last->threshold;
  return Int(env, static_cast<int32_t>(last->why));
}

// scan(handle, shard): the keys in one of 64 parts of the index.
napi_value Scan(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args);
  uint32_t shard = 0;
  if (!call || napi_get_value_uint32(env, args[1], &shard) != napi_ok || shard >= Index::kShards) return nullptr;
  const std::vector<ScannedKey> keys = call.cache().Scan(call.session(), shard, call.space());
  napi_value list;
  if (napi_create_array_with_length(env, keys.size(), &list) != napi_ok) return nullptr;
  for (size_t i = 0; i < keys.size(); ++i) {
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return nullptr;
    const ScannedKey& key = keys[i];
    napi_value value = nullptr;
    if (call.keys() == KeyKind::kInteger) {
      napi_create_int64(env, IntegerOf(key.bytes), &value);
    } else if (key.is_bytes) {
      void* data = nullptr;
      napi_value buffer;
      if (napi_create_arraybuffer(env, key.bytes.size(), &data, &buffer) == napi_ok) {
        std::memcpy(data, key.bytes.data(), key.bytes.size());
        napi_create_typedarray(env, napi_uint8_array, key.bytes.size(), buffer, 0, &value);
      }
    } else {
      napi_create_string_utf8(env, reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size(), &value);
    }
    const bool good = value != nullptr && napi_set_element(env, list, static_cast<uint32_t>(i), value) == napi_ok;
    napi_close_handle_scope(env, scope);
    if (!good) return nullptr;
  }
  return list;
}

constexpr Function kReadFunctions[] = {
    {"find", Guarded<Find>},         {"findNear", Guarded<FindNear>},
    {"peek", Guarded<Peek>},         {"findMany", Guarded<FindMany>},
    {"gather", Guarded<Gather>},     {"copy", Guarded<Copy>},
    {"check", Guarded<Check>},       {"has", Guarded<Has>},
    {"describe", Guarded<Describe>}, {"lastEviction", Guarded<LastEviction>},
    {"scan", Guarded<Scan>},
};

}  // namespace

std::span<const Function> ReadFunctions() { return kReadFunctions; }

}  // namespace zerohop::binding
