#include "binding/cache_binding.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "base/memory_limit.h"
#include "base/os_memory.h"
#include "binding/call.h"
#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/isolate.h"
#include "binding/lookup.h"
#include "cache/registry.h"

namespace zerohop::binding {
namespace {

// What `set` answers.  Mirrored in lib/native.ts.
constexpr int32_t kStored = 1;
constexpr int32_t kRefused = 0;

napi_value Int(napi_env env, int32_t number) {
  napi_value value = nullptr;
  napi_create_int32(env, number, &value);
  return value;
}

napi_value Bool(napi_env env, bool flag) {
  napi_value value = nullptr;
  napi_get_boolean(env, flag, &value);
  return value;
}

// find(handle, key, slab): buffer | kMiss | kCopied | kNeedSlab; offset, length and segment in the registers.
napi_value Find(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args[0]);
  KeyReader key;
  if (!call || !key.Read(env, args[1])) return nullptr;
  Slab slab;
  const Location found = Locate(env, call, key.bytes(), args[2], slab);
  if (found.result == kFailed) return nullptr;
  uint32_t* registers = call.isolate->registers();
  registers[Isolate::kOffset] = found.offset;
  registers[Isolate::kLength] = found.bytes;
  registers[Isolate::kSegment] = static_cast<uint32_t>(found.result);
  return found.buffer != nullptr ? found.buffer : Int(env, found.result);
}

// The keys of a batch, back to back.
struct KeyBatch {
  std::vector<std::byte> bytes;
  std::vector<size_t> ends;

  // Reads all keys before the first lookup: reading an array may run JavaScript (getters, proxies), which may close
  // the cache or open others.
  bool Read(napi_env env, napi_value keys) {
    constexpr uint32_t kHandlesPerScope = 256;
    uint32_t count = 0;
    if (napi_get_array_length(env, keys, &count) != napi_ok) {
      ThrowType(env, "keys: expected an array");
      return false;
    }
    ends.reserve(count);
    bool good = true;
    for (uint32_t i = 0; i < count && good;) {
      napi_handle_scope scope;
      if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
      for (const uint32_t end = std::min(count, i + kHandlesPerScope); i < end && good; ++i)
        good = ReadOne(env, keys, i);
      napi_close_handle_scope(env, scope);
    }
    return good;
  }

  Bytes operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    return {bytes.data() + begin, ends[i] - begin};
  }

 private:
  bool ReadOne(napi_env env, napi_value keys, uint32_t i) {
    napi_value element;
    KeyReader key;
    if (napi_get_element(env, keys, i, &element) != napi_ok || !key.Read(env, element)) return false;
    bytes.insert(bytes.end(), key.bytes().begin(), key.bytes().end());
    ends.push_back(bytes.size());
    return true;
  }
};

// findMany(handle, keys, slab, locations, buffers): hits; locations[3i..] = result, offset, length of keys[i], and
// buffers[segment] for each segment among the results.
napi_value FindMany(napi_env env, napi_callback_info info) {
  const Arguments<5> args(env, info);
  KeyBatch keys;
  if (!keys.Read(env, args[1])) return nullptr;
  const Call call(env, args[0]);
  if (!call) return nullptr;
  napi_typedarray_type type;
  void* data = nullptr;
  size_t length = 0;
  if (napi_get_typedarray_info(env, args[3], &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array || length < keys.ends.size() * 3) {
    return ThrowType(env, "locations: expected an Int32Array with room for three numbers a key");
  }
  auto* location = static_cast<int32_t*>(data);
  Slab slab;
  int32_t hits = 0;
  std::vector<bool> given(call.cache().arena().segment_count());
  for (size_t i = 0; i < keys.ends.size(); ++i, location += 3) {
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return nullptr;
    const Location found = Locate(env, call, keys[i], args[2], slab);
    bool good = found.result != kFailed;
    if (found.buffer != nullptr && !given[found.result]) {
      good = napi_set_element(env, args[4], static_cast<uint32_t>(found.result), found.buffer) == napi_ok;
      given[found.result] = true;
    }
    napi_close_handle_scope(env, scope);
    if (!good) return nullptr;
    hits += found.result >= 0 || found.result == kCopied;
    location[0] = found.result;
    location[1] = static_cast<int32_t>(found.offset);
    location[2] = static_cast<int32_t>(found.bytes);
  }
  return Int(env, hits);
}

// copy(handle, key): ArrayBuffer | undefined.
napi_value Copy(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args[0]);
  KeyReader key;
  if (!call || !key.Read(env, args[1])) return nullptr;
  // The buffer is made outside the guard, so the value may be another one by then: start over if its length changed.
  Cache::Use use = Cache::Use::kCount;
  for (;;) {
    std::optional<Hit> hit;
    {
      ReadGuard guard(call.cache().epochs(), call.session());
      hit = call.cache().Find(guard, call.session(), call.space(), key.bytes(), use);
    }
    if (!hit) return nullptr;
    use = Cache::Use::kPeek;
    void* data = nullptr;
    napi_value buffer;
    if (napi_create_arraybuffer(env, hit->bytes, &data, &buffer) != napi_ok) return nullptr;
    ReadGuard guard(call.cache().epochs(), call.session());
    const auto again = call.cache().Find(guard, call.session(), call.space(), key.bytes(), use);
    if (!again) {  // gone between the two lookups: a miss after all
      call.session().counters.Add(Count::kHits, ~uint64_t{0});
      call.session().counters.Add(Count::kMisses);
      return nullptr;
    }
    if (again->bytes != hit->bytes) continue;
    if (hit->bytes > 0) std::memcpy(data, call.cache().arena().bytes() + again->at, hit->bytes);
    return buffer;
  }
}

