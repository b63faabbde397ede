// write_binding.cc: stores, deletions, touches and clearings.
#include <array>
#include <string>
#include <vector>

#include "base/clock.h"
#include "binding/call.h"
#include "binding/convert.h"
#include "binding/function_table.h"
#include "binding/keys.h"
#include "binding/numbers.h"

namespace zerohop::binding {
namespace {

// The end of an entry, from JavaScript's microseconds from now; infinity: kNever.
uint64_t EndOf(double from_now_us) {
  return from_now_us < 1e18 ? NowUs() + static_cast<uint64_t>(from_now_us) : kNever;
}

// After a store: writes how many entries it evicted to the registers, and plans the collection that evictions want.
class StoreReport {
 public:
  explicit StoreReport(const Call& call) : call_(call), evicted_before_(call.session().evicted) {}
  ~StoreReport() {
    call_.isolate->registers()[Isolate::kEvicted] = static_cast<uint32_t>(call_.session().evicted - evicted_before_);
    if (call_.cache().exposure().collection_need() != CollectionNeed::kNothing) [[unlikely]]
      call_.isolate->collector().Plan(call_.membership());
  }
  StoreReport(const StoreReport&) = delete;
  StoreReport& operator=(const StoreReport&) = delete;

 private:
  const Call& call_;
  const uint64_t evicted_before_;
};

napi_value StoreValue(napi_env env, const Call& call, const KeyReader& key, napi_value given,
                      std::span<const std::string_view> tags) {
  Bytes value;
  if (!ReadView(env, given, "value", &value)) return nullptr;
  const double* const wide = call.isolate->wide_registers();
  const StoreOptions options{EndOf(wide[Isolate::kStoreTtl]), static_cast<float>(wide[Isolate::kStoreCost]), tags,
                             key.is_bytes()};
  const StoreReport report(call);
  const SetOutcome outcome = call.cache().Set(call.session(), call.space(), key.bytes(), value, options);
  if (outcome == SetOutcome::kTooLarge) {
    return ThrowRange(env, "value: expected at most " + std::to_string(call.cache().ValueBytesMax(key.bytes().size())) +
                               " bytes, received " + std::to_string(value.size()) + "; raise maxBytes");
  }
  return Int(env, outcome == SetOutcome::kStored ? kStored : kRefused);
}

// set(handle, key, value): kStored | kRefused.  Takes time to live and cost from the wide registers.  Writes how many
// entries it evicted to the registers.
napi_value Set(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args);
  KeyReader key;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  return StoreValue(env, call, key, args[2], {});
}

// setTagged(handle, key, value, tags): the same, with tags.
napi_value SetTagged(napi_env env, napi_callback_info info) {
  const Arguments<4> args(env, info);
  const Call call(env, args);
  KeyReader key;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  uint32_t count = 0;
  if (napi_get_array_length(env, args[3], &count) != napi_ok || count > kTagsMax) {
    return ThrowType(env, "setTagged: expected (handle, key, value, string[])");
  }
  std::array<std::string, kTagsMax> names;
  std::array<std::string_view, kTagsMax> tags;
  for (uint32_t i = 0; i < count; ++i) {
    napi_value element;
    if (napi_get_element(env, args[3], i, &element) != napi_ok || !ReadString(env, element, &names[i])) return nullptr;
    tags[i] = names[i];
  }
  return StoreValue(env, call, key, args[2], std::span(tags).first(count));
}

// touch(handle, key, ttlUs): kStored | kRefused | kAbsent.  `ttlUs` NaN: the end of the entry stays.
napi_value Touch(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args);
  KeyReader key;
  double ttl_us = 0;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  if (napi_get_value_double(env, args[2], &ttl_us) != napi_ok) return nullptr;
  const auto end = ttl_us == ttl_us ? std::optional(EndOf(ttl_us)) : std::nullopt;
  const StoreReport report(call);
  const auto outcome = call.cache().Touch(call.session(), call.space(), key.bytes(), end);
  if (!outcome) return Int(env, kAbsent);
  return Int(env, *outcome == SetOutcome::kStored ? kStored : kRefused);
}

napi_value Delete(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args);
  KeyReader key;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  return Bool(env, call.cache().Delete(call.session(), call.space(), key.bytes()));
}

napi_value DeleteByTag(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args);
  std::string tag;
  if (!call || !ReadString(env, args[1], &tag)) return nullptr;
  return Double(env, static_cast<double>(call.cache().DeleteByTag(call.session(), call.space(), tag)));
}

// clear(handle): clears the keyspace; if it is the cache itself, everything.
napi_value Clear(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  const Call call(env, args);
  if (!call) return nullptr;
  if (call.space() != 0) {
    call.cache().ClearSpace(call.space());
    return nullptr;
  }
  call.cache().Clear();
  call.membership().HeedNotice(env);
  call.cache().Maintain(true);
  return nullptr;
}

// generation(handle): another number after each clearing of the keyspace, by whatever thread or client of a server.
napi_value Generation(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  const Call call(env, args);
  return call ? Double(env, static_cast<double>(call.cache().GenerationOf(call.space()))) : nullptr;
}

constexpr Function kWriteFunctions[] = {
    {"set", Guarded<Set>},
    {"setTagged", Guarded<SetTagged>},
    {"touch", Guarded<Touch>},
    {"delete", Guarded<Delete>},
    {"deleteByTag", Guarded<DeleteByTag>},
    {"clear", Guarded<Clear>},
    {"generation", Guarded<Generation>},
};

}  // namespace

std::span<const Function> WriteFunctions() { return kWriteFunctions; }

}  // namespace zerohop::binding
