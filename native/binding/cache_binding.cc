// cache_binding.cc: opening and closing caches and keyspaces; near caches, upkeep and figures.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/memory_limit.h"
#include "base/os_memory.h"
#include "base/ticker.h"
#include "binding/call.h"
#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/function_table.h"
#include "binding/isolate.h"
#include "cache/registry.h"

namespace zerohop::binding {
namespace {

napi_value Close(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  int32_t number = -1;
  napi_get_value_int32(env, args[0], &number);
  args.isolate->Close(number);
  return nullptr;
}

// open(name, maxBytes, verify, maxEntries, bindingOptions, policy, aging, admission): handle.  `bindingOptions`: a text
// of whatever else must be the same when the name is opened again.
napi_value Open(napi_env env, napi_callback_info info) {
  const Arguments<8> args(env, info);
  Isolate& isolate = *args.isolate;
  std::string name, binding_options;
  double max_bytes = 0, max_entries = 0;
  int32_t verify = 0, policy = 0;
  bool aging = false, admission = false;
  if (!ReadString(env, args[0], &name) || napi_get_value_double(env, args[1], &max_bytes) != napi_ok ||
      napi_get_value_int32(env, args[2], &verify) != napi_ok || !(max_bytes >= 0 && max_bytes < 9e15) ||
      napi_get_value_double(env, args[3], &max_entries) != napi_ok || !(max_entries >= 1) ||
      !ReadString(env, args[4], &binding_options) || napi_get_value_int32(env, args[5], &policy) != napi_ok ||
      napi_get_value_bool(env, args[6], &aging) != napi_ok ||
      napi_get_value_bool(env, args[7], &admission) != napi_ok) {
    return ThrowType(env, "open: expected (string, number, number, number, string, number, boolean, boolean)");
  }
  CacheOptions options;
  options.max_bytes = static_cast<size_t>(max_bytes);
  options.verify = static_cast<Verify>(verify);
  options.binding_options = std::move(binding_options);
  options.policy = static_cast<Policy::Kind>(policy);
  options.aging = aging;
  options.admission = admission;
  if (max_entries < 9e15) options.max_entries = static_cast<size_t>(max_entries);
  Result<std::shared_ptr<Cache>> cache = Registry::Process().Open(name, options);
  if (!cache.ok()) {
    const Status& status = cache.status();
    const bool no_memory = status.code() == Code::kNoMemory;
    return Throw(env, no_memory ? Status{status.code(), status.detail() + "; lower options.maxBytes"} : status);
  }
  return Int(env, isolate.Open(std::move(cache.value()), 0, KeyKind::kText));
}

// keyspace(handle, name, scope, codec, integerKeys, terms): handle.  Without terms, any are right.
napi_value Keyspace(napi_env env, napi_callback_info info) {
  const Arguments<6> args(env, info);
  const Call call(env, args);
  std::string name, scope, codec, terms;
  bool integers = false;
  if (!call) return nullptr;
  if (!ReadString(env, args[1], &name) || !ReadString(env, args[2], &scope) || !ReadString(env, args[3], &codec) ||
      napi_get_value_bool(env, args[4], &integers) != napi_ok || !ReadString(env, args[5], &terms)) {
    return ThrowType(env, "keyspace: expected (handle, string, string, string, boolean, string)");
  }
  // The kind of key is part of the codec's name, because it must be the same when the keyspace is opened again.
  if (integers) codec = "integer keys, " + codec;
  Result<uint16_t> space = call.cache().OpenSpace(name, scope, codec, terms);
  if (!space.ok()) return Throw(env, space.status());
  return Int(env, call.isolate->Open(call.membership().shared_cache(), space.value(),
                                     integers ? KeyKind::kInteger : KeyKind::kText));
}

// near(handle): [a buffer over the words that a near cache watches (cache/version_words.h), the place of its hit count,
// the notice]; undefined if there can be no near cache now.
napi_value Near(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  const Call call(env, args);
  if (!call) return nullptr;
  // The notice is read before the cache is asked whether it is under pressure.  If pressure begins in between, the
  // notice changes, and the near cache sees that.
  const uint32_t notice = call.cache().version_words()->notice();
  if (call.cache().exposure().under_pressure() || call.cache().options().verify == Verify::kTrap) return nullptr;
  const std::optional<uint32_t> number = call.membership().NearNumber(call.space());
  if (!number) return nullptr;
  napi_value words = call.membership().VersionWordsBuffer(env);
  napi_value pair;
  if (words == nullptr || napi_create_array_with_length(env, 3, &pair) != napi_ok ||
      napi_set_element(env, pair, 0, words) != napi_ok ||
      napi_set_element(env, pair, 1, Int(env, *number)) != napi_ok ||
      napi_set_element(env, pair, 2, Double(env, notice)) != napi_ok) {
    return nullptr;
  }
  return pair;
}

// clock(): a buffer over the word that tells the time (base/ticker.h); undefined if this Node has no such buffers.
napi_value Clock(napi_env env, napi_callback_info) {
  return MakeSharedBuffer(env, Isolate::Of(env)->backend(), Ticker::Process().word(), Ticker::kWordBytes, nullptr);
}

// detached(handle, segment): the buffer over the segment was detached, so it cannot be used any more.
napi_value Detached(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args);
  uint32_t segment = 0;
  if (!call || napi_get_value_uint32(env, args[1], &segment) != napi_ok) return nullptr;
  call.membership().Detached(env, segment);
  return nullptr;
}

// heap(usedBytes): tells how many bytes the isolate's heap holds.  The price of an exposure follows from that.
napi_value Heap(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  double bytes = 0;
  if (napi_get_value_double(env, args[0], &bytes) == napi_ok && bytes >= 0) {
    Isolate::Of(env)->set_heap_used_bytes(static_cast<uint64_t>(bytes));
  }
  return nullptr;
}

napi_value Maintain(napi_env env, napi_callback_info info) {
  Arguments<0>(env, info).isolate->Maintain();
  return nullptr;
}

// collect(): collects the young generation, if V8 does not count copies (Backend::kShared).
napi_value Collect(napi_env env, napi_callback_info) {
  Isolate::Of(env)->collector().CollectYoung();
  return nullptr;
}

void PutCounts(napi_env env, Napi::Object& into, const CountTotals& counts) {
  constexpr struct {
    const char* name;
    Count count;
  } kNames[] = {{"hits", Count::kHits},
                {"misses", Count::kMisses},
                {"copiedHits", Count::kCopiedHits},
                {"nearHits", Count::kNearHits},
                {"sets", Count::kSets},
                {"refusedPinned", Count::kRefusedPinned},
                {"refusedReaders", Count::kRefusedReaders},
                {"refusedMemory", Count::kRefusedMemory},
                {"refusedWorth", Count::kRefusedWorth},
                {"storedBytes", Count::kStoredBytes},
                {"deletes", Count::kDeletes},
                {"evicted", Count::kEvictedEntries},
                {"trimmed", Count::kTrimmedEntries},
                {"expired", Count::kExpired},
                {"copiedForward", Count::kCopiedForward},
                {"copiedForwardBytes", Count::kCopiedForwardBytes},
                {"evictedSegments", Count::kEvictedSegments},
                {"corrupted", Count::kCorrupted},
                {"exposures", Count::kExposures},
                {"youngCollections", Count::kYoungGcs},
                {"forcedCollections", Count::kForcedGcs},
                {"movedHits", Count::kMovedHits},
                {"movedCopies", Count::kMovedCopies},
                {"movedMisses", Count::kMovedMisses},
                {"stale", Count::kStale},
                {"coalesced", Count::kCoalesced},
                {"negative", Count::kNegative},
                {"bypassed", Count::kBypassed},
                {"runs", Count::kRuns},
                {"runInputs", Count::kRunInputs},
                {"runFailures", Count::kRunFailures},
                {"runTimeouts", Count::kRunTimeouts},
                {"verified", Count::kVerified},
                {"mismatches", Count::kMismatches}};
  static_assert(std::size(kNames) == kCountNumber, "every count is told");
  for (const auto& [name, which] : kNames) {
    // Signed: a correction is negative.
    const auto count = static_cast<int64_t>(counts[static_cast<size_t>(which)]);
    into.Set(name, Napi::Number::New(env, static_cast<double>(count)));
  }
}

// spaceStats(handle): the counts of the keyspace.
napi_value SpaceStats(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  const Call call(env, args);
  if (!call) return nullptr;
  Napi::Object stats = Napi::Object::New(env);
  PutCounts(env, stats, call.cache().CountsOf(call.space()));
  stats.Set("entries", Napi::Number::New(env, static_cast<double>(call.cache().EntriesOf(call.space()))));
  return stats;
}

napi_value Stats(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  const Call call(env, args);
  if (!call) return nullptr;
  const CacheUsage usage = call.cache().Usage();
  Napi::Object stats = Napi::Object::New(env);
  const auto put = [&](const char* name, uint64_t value) {
    stats.Set(name, Napi::Number::New(env, static_cast<double>(value)));
  };
  PutCounts(env, stats, usage.counts);
  put("entries", usage.entries);
  put("keyspaces", usage.keyspaces);
  put("keyspacesMax", usage.keyspaces_max);
  put("scopes", usage.scopes);
  put("scopesMax", usage.scopes_max);
  put("segmentBytes", usage.segment_bytes);
  put("segments", usage.segments);
  put("freeSegments", usage.free_segments);
  put("retiredSegments", usage.retired_segments);
  put("exposedSegments", usage.exposed_segments);
  put("exposureLimit", usage.exposure_limit);
  put("seenHere", call.membership().seen());
  put("pendingHere", call.membership().pending());
  put("indexBytes", usage.index_bytes);
  put("fixedBytes", usage.fixed_bytes);
  put("committedSegments", usage.committed_segments);
  put("exposurePriceNs", call.isolate->PriceNs(call.cache()));
  put("policyBytes", usage.policy_bytes);
  put("policyCapacity", usage.policy_capacity);
  put("policyTick", usage.policy_tick);
  put("ageUs", usage.age_us);
  stats.Set("threshold", Napi::Number::New(env, usage.threshold));
  stats.Set("evicting", Napi::Boolean::New(env, usage.evicting));
  return stats;
}

napi_value Environment(napi_env env, napi_callback_info) {
  const Isolate& isolate = *Isolate::Of(env);
  Napi::Object environment = Napi::Object::New(env);
  environment.Set("backend", Napi::String::New(env, BackendName(isolate.backend())));
  // Asked once, before there are caches, so that every thread computes the same default size.
  static const uint64_t address_space = AddressSpaceLeftBytes();
  const uint64_t memory = std::min(MemoryLimitBytes(PhysicalMemoryBytes()), address_space);
  environment.Set("memoryLimitBytes", Napi::Number::New(env, static_cast<double>(memory)));
  return environment;
}

constexpr Function kCacheFunctions[] = {
    {"close", Guarded<Close>},       {"open", Guarded<Open>},
    {"keyspace", Guarded<Keyspace>}, {"near", Guarded<Near>},
    {"clock", Guarded<Clock>},       {"detached", Guarded<Detached>},
    {"heap", Guarded<Heap>},         {"maintain", Guarded<Maintain>},
    {"collect", Guarded<Collect>},   {"spaceStats", Guarded<SpaceStats>},
    {"stats", Guarded<Stats>},       {"environment", Guarded<Environment>},
};

}  // namespace

std::span<const Function> CacheFunctions() { return kCacheFunctions; }

}  // namespace zerohop::binding