napi_value Has(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args[0]);
  KeyReader key;
  if (!call || !key.Read(env, args[1])) return nullptr;
  return Bool(env, call.cache().Has(call.space(), key.bytes()));
}

// set(handle, key, value): kStored | kRefused.
napi_value Set(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args[0]);
  KeyReader key;
  Bytes value;
  if (!call || !key.Read(env, args[1]) || !ReadView(env, args[2], "value", &value)) return nullptr;
  SetOutcome outcome = call.cache().Set(call.session(), call.space(), key.bytes(), value);
  if (outcome == SetOutcome::kTooLarge) {
    return ThrowRange(env, "value: expected at most " + std::to_string(call.cache().ValueBytesMax(key.bytes().size())) +
                               " bytes, received " + std::to_string(value.size()) + "; raise maxBytes");
  }
  // Before refusing: collect the young generation, then, if collections are not taking too much time, the whole heap.
  for (int rung = 0; outcome == SetOutcome::kRefusedPinned && rung < 2; ++rung) {
    if (!(rung == 0 ? call.isolate->CollectYoung() : call.isolate->ForceCollection())) continue;
    call.membership().HeedNotice(env);
    outcome = call.cache().Set(call.session(), call.space(), key.bytes(), value);
    call.session().counters.Add(Count::kRefusedPinned, ~uint64_t{0});  // the first refusal did not stand
  }
  if (call.cache().want() != Evictor::Want::kNothing) [[unlikely]]
    call.isolate->PlanCollection(call.membership());
  return Int(env, outcome == SetOutcome::kStored ? kStored : kRefused);
}

napi_value Delete(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args[0]);
  KeyReader key;
  if (!call || !key.Read(env, args[1])) return nullptr;
  return Bool(env, call.cache().Delete(call.session(), call.space(), key.bytes()));
}

napi_value Clear(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  const Call call(env, args[0]);
  if (!call) return nullptr;
  call.cache().Clear();
  call.membership().HeedNotice(env);
  call.cache().Maintain(true);
  return nullptr;
}

napi_value Close(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  int32_t number = -1;
  napi_get_value_int32(env, args[0], &number);
  Isolate::Of(env)->Close(number);
  return nullptr;
}

// open(name, maxBytes, verify): handle.
napi_value Open(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  Isolate& isolate = *Isolate::Of(env);
  std::string name;
  double max_bytes = 0;
  int32_t verify = 0;
  if (!ReadString(env, args[0], &name) || napi_get_value_double(env, args[1], &max_bytes) != napi_ok ||
      napi_get_value_int32(env, args[2], &verify) != napi_ok || !(max_bytes >= 0 && max_bytes < 9e15)) {
    return ThrowType(env, "open: expected (string, number, number)");
  }
  CacheOptions options{static_cast<size_t>(max_bytes), static_cast<Verify>(verify)};
  Result<std::shared_ptr<Cache>> cache = Registry::Process().Open(name, options);
  if (!cache.ok()) return Throw(env, isolate, cache.status());
  return Int(env, isolate.Open(std::move(cache.value()), 0));
}

// keyspace(handle, name, scope, codec): handle.
napi_value Keyspace(napi_env env, napi_callback_info info) {
  const Arguments<4> args(env, info);
  const Call call(env, args[0]);
  std::string name, scope, codec;
  if (!call) return nullptr;
  if (!ReadString(env, args[1], &name) || !ReadString(env, args[2], &scope) || !ReadString(env, args[3], &codec)) {
    return ThrowType(env, "keyspace: expected (handle, string, string, string)");
  }
  Result<uint16_t> space = call.cache().OpenSpace(name, scope, codec);
  if (!space.ok()) return Throw(env, *call.isolate, space.status());
  return Int(env, call.isolate->Open(call.membership().shared_cache(), space.value()));
}

// detached(handle, segment): the buffer over the segment can not be used any more.
napi_value Detached(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args[0]);
  uint32_t segment = 0;
  if (!call || napi_get_value_uint32(env, args[1], &segment) != napi_ok) return nullptr;
  call.membership().Detached(env, segment);
  return nullptr;
}

