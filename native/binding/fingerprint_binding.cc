// Fingerprints: texts, tensors and other bytes to digests.  The state of what all inputs of a call begin with is kept
// by JavaScript, as 200 bytes.
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/utf8.h"
#include "binding/convert.h"
#include "binding/functions.h"
#include "fingerprint/framing.h"
#include "fingerprint/nans.h"
#include "fingerprint/sha3.h"

namespace zerohop::binding {
namespace {

bool ReadState(napi_env env, napi_value value, KeccakState* state) {
  Bytes bytes;
  if (!ReadView(env, value, "state", &bytes)) return false;
  if (bytes.size() != sizeof(KeccakState)) {
    napi_throw_range_error(env, nullptr, "state: expected 200 bytes");
    return false;
  }
  std::memcpy(state->data(), bytes.data(), sizeof(KeccakState));
  return true;
}

// Room for `count` digests in a Uint8Array of ours.
std::byte* ReadOut(napi_env env, napi_value value, size_t count) {
  return static_cast<std::byte*>(ReadArrayOf(env, value, napi_uint8_array, count * kDigestBytes, "out"));
}

// A string's UTF-8.
class Text {
 public:
  // False: it has a lone surrogate, or (an exception is pending) is none.
  bool Read(napi_env env, napi_value value) {
    size_t units = 0;
    char16_t* from = units_;
    if (napi_get_value_string_utf16(env, value, units_, kInlineUnits + 1, &units) != napi_ok) return NoString(env);
    if (units == kInlineUnits) {
      if (napi_get_value_string_utf16(env, value, nullptr, 0, &units) != napi_ok) return NoString(env);
      long_units_.reset(new char16_t[units + 1]);
      from = long_units_.get();
      if (napi_get_value_string_utf16(env, value, from, units + 1, &units) != napi_ok) return NoString(env);
    }
    char* to = bytes_;
    if (units > kInlineUnits) {
      long_bytes_.reset(new char[units * kUtf8BytesPerUnit + 4]);
      to = long_bytes_.get();
    }
    const size_t bytes = EncodeUtf8(from, units, to);
    if (bytes == kMalformed) return false;
    span_ = {reinterpret_cast<const std::byte*>(to), bytes};
    return true;
  }
  Bytes bytes() const { return span_; }

 private:
  static constexpr size_t kInlineUnits = 512;

  static bool NoString(napi_env env) {
    napi_throw_type_error(env, nullptr, "text: expected a string");
    return false;
  }

  char16_t units_[kInlineUnits + 1];
  char bytes_[kInlineUnits * kUtf8BytesPerUnit + 4];
  std::unique_ptr<char16_t[]> long_units_;
  std::unique_ptr<char[]> long_bytes_;
  Bytes span_;
};

// A tensor's data, with NaNs made one in a copy if there are others.
struct Data {
  Bytes bytes;
  std::vector<std::byte> copy;

  bool Read(napi_env env, napi_value value, Nans nans) {
    if (!ReadView(env, value, "data", &bytes)) return false;
    if (!HasOtherNans(nans, bytes)) return true;
    copy.assign(bytes.begin(), bytes.end());
    UnifyNans(nans, copy);
    bytes = copy;
    return true;
  }
};

// Closed whatever happens: Node ends the process over one that is not.
class HandleScope {
 public:
  explicit HandleScope(napi_env env) : env_(env) { napi_open_handle_scope(env, &scope_); }
  ~HandleScope() { napi_close_handle_scope(env_, scope_); }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;

