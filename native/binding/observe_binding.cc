// observe_binding.cc: figures of all keyspaces at once, for metrics; and what models count.
//
// A scrape asks for many keyspaces.  An object for each would take longer than reading the counts, so they are written
// to an array that the caller brings, a row for each keyspace.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "binding/call.h"
#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/function_table.h"
#include "binding/numbers.h"

namespace zerohop::binding {
namespace {

// tally(handle, count, by): adds to a count of the keyspace.  `by` may be negative: a correction.
napi_value Tally(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args);
  uint32_t which = 0;
  int32_t by = 0;
  if (!call) return nullptr;
  if (napi_get_value_uint32(env, args[1], &which) != napi_ok || which >= kCountNumber ||
      napi_get_value_int32(env, args[2], &by) != napi_ok) {
    return ThrowType(env, "tally: expected (handle, count, number)");
  }
  call.counters().Add(static_cast<Count>(which), static_cast<uint64_t>(int64_t{by}));
  return nullptr;
}

// ranFor(handle, ms): a run of the keyspace's model took so long.
napi_value RanFor(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args);
  double ms = 0;
  if (!call) return nullptr;
  if (napi_get_value_double(env, args[1], &ms) != napi_ok) return ThrowType(env, "ranFor: expected (handle, number)");
  constexpr double kMsMax = static_cast<double>(Histogram::kLargest) / 1e6;
  const double ns = ms > 0 ? std::min(ms, kMsMax) * 1e6 : 0;
  call.cache().run_times().Record(call.space(), static_cast<uint64_t>(std::llround(ns)));
  return nullptr;
}

// spaceNames(handle, from): the names of the keyspaces from this number on, as native code has them.
napi_value SpaceNames(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args);
  uint32_t from = 0;
  napi_value names;
  if (!call) return nullptr;
  if (napi_get_value_uint32(env, args[1], &from) != napi_ok) {
    return ThrowType(env, "spaceNames: expected (handle, number)");
  }
  if (napi_create_array(env, &names) != napi_ok) return nullptr;
  const size_t count = call.cache().space_count();
  for (size_t space = from; space < count; ++space) {
    const HandleScope scope(env);
    const std::string name = call.cache().NameOf(static_cast<uint16_t>(space));
    napi_value text;
    if (napi_create_string_utf8(env, name.data(), name.size(), &text) != napi_ok ||
        napi_set_element(env, names, static_cast<uint32_t>(space - from), text) != napi_ok) {
      return nullptr;
    }
  }
  return names;
}

// spaceCounts(handle, from, to, rows): writes a row for each keyspace: its counts, then its entries.
napi_value SpaceCounts(napi_env env, napi_callback_info info) {
  const Arguments<4> args(env, info);
  const Call call(env, args);
  uint32_t from = 0, to = 0;
  if (!call) return nullptr;
  if (napi_get_value_uint32(env, args[1], &from) != napi_ok || napi_get_value_uint32(env, args[2], &to) != napi_ok ||
      from > to || to > call.cache().space_count()) {
    return ThrowType(env, "spaceCounts: expected (handle, number, number, Float64Array)");
  }
  auto* row =
      static_cast<double*>(ReadArrayOf(env, args[3], napi_float64_array, (to - from) * (kCountNumber + 1), "rows"));
  if (row == nullptr) return nullptr;
  for (uint32_t space = from; space < to; ++space) {
    const CountTotals counts = call.cache().CountsOf(static_cast<uint16_t>(space));
    for (const uint64_t count : counts) *row++ = static_cast<double>(static_cast<int64_t>(count));
    *row++ = static_cast<double>(call.cache().EntriesOf(static_cast<uint16_t>(space)));
  }
  return nullptr;
}

// spaceTimes(handle, space, times): adds how long the runs of a keyspace's model took: for each of kTimeBounds, how
// many runs took no longer; then how many there were, and the ns that they took together.
napi_value SpaceTimes(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args);
  uint32_t space = 0;
  if (!call) return nullptr;
  if (napi_get_value_uint32(env, args[1], &space) != napi_ok || space >= call.cache().space_count()) {
    return ThrowType(env, "spaceTimes: expected (handle, number, Float64Array)");
  }
  auto* const times = static_cast<double*>(ReadArrayOf(env, args[2], napi_float64_array, kTimeBounds + 2, "times"));
  const Histogram* const histogram = call.cache().run_times().Of(static_cast<uint16_t>(space));
  if (times == nullptr || histogram == nullptr) return nullptr;
  AddTimes(*histogram, times);
  return nullptr;
}

// spaceBuckets(handle, space, buckets): adds how long the runs of a keyspace's model took: the count of each bucket of
// the histogram.
napi_value SpaceBuckets(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const Call call(env, args);
  uint32_t space = 0;
  if (!call) return nullptr;
  if (napi_get_value_uint32(env, args[1], &space) != napi_ok || space >= call.cache().space_count()) {
    return ThrowType(env, "spaceBuckets: expected (handle, number, Float64Array)");
  }
  auto* const buckets =
      static_cast<double*>(ReadArrayOf(env, args[2], napi_float64_array, Histogram::kBuckets, "buckets"));
  const Histogram* const histogram = call.cache().run_times().Of(static_cast<uint16_t>(space));
  if (buckets != nullptr && histogram != nullptr) histogram->AddTo(buckets);
  return nullptr;
}

constexpr Function kObserveFunctions[] = {
    {"tally", Guarded<Tally>},           {"ranFor", Guarded<RanFor>},
    {"spaceNames", Guarded<SpaceNames>}, {"spaceCounts", Guarded<SpaceCounts>},
    {"spaceTimes", Guarded<SpaceTimes>}, {"spaceBuckets", Guarded<SpaceBuckets>},
};

}  // namespace

void AddTimes(const Histogram& histogram, double* times) {
  for (size_t i = 0; i < kTimeBounds; ++i) {
    times[i] += static_cast<double>(histogram.CountUpTo(uint64_t{1} << (kTimeBoundFirst + i * kTimeBoundStep)));
  }
  times[kTimeBounds] += static_cast<double>(histogram.count());
  times[kTimeBounds + 1] += static_cast<double>(histogram.sum());
}

std::span<const Function> ObserveFunctions() { return kObserveFunctions; }

}  // namespace zerohop::binding