// heap(usedBytes): what the isolate's heap holds now; the price of an exposure follows from it.
napi_value Heap(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  double bytes = 0;
  if (napi_get_value_double(env, args[0], &bytes) == napi_ok && bytes >= 0) {
    Isolate::Of(env)->set_heap_used_bytes(static_cast<uint64_t>(bytes));
  }
  return nullptr;
}

napi_value Maintain(napi_env env, napi_callback_info) {
  Isolate::Of(env)->Maintain();
  return nullptr;
}

// collect(): the young generation, where copies are not counted by V8.
napi_value Collect(napi_env env, napi_callback_info) {
  Isolate::Of(env)->CollectYoung();
  return nullptr;
}

napi_value Stats(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  const Call call(env, args[0]);
  if (!call) return nullptr;
  const CacheUsage usage = call.cache().Usage();
  Napi::Object stats = Napi::Object::New(env);
  const auto put = [&](const char* name, uint64_t value) {
    stats.Set(name, Napi::Number::New(env, static_cast<double>(value)));
  };
  const auto count = [&usage](Count which) { return usage.counts[static_cast<size_t>(which)]; };
  put("hits", count(Count::kHits));
  put("misses", count(Count::kMisses));
  put("copiedHits", count(Count::kCopiedHits));
  put("sets", count(Count::kSets));
  put("refusedPinned", count(Count::kRefusedPinned));
  put("refusedReaders", count(Count::kRefusedReaders));
  put("refusedMemory", count(Count::kRefusedMemory));
  put("deletes", count(Count::kDeletes));
  put("evictions", count(Count::kEvictedEntries));
  put("copiedForward", count(Count::kCopiedForward));
  put("evictedSegments", count(Count::kEvictedSegments));
  put("corrupted", count(Count::kCorrupted));
  put("exposures", count(Count::kExposures));
  put("youngCollections", count(Count::kYoungGcs));
  put("forcedCollections", count(Count::kForcedGcs));
  put("entries", usage.entries);
  put("segmentBytes", usage.segment_bytes);
  put("segments", usage.segments);
  put("freeSegments", usage.free_segments);
  put("retiredSegments", usage.retired_segments);
  put("exposedSegments", usage.exposed_segments);
  put("exposureLimit", usage.exposure_limit);
  put("seenHere", call.membership().seen());
  put("pendingHere", call.membership().pending());
  put("indexBytes", usage.index_bytes);
  put("committedSegments", usage.committed_segments);
  put("exposurePriceNs", call.isolate->PriceNs(call.cache()));
  stats.Set("evicting", Napi::Boolean::New(env, usage.evicting));
  return stats;
}

napi_value Environment(napi_env env, napi_callback_info) {
  const Isolate& isolate = *Isolate::Of(env);
  Napi::Object environment = Napi::Object::New(env);
  environment.Set("backend", Napi::String::New(env, BackendName(isolate.backend())));
  environment.Set("memoryLimitBytes",
                  Napi::Number::New(env, static_cast<double>(MemoryLimitBytes(PhysicalMemoryBytes()))));
  return environment;
}

// start(registers, errorFactory): once, by lib/native.ts.
napi_value Start(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Status status = Isolate::Of(env)->Start(args[0], args[1]);
  return status.ok() ? nullptr : ThrowType(env, status.detail());
}

// Memory that ran out in the core becomes an error here, at the last door before JavaScript.
template <napi_callback Function>
napi_value Guarded(napi_env env, napi_callback_info info) {
  try {
    return Function(env, info);
  } catch (const std::bad_alloc&) {
    return Throw(env, *Isolate::Of(env), {Code::kNoMemory, "the system refused memory"});
  }
}

}  // namespace

bool ExportCache(napi_env env, napi_value exports) {
  constexpr struct {
    const char* name;
    napi_callback function;
  } kFunctions[] = {
      {"start", Guarded<Start>},
      {"open", Guarded<Open>},
      {"keyspace", Guarded<Keyspace>},
      {"find", Guarded<Find>},
      {"findMany", Guarded<FindMany>},
      {"copy", Guarded<Copy>},
      {"has", Guarded<Has>},
      {"set", Guarded<Set>},
      {"delete", Guarded<Delete>},
      {"clear", Guarded<Clear>},
      {"close", Guarded<Close>},
      {"detached", Guarded<Detached>},
      {"heap", Guarded<Heap>},
      {"maintain", Guarded<Maintain>},
      {"collect", Guarded<Collect>},
      {"stats", Guarded<Stats>},
      {"environment", Guarded<Environment>},
  };
  for (const auto& each : kFunctions) {
    napi_value function;
    if (napi_create_function(env, each.name, NAPI_AUTO_LENGTH, each.function, nullptr, &function) != napi_ok ||
        napi_set_named_property(env, exports, each.name, function) != napi_ok) {
      return false;
    }
  }
  return true;
}

}  // namespace zerohop::binding
