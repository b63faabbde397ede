// inference_binding.cc: memoised inference: from inputs to what is stored under their fingerprints, in one call (D53).
#include <cstring>

#include "binding/call.h"
#include "binding/function_table.h"
#include "binding/hash_input.h"
#include "binding/lookup.h"

namespace zerohop::binding {
namespace {

// The digest goes to JavaScript too: a result will be stored under it.
napi_value FindInput(napi_env env, const Call& call, const KeccakState& state, const HashInput& input, napi_value slab,
                     napi_value out) {
  std::byte* const key = ReadDigests(env, out, 1);
  if (key == nullptr) return nullptr;
  const Digest digest = call.isolate->known_inputs().DigestOf(state, input);
  std::memcpy(key, digest.data(), digest.size());
  uint64_t expires_us = kNever;
  float cost_ms = 0;
  const Location found = Lookup(env, call, slab).OneCosted(digest, &expires_us, &cost_ms);
  double* const wide = call.isolate->wide_registers();
  wide[Isolate::kExpires] = MsLeft(expires_us);
  wide[Isolate::kCost] = cost_ms;
  return AnswerOf(env, call, found);
}

// findText(handle, state, kind, text, slab, digest): as `find`, with the digest of the input for a key.  Writes the
// digest to `digest`, and to the wide registers the time that the entry has left and what it cost.  Undefined: the text
// has a lone surrogate.
napi_value FindText(napi_env env, napi_callback_info info) {
  const Arguments<6> args(env, info);
  const Call call(env, args);
  KeccakState state;
  TextInput text;
  if (!call || !ReadState(env, args[1], &state) || !text.Read(env, args[2], args[3])) return nullptr;
  return FindInput(env, call, state, text.input(), args[4], args[5]);
}

// findData(handle, state, head, data, nans, slab, digest): the same for data.
napi_value FindData(napi_env env, napi_callback_info info) {
  const Arguments<7> args(env, info);
  const Call call(env, args);
  KeccakState state;
  Nans nans;
  HashInput input;
  if (!call || !ReadState(env, args[1], &state) || !ReadNans(env, args[4], &nans) ||
      !ReadData(env, args[2], args[3], nans, &input)) {
    return nullptr;
  }
  return FindInput(env, call, state, input, args[5], args[6]);
}

// findDigests(handle, digests, count, slab, locations, buffers): as `findMany`, for keys that are digests, back to
// back. Writes what the hits cost to the wide registers: the sum, and of how many it is known.
napi_value FindDigests(napi_env env, napi_callback_info info) {
  const Arguments<6> args(env, info);
  const Call call(env, args);
  uint32_t count = 0;
  if (!call || napi_get_value_uint32(env, args[2], &count) != napi_ok) return nullptr;
  const std::byte* const digests = ReadDigests(env, args[1], count);
  if (digests == nullptr) return nullptr;
  const auto keys_from = [digests](size_t first, std::span<Bytes> some) {
    for (size_t i = 0; i < some.size(); ++i) some[i] = Bytes(digests + (first + i) * kDigestBytes, kDigestBytes);
  };
  Costs costs;
  napi_value hits = Lookup(env, call, args[3]).All(count, keys_from, args[4], args[5], &costs);
  double* const wide = call.isolate->wide_registers();
  wide[Isolate::kCost] = costs.sum_ms;
  wide[Isolate::kCosted] = costs.known;
  return hits;
}

constexpr Function kInferenceFunctions[] = {
    {"findText", Guarded<FindText>},
    {"findData", Guarded<FindData>},
    {"findDigests", Guarded<FindDigests>},
};

}  // namespace

std::span<const Function> InferenceFunctions() { return kInferenceFunctions; }

}  // namespace zerohop::binding
