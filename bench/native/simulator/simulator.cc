// simulator.cc: plays traces through caches, for JavaScript.  Not part of the package.
//
//   readTrace(bytes: Uint8Array, recordBytes) -> { ids: Uint32Array, unique }     dense ids in order of appearance
//   play(what, ids, unique, capacity, { segments?, window?, costs?, sizes?, bytesMax? })
//     -> { hits, ns, savedCost, policyBytes, copied, windows: Uint32Array }
//
// what  fifo · lru · s3fifo · wtinylfu · belady · learned · lean · strict · score · score-aging, entry by entry;
//       engine · engine-score · engine-blind, the whole engine; gdsf.   All run on the calling thread.
#include <node_api.h>

#include <chrono>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine.h"
#include "reference.h"
#include "sampled.h"

namespace {

using zerohop::Policy;

struct Play {
  const uint32_t* ids;
  size_t length;
  uint32_t unique;
  uint32_t capacity;
  uint32_t segments = 256;
  uint32_t window = 0;  // requests that are counted together; 0: none are
  uint64_t bytes_max = 0;
  const float* costs = nullptr;
  const uint32_t* sizes = nullptr;
};

struct Outcome {
  uint64_t hits = 0;
  double ns = 0, saved_cost = 0, policy_bytes = 0, copied = 0;
  std::vector<uint32_t> windows;
};

template <class Cache>
void Run(const Play& play, Cache& cache, Outcome* outcome) {
  const auto begin = std::chrono::steady_clock::now();
  if (play.window == 0 && play.costs == nullptr) {
    uint64_t hits = 0;
    for (size_t i = 0; i < play.length; ++i) hits += cache.Request(play.ids[i]);
    outcome->hits = hits;
  } else {
    if (play.window != 0) outcome->windows.assign((play.length + play.window - 1) / play.window, 0);
    for (size_t i = 0; i < play.length; ++i) {
      if (!cache.Request(play.ids[i])) continue;
      ++outcome->hits;
      if (play.costs != nullptr) outcome->saved_cost += play.costs[play.ids[i]];
      if (play.window != 0) ++outcome->windows[i / play.window];
    }
  }
  outcome->ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
}

// Not inlined, these two, so that their instructions can be counted.
template <class Cache>
[[gnu::noinline]] Outcome RunOf(const Play& play) {
  Outcome outcome;
  Cache cache(play.unique, play.capacity);
  Run(play, cache, &outcome);
  return outcome;
}

template <Policy::Kind kKind>
[[gnu::noinline]] Outcome RunSampled(const Play& play, Policy::Options options = {}) {
  options.kind = kKind;
  Outcome outcome;
  simulator::Sampled cache(play.unique, play.capacity, options);
  Run(play, cache, &outcome);
  outcome.policy_bytes = static_cast<double>(cache.policy_bytes());
  return outcome;
}

Outcome RunEngine(const Play& play, Policy::Kind kind, bool weigh_cost_and_bytes) {
  simulator::Engine::Setup setup;
  if (play.sizes != nullptr) {
    setup.options.max_bytes = play.bytes_max;
    setup.options.segment_bytes = size_t{1} << 20;
  } else {
    setup = simulator::Engine::OfEqualEntries(play.capacity, play.segments);
  }
  setup.options.policy = kind;
  setup.options.admission = kind == Policy::Kind::kScore;
  setup.options.weigh_cost_and_bytes = weigh_cost_and_bytes;
  setup.costs = play.costs;
  setup.sizes = play.sizes;
  Outcome outcome;
  simulator::Engine cache(std::move(setup));
  Run(play, cache, &outcome);
  outcome.copied = cache.CopiedPerStored();
  return outcome;
}

// False if nobody knows `what`.
bool RunNamed(const std::string& what, const Play& play, Outcome* outcome) {
  Policy::Options options;
  if (what == "fifo") {
    *outcome = RunOf<simulator::Fifo>(play);
  } else if (what == "lru") {
    *outcome = RunOf<simulator::Lru>(play);
  } else if (what == "s3fifo") {
    *outcome = RunOf<simulator::S3Fifo>(play);
  } else if (what == "wtinylfu") {
    *outcome = RunOf<simulator::WTinyLfu>(play);
  } else if (what == "belady") {
    simulator::Belady cache(play.unique, play.capacity, play.ids, play.length);
    Run(play, cache, outcome);
  } else if (what == "gdsf") {
    simulator::Gdsf cache(play.unique, play.bytes_max, play.costs, play.sizes);
    Run(play, cache, outcome);
  } else if (what == "learned") {
    *outcome = RunSampled<Policy::Kind::kLearned>(play, options);
  } else if (what == "lean") {
    options.sketch_bytes = 6;
    options.tracker_bytes = 4;
    options.sketch_bytes_min = size_t{4} << 10;
    options.tracker_bytes_min = size_t{8} << 10;
    *outcome = RunSampled<Policy::Kind::kLearned>(play, options);
  } else if (what == "strict") {  // without a least size of sketch and tracker
    options.sketch_bytes_min = options.tracker_bytes_min = 64;
    *outcome = RunSampled<Policy::Kind::kLearned>(play, options);
  } else if (what == "score" || what == "score-aging") {
    options.aging = what == "score-aging";
    *outcome = RunSampled<Policy::Kind::kScore>(play, options);
  } else if (what == "engine" || what == "engine-blind") {
    *outcome = RunEngine(play, Policy::Kind::kLearned, what == "engine");
  } else if (what == "engine-score") {
    *outcome = RunEngine(play, Policy::Kind::kScore, true);
  } else {
    return false;
  }
  return true;
}

napi_value Fail(napi_env env, const char* text) {
  napi_throw_type_error(env, nullptr, text);
  return nullptr;
}

// A typed array's memory, or null; `count` elements.
void* TypedArray(napi_env env, napi_value value, napi_typedarray_type wanted, size_t* count) {
  bool is = false;
  if (napi_is_typedarray(env, value, &is) != napi_ok || !is) return nullptr;
  napi_typedarray_type type;
  void* data = nullptr;
  napi_get_typedarray_info(env, value, &type, count, &data, nullptr, nullptr);
  return type == wanted ? data : nullptr;
}

napi_value NewUint32Array(napi_env env, const std::vector<uint32_t>& values) {
  void* data = nullptr;
  napi_value buffer, array;
  napi_create_arraybuffer(env, values.size() * sizeof(uint32_t), &data, &buffer);
  if (!values.empty()) std::memcpy(data, values.data(), values.size() * sizeof(uint32_t));
  napi_create_typedarray(env, napi_uint32_array, values.size(), buffer, 0, &array);
  return array;
}

void Put(napi_env env, napi_value object, const char* name, double value) {
  napi_value number;
  napi_create_double(env, value, &number);
  napi_set_named_property(env, object, name, number);
}

double Number(napi_env env, napi_value object, const char* name, double otherwise) {
  napi_value value;
  double number = otherwise;
  if (napi_get_named_property(env, object, name, &value) == napi_ok) napi_get_value_double(env, value, &number);
  return number;
}

napi_value ReadTrace(napi_env env, napi_callback_info info) {
  size_t argc = 2, bytes = 0;
  napi_value argv[2];
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  const auto* const data = static_cast<const uint8_t*>(TypedArray(env, argv[0], napi_uint8_array, &bytes));
  uint32_t record = 0;
  if (data == nullptr || napi_get_value_uint32(env, argv[1], &record) != napi_ok || record < sizeof(uint64_t)) {
    return Fail(env, "readTrace: expected (Uint8Array, at least 8)");
  }
  std::unordered_map<uint64_t, uint32_t> known;
  std::vector<uint32_t> ids;
  ids.reserve(bytes / record);
  for (size_t at = 0; at + record <= bytes; at += record) {
    uint64_t key;
    std::memcpy(&key, data + at, sizeof(key));
    ids.push_back(known.try_emplace(key, static_cast<uint32_t>(known.size())).first->second);
  }
  napi_value trace;
  napi_create_object(env, &trace);
  napi_set_named_property(env, trace, "ids", NewUint32Array(env, ids));
  Put(env, trace, "unique", static_cast<double>(known.size()));
  return trace;
}

napi_value PlayTrace(napi_env env, napi_callback_info info) {
  size_t argc = 5, length = 0, told = 0;
  napi_value argv[5];
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  char what[32] = {};
  Play play{};
  play.ids = static_cast<const uint32_t*>(TypedArray(env, argv[1], napi_uint32_array, &length));
  play.length = length;
  if (argc < 5 || napi_get_value_string_utf8(env, argv[0], what, sizeof(what), nullptr) != napi_ok ||
      play.ids == nullptr || napi_get_value_uint32(env, argv[2], &play.unique) != napi_ok ||
      napi_get_value_uint32(env, argv[3], &play.capacity) != napi_ok || play.capacity == 0) {
    return Fail(env, "play: expected (string, Uint32Array, number, number above 0, object)");
  }
  for (size_t i = 0; i < length; ++i) {
    if (play.ids[i] >= play.unique) return Fail(env, "play: an id is not below `unique`");
  }
  play.segments = static_cast<uint32_t>(Number(env, argv[4], "segments", 256));
  play.window = static_cast<uint32_t>(Number(env, argv[4], "window", 0));
  play.bytes_max = static_cast<uint64_t>(Number(env, argv[4], "bytesMax", 0));
  napi_value value;
  napi_get_named_property(env, argv[4], "costs", &value);
  play.costs = static_cast<const float*>(TypedArray(env, value, napi_float32_array, &told));
  if (play.costs != nullptr && told < play.unique) return Fail(env, "play: a cost for each id");
  napi_get_named_property(env, argv[4], "sizes", &value);
  play.sizes = static_cast<const uint32_t*>(TypedArray(env, value, napi_uint32_array, &told));
  if (play.sizes != nullptr && told < play.unique) return Fail(env, "play: a size for each id");
  Outcome outcome;
  if (!RunNamed(what, play, &outcome)) return Fail(env, "play: nobody knows this policy");
  napi_value answer;
  napi_create_object(env, &answer);
  Put(env, answer, "hits", static_cast<double>(outcome.hits));
  Put(env, answer, "ns", outcome.ns);
  Put(env, answer, "savedCost", outcome.saved_cost);
  Put(env, answer, "policyBytes", outcome.policy_bytes);
  Put(env, answer, "copied", outcome.copied);
  napi_set_named_property(env, answer, "windows", NewUint32Array(env, outcome.windows));
  return answer;
}

napi_value Start(napi_env env, napi_value exports) {
  napi_value function;
  napi_create_function(env, "readTrace", NAPI_AUTO_LENGTH, ReadTrace, nullptr, &function);
  napi_set_named_property(env, exports, "readTrace", function);
  napi_create_function(env, "play", NAPI_AUTO_LENGTH, PlayTrace, nullptr, &function);
  napi_set_named_property(env, exports, "play", function);
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, Start)