 private:
  const napi_env env_;
  napi_handle_scope scope_ = nullptr;
};

bool ReadNans(napi_env env, napi_value value, Nans* nans) {
  uint32_t number = 0;
  if (napi_get_value_uint32(env, value, &number) != napi_ok || number > static_cast<uint32_t>(Nans::kBfloat16)) {
    napi_throw_type_error(env, nullptr, "nans: expected a number up to 4");
    return false;
  }
  *nans = static_cast<Nans>(number);
  return true;
}

}  // namespace

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

napi_value HashText(napi_env env, napi_callback_info info) {
  const Arguments<4> args(env, info);
  KeccakState state;
  uint32_t kind = 0;
  if (!ReadState(env, args[0], &state) || napi_get_value_uint32(env, args[1], &kind) != napi_ok) return nullptr;
  Text text;
  if (!text.Read(env, args[2])) return Bool(env, false);
  std::byte* const out = ReadOut(env, args[3], 1);
  if (out == nullptr) return nullptr;
  std::byte head[kFrameHeadMax];
  const size_t head_bytes = FrameHead(static_cast<std::byte>(kind), text.bytes().size(), head);
  const Digest digest = Sha3From(state, {{head, head_bytes}, text.bytes()});
  std::memcpy(out, digest.data(), digest.size());
  return Bool(env, true);
}

napi_value HashData(napi_env env, napi_callback_info info) {
  const Arguments<5> args(env, info);
  KeccakState state;
  Bytes head;
  Nans nans;
  Data data;
  if (!ReadState(env, args[0], &state) || !ReadView(env, args[1], "head", &head) || !ReadNans(env, args[3], &nans) ||
      !data.Read(env, args[2], nans)) {
    return nullptr;
  }
  std::byte* const out = ReadOut(env, args[4], 1);
  if (out == nullptr) return nullptr;
  const Digest digest = Sha3From(state, {head, data.bytes});
  std::memcpy(out, digest.data(), digest.size());
  return nullptr;
}

napi_value HashTexts(napi_env env, napi_callback_info info) {
  const Arguments<4> args(env, info);
  KeccakState state;
  if (!ReadState(env, args[0], &state)) return nullptr;
  // One string, and where each text ends in it.
  const napi_value source = args[1];
  size_t count = 0;
  napi_typedarray_type type;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, args[2], &type, &count, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array) {
    napi_throw_type_error(env, nullptr, "ends: expected an Int32Array");
    return nullptr;
  }
  const std::span<const int32_t> ends(static_cast<const int32_t*>(data), count);
  size_t units = 0;
  if (napi_get_value_string_utf16(env, source, nullptr, 0, &units) != napi_ok) {
    napi_throw_type_error(env, nullptr, "texts: expected a string");
    return nullptr;
  }
  std::byte* const out = ReadOut(env, args[3], count);
  if (out == nullptr) return nullptr;
  const std::unique_ptr<char16_t[]> from(new char16_t[units + 1]);
  napi_get_value_string_utf16(env, source, from.get(), units + 1, &units);
  const std::unique_ptr<char[]> to(new char[units * kUtf8BytesPerUnit + 4]);
  const std::unique_ptr<std::byte[]> heads(new std::byte[count * kFrameHeadMax]);
  std::vector<HashInput> inputs(count);
  size_t at = 0, written = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto end = static_cast<size_t>(ends[i]);
    if (ends[i] < 0 || end < at || end > units) {
      napi_throw_range_error(env, nullptr, "ends: expected places in the string, in order");
      return nullptr;
    }
    const size_t bytes = EncodeUtf8(from.get() + at, end - at, to.get() + written);
    if (bytes == kMalformed) return Int(env, static_cast<int32_t>(i));
    std::byte* const head = heads.get() + i * kFrameHeadMax;
    inputs[i] = {{head, FrameHead(std::byte{'s'}, bytes, head)},
                 {reinterpret_cast<const std::byte*>(to.get()) + written, bytes}};
    written += bytes;
    at = end;
  }
  Sha3ManyFrom(state, inputs, out);
  return Int(env, -1);
}

napi_value HashManyData(napi_env env, napi_callback_info info) {
  const Arguments<5> args(env, info);
  KeccakState state;
  Nans nans;
  uint32_t count = 0;
  if (!ReadState(env, args[0], &state) || !ReadNans(env, args[3], &nans)) return nullptr;
  if (napi_get_array_length(env, args[2], &count) != napi_ok) {
    napi_throw_type_error(env, nullptr, "data: expected an array");
    return nullptr;
  }
  // Data first: reading an array of ours runs no JavaScript, so what was read stays where it is.
  std::vector<Data> data(count);
  std::vector<HashInput> inputs(count);
  bool one_head = false;
  Bytes head;
  if (napi_is_typedarray(env, args[1], &one_head) != napi_ok) return nullptr;
  if (one_head && !ReadView(env, args[1], "head", &head)) return nullptr;
  for (uint32_t i = 0; i < count; ++i) {
    const HandleScope scope(env);
    napi_value each = nullptr, own = nullptr;
    bool read = napi_get_element(env, args[2], i, &each) == napi_ok && data[i].Read(env, each, nans);
    if (read && !one_head) {
      read = napi_get_element(env, args[1], i, &own) == napi_ok && ReadView(env, own, "head", &head);
    }
    if (!read) return nullptr;
    inputs[i] = {head, data[i].bytes};
  }
  std::byte* const out = ReadOut(env, args[4], count);
  if (out == nullptr) return nullptr;
  Sha3ManyFrom(state, inputs, out);
  return nullptr;
}

}  // namespace zerohop::binding
