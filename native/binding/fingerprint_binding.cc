// fingerprint_binding.cc: from texts, tensors and other bytes to digests.
//
// JavaScript keeps the state of the start that all inputs of a call share, as 200 bytes.
#include <cstring>

#include "binding/convert.h"
#include "binding/function_table.h"
#include "binding/hash_input.h"

namespace zerohop::binding {
namespace {

// hashStart(blocks, state): writes the state after whole blocks of 136 bytes, as 200 bytes.
napi_value HashStart(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  Bytes blocks;
  if (!ReadView(env, args[0], "blocks", &blocks)) return nullptr;
  auto* const out = static_cast<uint8_t*>(ReadArrayOf(env, args[1], napi_uint8_array, sizeof(KeccakState), "state"));
  if (out == nullptr) return nullptr;
  KeccakState state{};
  AbsorbBlocks(state, blocks);
  std::memcpy(out, state.data(), sizeof(state));
  return nullptr;
}

// hashText(state, kind, text, out): writes the digest of the start and the framed text.  False: the text has a lone
// surrogate.
napi_value HashText(napi_env env, napi_callback_info info) {
  const Arguments<4> args(env, info);
  KeccakState state;
  if (!ReadState(env, args[0], &state)) return nullptr;
  TextInput text;
  if (!text.Read(env, args[1], args[2])) return Bool(env, false);
  std::byte* const out = ReadDigests(env, args[3], 1);
  if (out == nullptr) return nullptr;
  const Digest digest = Sha3From(state, text.input());
  std::memcpy(out, digest.data(), digest.size());
  return Bool(env, true);
}

// hashData(state, head, data, nans, out): writes the digest of the start, the head and the data.  `nans`: the element
// type (fingerprint/nans.h).
napi_value HashData(napi_env env, napi_callback_info info) {
  const Arguments<5> args(env, info);
  KeccakState state;
  Nans nans;
  HashInput input;
  if (!ReadState(env, args[0], &state) || !ReadNans(env, args[3], &nans) ||
      !ReadData(env, args[1], args[2], nans, &input)) {
    return nullptr;
  }
  std::byte* const out = ReadDigests(env, args[4], 1);
  if (out == nullptr) return nullptr;
  const Digest digest = Sha3From(state, input);
  std::memcpy(out, digest.data(), digest.size());
  return nullptr;
}

// Writes the digests to `out`, from the `from`-th on.  `known`: whether inputs are remembered (known_inputs.h).  False,
// and an exception is pending: `out` has no room.
bool HashMany(napi_env env, Isolate& isolate, const KeccakState& state, std::span<const HashInput> inputs,
              napi_value known, napi_value out, size_t from = 0) {
  bool remembered = false;
  std::byte* digests = ReadDigests(env, out, from + inputs.size());
  if (digests == nullptr || napi_get_value_bool(env, known, &remembered) != napi_ok) return false;
  digests += from * kDigestBytes;
  if (remembered) {
    isolate.known_inputs().DigestMany(state, inputs, digests);
  } else {
    Sha3ManyFrom(state, inputs, digests);
  }
  return true;
}

// hashTexts(state, texts, ends, count, known, out, from): the same for `count` texts, back to back in one string, whose
// digests go to `out` from the `from`-th on.  Returns the place of the first that has a lone surrogate, or -1.
napi_value HashTexts(napi_env env, napi_callback_info info) {
  const Arguments<7> args(env, info);
  KeccakState state;
  TextInputs texts(args.isolate->text_memory());
  uint32_t from = 0;
  if (!ReadState(env, args[0], &state) || !texts.Read(env, args[1], args[2], args[3])) return nullptr;
  if (texts.malformed() >= 0) return Int(env, texts.malformed());
  if (napi_get_value_uint32(env, args[6], &from) != napi_ok ||
      !HashMany(env, *args.isolate, state, texts.inputs(), args[4], args[5], from)) {
    return nullptr;
  }
  return Int(env, -1);
}

// hashManyData(state, heads, data, nans, known, out): the same for many data.  `heads`: one head for all, or one for
// each.
napi_value HashManyData(napi_env env, napi_callback_info info) {
  const Arguments<6> args(env, info);
  KeccakState state;
  DataInputs data;
  if (!ReadState(env, args[0], &state) || !data.Read(env, args[1], args[2], args[3])) return nullptr;
  HashMany(env, *args.isolate, state, data.inputs(), args[4], args[5]);
  return nullptr;
}

// hashViews(state, views, known, out): the same for typed arrays, which need no heads from JavaScript.  False: one of
// them must be judged there, and nothing was hashed.
napi_value HashViews(napi_env env, napi_callback_info info) {
  const Arguments<4> args(env, info);
  KeccakState state;
  ViewInputs views;
  if (!ReadState(env, args[0], &state)) return nullptr;
  if (!views.Read(env, args[1])) return Bool(env, false);
  if (!HashMany(env, *args.isolate, state, views.inputs(), args[2], args[3])) return nullptr;
  return Bool(env, true);
}

constexpr Function kFingerprintFunctions[] = {
    {"hashStart", Guarded<HashStart>}, {"hashText", Guarded<HashText>},         {"hashData", Guarded<HashData>},
    {"hashTexts", Guarded<HashTexts>}, {"hashManyData", Guarded<HashManyData>}, {"hashViews", Guarded<HashViews>},
};

}  // namespace

std::span<const Function> FingerprintFunctions() { return kFingerprintFunctions; }

}  // namespace zerohop::binding
