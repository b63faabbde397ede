#include "binding/hash_input.h"

#include <cstring>
#include <span>

#include "binding/errors.h"

namespace zerohop::binding {
namespace {

bool NoString(napi_env env, const char* what) {
  ThrowType(env, std::string(what) + ": expected a string");
  return false;
}

}  // namespace

bool ReadState(napi_env env, napi_value value, KeccakState* state) {
  Bytes bytes;
  if (!ReadView(env, value, "state", &bytes)) return false;
  if (bytes.size() != sizeof(KeccakState)) {
    ThrowRange(env, "state: expected 200 bytes");
    return false;
  }
  std::memcpy(state->data(), bytes.data(), sizeof(KeccakState));
  return true;
}

bool ReadNans(napi_env env, napi_value value, Nans* nans) {
  uint32_t number = 0;
  if (napi_get_value_uint32(env, value, &number) != napi_ok || number > static_cast<uint32_t>(Nans::kBfloat16)) {
    ThrowType(env, "nans: expected a number up to 4");
    return false;
  }
  *nans = static_cast<Nans>(number);
  return true;
}

std::byte* ReadDigests(napi_env env, napi_value value, size_t count) {
  return static_cast<std::byte*>(ReadArrayOf(env, value, napi_uint8_array, count * kDigestBytes, "out"));
}

bool TextInput::Read(napi_env env, napi_value kind, napi_value text) {
  uint32_t letter = 0;
  size_t units = 0;
  char16_t* from = units_;
  if (napi_get_value_uint32(env, kind, &letter) != napi_ok) return NoString(env, "kind");
  if (napi_get_value_string_utf16(env, text, units_, kInlineUnits + 1, &units) != napi_ok) return NoString(env, "text");
  if (units == kInlineUnits) {  // and maybe more
    if (napi_get_value_string_utf16(env, text, nullptr, 0, &units) != napi_ok) return NoString(env, "text");
    long_units_.reset(new char16_t[units + 1]);
    from = long_units_.get();
    if (napi_get_value_string_utf16(env, text, from, units + 1, &units) != napi_ok) return NoString(env, "text");
  }
  char* to = bytes_;
  if (units > kInlineUnits) {
    long_bytes_.reset(new char[units * kUtf8BytesPerUnit + 4]);
    to = long_bytes_.get();
  }
  const size_t bytes = EncodeUtf8(from, units, to);
  if (bytes == kMalformed) return false;
  data_ = {reinterpret_cast<const std::byte*>(to), bytes};
  head_bytes_ = FrameHead(static_cast<std::byte>(letter), bytes, head_);
  return true;
}

bool DataInput::Read(napi_env env, Bytes head, napi_value data, Nans nans) {
  head_ = head;
  if (!ReadView(env, data, "data", &data_)) return false;
  if (!HasOtherNans(nans, data_)) return true;
  copy_.assign(data_.begin(), data_.end());
  UnifyNans(nans, copy_);
  data_ = copy_;
  return true;
}

bool DataInput::Read(napi_env env, napi_value head, napi_value data, Nans nans) {
  Bytes bytes;
  return ReadView(env, head, "head", &bytes) && Read(env, bytes, data, nans);
}

bool TextInputs::Read(napi_env env, napi_value texts, napi_value ends_value) {
  size_t count = 0, units = 0;
  napi_typedarray_type type;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, ends_value, &type, &count, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array) {
    ThrowType(env, "ends: expected an Int32Array");
    return false;
  }
  const std::span<const int32_t> ends(static_cast<const int32_t*>(data), count);
  if (napi_get_value_string_utf16(env, texts, nullptr, 0, &units) != napi_ok) return NoString(env, "texts");
  units_.reset(new char16_t[units + 1]);
  napi_get_value_string_utf16(env, texts, units_.get(), units + 1, &units);
  bytes_.reset(new char[units * kUtf8BytesPerUnit + 4]);
  heads_.reset(new std::byte[count * kFrameHeadMax]);
  inputs_.resize(count);
  size_t at = 0, written = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto end = static_cast<size_t>(ends[i]);
    if (ends[i] < 0 || end < at || end > units) {
      ThrowRange(env, "ends: expected places in the string, in order");
      return false;
    }
    char* const to = bytes_.get() + written;
    const size_t bytes = EncodeUtf8(units_.get() + at, end - at, to);
    if (bytes == kMalformed) {
      malformed_ = static_cast<int32_t>(i);
      return true;
    }
    std::byte* const head = heads_.get() + i * kFrameHeadMax;
    inputs_[i] = {{head, FrameHead(std::byte{'s'}, bytes, head)}, {reinterpret_cast<const std::byte*>(to), bytes}};
    written += bytes;
    at = end;
  }
  return true;
}

bool DataInputs::Read(napi_env env, napi_value heads, napi_value data, napi_value nans_value) {
  Nans nans;
  uint32_t count = 0;
  bool one_head = false;
  Bytes head;
  if (!ReadNans(env, nans_value, &nans)) return false;
  if (napi_get_array_length(env, data, &count) != napi_ok) {
    ThrowType(env, "data: expected an array");
    return false;
  }
  if (napi_is_typedarray(env, heads, &one_head) != napi_ok || (one_head && !ReadView(env, heads, "head", &head))) {
    return false;
  }
  // The array is ours, so reading it runs no JavaScript, and what was read before stays valid.
  data_.resize(count);
  inputs_.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    const HandleScope scope(env);
    napi_value each = nullptr, own = nullptr;
    if (napi_get_element(env, data, i, &each) != napi_ok) return false;
    const bool read = one_head
                          ? data_[i].Read(env, head, each, nans)
                          : napi_get_element(env, heads, i, &own) == napi_ok && data_[i].Read(env, own, each, nans);
    if (!read) return false;
    inputs_[i] = data_[i].input();
  }
  return true;
}

}  // namespace zerohop::binding
