// Memoised inference: from inputs to what is stored under their fingerprints, in one call.
#include <cstring>

#include "binding/call.h"
#include "binding/functions.h"
#include "binding/hash_input.h"
#include "binding/lookup.h"

namespace zerohop::binding {
namespace {

// The digest goes to JavaScript, too: it is the key to store a result under.
napi_value FindInput(napi_env env, const Call& call, const KeccakState& state, const HashInput& input, napi_value slab,
                     napi_value out) {
  std::byte* const key = ReadDigests(env, out, 1);
  if (key == nullptr) return nullptr;
  const Digest digest = call.isolate->known_inputs().DigestOf(state, input);
  std::memcpy(key, digest.data(), digest.size());
  uint64_t expires_us = kNever;
  const Location found = Lookup(env, call, slab).OneEnding(digest, &expires_us);
  call.isolate->wide_registers()[Isolate::kExpires] = MsLeft(expires_us);
  return AnswerOf(env, call, found);
}

napi_value FindInputs(napi_env env, const Call& call, const KeccakState& state, std::span<const HashInput> inputs,
                      const Arguments<9>& args) {
  std::byte* const keys = ReadDigests(env, args[5], inputs.size());
  if (keys == nullptr) return nullptr;
  call.isolate->known_inputs().DigestMany(state, inputs, keys);
  const auto key_at = [keys](size_t i) { return Bytes(keys + i * kDigestBytes, kDigestBytes); };
  return Lookup(env, call, args[6]).All(inputs.size(), key_at, args[7], args[8]);
}

}  // namespace

napi_value FindText(napi_env env, napi_callback_info info) {
  const Arguments<6> args(env, info);
  const Call call(env, args);
  KeccakState state;
  TextInput text;
  if (!call || !ReadState(env, args[1], &state) || !text.Read(env, args[2], args[3])) return nullptr;
  return FindInput(env, call, state, text.input(), args[4], args[5]);
}

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

napi_value FindTexts(napi_env env, napi_callback_info info) {
  // Places of what is not used here are kept free, so that both kinds have the rest at the same ones.
  const Arguments<9> args(env, info);
  const Call call(env, args);
  KeccakState state;
  TextInputs texts;
  if (!call || !ReadState(env, args[1], &state) || !texts.Read(env, args[2], args[3])) return nullptr;
  if (texts.malformed() >= 0) return Int(env, -1 - texts.malformed());
  return FindInputs(env, call, state, texts.inputs(), args);
}

napi_value FindManyData(napi_env env, napi_callback_info info) {
  const Arguments<9> args(env, info);
  const Call call(env, args);
  KeccakState state;
  DataInputs data;
  if (!call || !ReadState(env, args[1], &state) || !data.Read(env, args[2], args[3], args[4])) return nullptr;
  return FindInputs(env, call, state, data.inputs(), args);
}

}  // namespace zerohop::binding
