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

napi_value FindInputs(napi_env env, const Call& call, const KeccakState& state, std::span<const HashInput> inputs,
                      const Arguments<9>& args) {
  std::byte* const keys = ReadDigests(env, args[5], inputs.size());
  if (keys == nullptr) return nullptr;
  call.isolate->known_inputs().DigestMany(state, inputs, keys);
  const auto keys_from = [keys](size_t first, std::span<Bytes> some) {
    for (size_t i = 0; i < some.size(); ++i) some[i] = Bytes(keys + (first + i) * kDigestBytes, kDigestBytes);
  };
  Costs costs;
  napi_value hits = Lookup(env, call, args[6]).All(inputs.size(), keys_from, args[7], args[8], &costs);
  double* const wide = call.isolate->wide_registers();
  wide[Isolate::kCost] = costs.sum_ms;
  wide[Isolate::kCosted] = costs.known;
  return hits;
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
  DataInput data;
  if (!call || !ReadState(env, args[1], &state) || !ReadNans(env, args[4], &nans) ||
      !data.Read(env, args[2], args[3], nans)) {
    return nullptr;
  }
  return FindInput(env, call, state, data.input(), args[5], args[6]);
}

// findTexts(handle, state, texts, ends, undefined, digests, slab, locations, buffers): as `findMany`, for many texts.
// Writes what the hits cost to the wide registers: the sum, and of how many it is known.
// If a text has a lone surrogate, returns -1 - the place of the first such text.
napi_value FindTexts(napi_env env, napi_callback_info info) {
  // The fifth argument is not used, so that the other arguments have the same places as those of findManyData.
  const Arguments<9> args(env, info);
  const Call call(env, args);
  KeccakState state;
  TextInputs texts;
  if (!call || !ReadState(env, args[1], &state) || !texts.Read(env, args[2], args[3])) return nullptr;
  if (texts.malformed() >= 0) return Int(env, -1 - texts.malformed());
  return FindInputs(env, call, state, texts.inputs(), args);
}

// findManyData(handle, state, heads, data, nans, digests, slab, locations, buffers): the same for many data.
napi_value FindManyData(napi_env env, napi_callback_info info) {
  const Arguments<9> args(env, info);
  const Call call(env, args);
  KeccakState state;
  DataInputs data;
  if (!call || !ReadState(env, args[1], &state) || !data.Read(env, args[2], args[3], args[4])) return nullptr;
  return FindInputs(env, call, state, data.inputs(), args);
}

constexpr Function kInferenceFunctions[] = {
    {"findText", Guarded<FindText>},
    {"findData", Guarded<FindData>},
    {"findTexts", Guarded<FindTexts>},
    {"findManyData", Guarded<FindManyData>},
};

}  // namespace

std::span<const Function> InferenceFunctions() { return kInferenceFunctions; }

}  // namespace zerohop::binding
