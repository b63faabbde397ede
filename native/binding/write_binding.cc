// Stores: set, setTagged, delete, deleteByTag, touch, clear.
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

// Microseconds from now, as JavaScript says them: infinity is for ever.
uint64_t EndOf(double from_now_us) {
  return from_now_us < 1e18 ? NowUs() + static_cast<uint64_t>(from_now_us) : kNever;
}

// Runs `store` until it stands, or nothing more can be done for it.
template <class Store>
SetOutcome StoreOrCollect(napi_env env, const Call& call, Store store) {
  const uint64_t evicted_before = call.session().evicted;
  SetOutcome outcome = store();
  // Before refusing: collect the young generation, then, if collections are not taking too much time, the whole heap.
  for (int rung = 0; outcome == SetOutcome::kRefusedPinned && rung < 2; ++rung) {
    if (!(rung == 0 ? call.isolate->CollectYoung() : call.isolate->ForceCollection())) continue;
    call.membership().HeedNotice(env);
    outcome = store();
  }
  call.cache().Counted(call.session(), call.space(), outcome);
  call.isolate->registers()[Isolate::kEvicted] = static_cast<uint32_t>(call.session().evicted - evicted_before);
  if (call.cache().collection_need() != Evictor::CollectionNeed::kNothing) [[unlikely]]
    call.isolate->PlanCollection(call.membership());
  return outcome;
}

napi_value StoreValue(napi_env env, const Call& call, const KeyReader& key, napi_value given,
                      std::span<const std::string_view> tags) {
  Bytes value;
  if (!ReadView(env, given, "value", &value)) return nullptr;
  const double* const wide = call.isolate->wide_registers();
  const StoreOptions options{EndOf(wide[Isolate::kStoreTtl]), static_cast<float>(wide[Isolate::kStoreCost]), tags,
                             key.is_bytes()};
  const SetOutcome outcome = StoreOrCollect(
      env, call, [&] { return call.cache().TrySet(call.session(), call.space(), key.bytes(), value, options); });
  if (outcome == SetOutcome::kTooLarge) {
    return ThrowRange(env, "value: expected at most " + std::to_string(call.cache().ValueBytesMax(key.bytes().size())) +
                               " bytes, received " + std::to_string(value.size()) + "; raise maxBytes");
  }
  return Int(env, outcome == SetOutcome::kStored ? kStored : kRefused);
}

// set(handle, key, value): kStored | kRefused; its time to live and cost from the wide registers; how many entries it
// pushed out in the registers.
napi_value Set(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args);
  KeyReader key;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  return StoreValue(env, call, key, args[2], {});
}

// setTagged(handle, key, value, tags): the same.
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

// touch(handle, key, ttlUs): kStored | kRefused | kAbsent; ttlUs NaN: the entry's end stays.
napi_value Touch(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args);
  KeyReader key;
  double ttl_us = 0;
  if (!call || !key.Read(env, args[1], call.keys())) return nullptr;
  // NaN: the entry's end stays as it is.
  if (napi_get_value_double(env, args[2], &ttl_us) != napi_ok) return nullptr;
  const auto end = ttl_us == ttl_us ? std::optional(EndOf(ttl_us)) : std::nullopt;
  bool found = false;
  const SetOutcome outcome = StoreOrCollect(env, call, [&] {
    const auto touched = call.cache().TryTouch(call.session(), call.space(), key.bytes(), end);
    found = touched.has_value();
    return touched.value_or(SetOutcome::kStored);
  });
  if (!found) return Int(env, kAbsent);
  return Int(env, outcome == SetOutcome::kStored ? kStored : kRefused);
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

// clear(handle): the keyspace; of space 0, everything.
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

constexpr Function kWriteFunctions[] = {
    {"set", Guarded<Set>},       {"setTagged", Guarded<SetTagged>},     {"touch", Guarded<Touch>},
    {"delete", Guarded<Delete>}, {"deleteByTag", Guarded<DeleteByTag>}, {"clear", Guarded<Clear>},
};

}  // namespace

std::span<const Function> WriteFunctions() { return kWriteFunctions; }

}  // namespace zerohop::binding
