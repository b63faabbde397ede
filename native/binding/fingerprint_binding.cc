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
  DataInput data;
  if (!ReadState(env, args[0], &state) || !ReadNans(env, args[3], &nans) || !data.Read(env, args[1], args[2], nans)) {
    return nullptr;
  }
  std::byte* const out = ReadDigests(env, args[4], 1);
  if (out == nullptr) return nullptr;
  const Digest digest = Sha3From(state, data.input());
  std::memcpy(out, digest.data(), digest.size());
  return nullptr;
}

// hashTexts(state, texts, ends, out): the same for many texts, back to back in one string.  Returns the place of the
// first that has a lone surrogate, or -1.
napi_value HashTexts(napi_env env, napi_callback_info info) {
  const Arguments<4> args(env, info);
  KeccakState state;
  TextInputs texts;
  if (!ReadState(env, args[0], &state) || !texts.Read(env, args[1], args[2])) return nullptr;
  if (texts.malformed() >= 0) return Int(env, texts.malformed());
  std::byte* const out = ReadDigests(env, args[3], texts.inputs().size());
  if (out == nullptr) return nullptr;
  Sha3ManyFrom(state, texts.inputs(), out);
  return Int(env, -1);
}

// hashManyData(state, heads, data, nans, out): the same for many data.  `heads`: one head for all, or one for each.
napi_value HashManyData(napi_env env, napi_callback_info info) {
  const Arguments<5> args(env, info);
  KeccakState state;
  DataInputs data;
  if (!ReadState(env, args[0], &state) || !data.Read(env, args[1], args[2], args[3])) return nullptr;
  std::byte* const out = ReadDigests(env, args[4], data.inputs().size());
  if (out == nullptr) return nullptr;
  Sha3ManyFrom(state, data.inputs(), out);
  return nullptr;
}

constexpr Function kFingerprintFunctions[] = {
    {"hashStart", Guarded<HashStart>}, {"hashText", Guarded<HashText>},         {"hashData", Guarded<HashData>},
    {"hashTexts", Guarded<HashTexts>}, {"hashManyData", Guarded<HashManyData>},
};

}  // namespace

std::span<const Function> FingerprintFunctions() { return kFingerprintFunctions; }

}  // namespace zerohop::binding
