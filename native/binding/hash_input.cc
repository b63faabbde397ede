#include "binding/hash_input.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include "binding/errors.h"

namespace zerohop::binding {
namespace {

bool NoString(napi_env env, const char* what) {
  ThrowType(env, std::string(what) + ": expected a string");
  return false;
}

// Writes the message of a text to memory with room for it (kMessageExtra).  False: a lone surrogate.
bool MakeMessage(std::byte kind, std::u16string_view text, std::byte* to, HashInput* input) {
  std::byte* const utf8 = to + kFrameHeadMax;
  const size_t bytes = EncodeUtf8(text.data(), text.size(), reinterpret_cast<char*>(utf8));
  if (bytes == kMalformed) return false;
  std::byte head[kFrameHeadMax];
  const size_t head_bytes = FrameHead(kind, bytes, head);
  std::byte* const message = utf8 - head_bytes;
  std::memcpy(message, head, head_bytes);
  *input = {{}, {message, PadMessage(message, head_bytes + bytes)}, Nans::kNone, true};
  return true;
}

// What a typed array is a tensor of, by napi_typedarray_type.  Arrays of bytes are no tensors.
struct ElementType {
  std::string_view name;
  size_t bytes;
  Nans nans = Nans::kNone;
};
constexpr ElementType kElementTypes[] = {
    {"int8", 1},
    {"", 1},
    {"", 1},
    {"int16", 2},
    {"uint16", 2},
    {"int32", 4},
    {"uint32", 4},
    {"float32", 4, Nans::kFloat32},
    {"float64", 8, Nans::kFloat64},
    {"int64", 8},
    {"uint64", 8},
};
// No type: the largest value that an enumeration of these may hold.  HeadOf refuses it.
constexpr auto kNoName = static_cast<napi_typedarray_type>(15);
static_assert(napi_int8_array == 0 && napi_uint8_array == 1 && napi_uint8_clamped_array == 2 && napi_int16_array == 3 &&
              napi_uint16_array == 4 && napi_int32_array == 5 && napi_uint32_array == 6 && napi_float32_array == 7 &&
              napi_float64_array == 8 && napi_bigint64_array == 9 && napi_biguint64_array == 10);

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
  std::byte* to = message_;
  if (units > kInlineUnits) {
    long_message_.reset(new std::byte[units * kUtf8BytesPerUnit + kMessageExtra]);
    to = long_message_.get();
  }
  return MakeMessage(static_cast<std::byte>(letter), {from, units}, to, &input_);
}

bool TextInputs::Read(napi_env env, napi_value texts, napi_value ends_value, napi_value count_value) {
  size_t length = 0, units = 0;
  uint32_t count = 0;
  napi_typedarray_type type;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, ends_value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array || napi_get_value_uint32(env, count_value, &count) != napi_ok || count > length) {
    ThrowType(env, "ends: expected an Int32Array, and how many of it count");
    return false;
  }
  const std::span<const int32_t> ends(static_cast<const int32_t*>(data), count);
  if (napi_get_value_string_utf16(env, texts, nullptr, 0, &units) != napi_ok) return NoString(env, "texts");
  char16_t* const from = memory_.Units(units + 1);
  napi_get_value_string_utf16(env, texts, from, units + 1, &units);
  std::byte* to = memory_.Messages(units * kUtf8BytesPerUnit + count * kMessageExtra);
  inputs_.resize(count);
  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto end = static_cast<size_t>(ends[i]);
    if (ends[i] < 0 || end < at || end > units) {
      ThrowRange(env, "ends: expected places in the string, in order");
      return false;
    }
    if (!MakeMessage(std::byte{'s'}, {from + at, end - at}, to, &inputs_[i])) {
      malformed_ = static_cast<int32_t>(i);
      return true;
    }
    to = const_cast<std::byte*>(inputs_[i].data.data() + inputs_[i].data.size());
    at = end;
  }
  return true;
}

bool ReadData(napi_env env, napi_value head, napi_value data, Nans nans, HashInput* input) {
  input->nans = nans;
  return ReadView(env, head, "head", &input->head) && ReadView(env, data, "data", &input->data);
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
  inputs_.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    const HandleScope scope(env);
    napi_value each = nullptr, own = nullptr;
    if (napi_get_element(env, data, i, &each) != napi_ok) return false;
    inputs_[i].head = head;
    inputs_[i].nans = nans;
    const bool read =
        one_head ? ReadView(env, each, "data", &inputs_[i].data)
                 : napi_get_element(env, heads, i, &own) == napi_ok && ReadData(env, own, each, nans, &inputs_[i]);
    if (!read) return false;
  }
  return true;
}

bool ViewInputs::Read(napi_env env, napi_value views) {
  constexpr uint32_t kScope = 64;  // views whose handles live together
  uint32_t count = 0;
  if (napi_get_array_length(env, views, &count) != napi_ok) {
    ThrowType(env, "views: expected an array");
    return false;
  }
  inputs_.resize(count);
  std::optional<HandleScope> scope;
  napi_typedarray_type last_type = napi_int8_array;
  size_t last_length = 0;  // none
  Bytes head;
  for (uint32_t i = 0; i < count; ++i) {
    if (i % kScope == 0) scope.emplace(env);
    napi_value each = nullptr;
    napi_typedarray_type type = kNoName;  // stays if Node-API has no name for it
    size_t length = 0;
    void* data = nullptr;
    if (napi_get_element(env, views, i, &each) != napi_ok ||
        napi_get_typedarray_info(env, each, &type, &length, &data, nullptr, nullptr) != napi_ok || length == 0) {
      return false;
    }
    if (type != last_type || length != last_length) {
      head = HeadOf(type, length);
      if (head.empty()) return false;
      last_type = type;
      last_length = length;
    }
    const ElementType& element = kElementTypes[type];
    inputs_[i] = {head, {static_cast<const std::byte*>(data), length * element.bytes}, element.nans};
  }
  return true;
}

// As lib/fingerprint/tensors.ts makes heads.
Bytes ViewInputs::HeadOf(napi_typedarray_type type, size_t length) {
  if (static_cast<size_t>(type) >= std::size(kElementTypes)) return {};
  const ElementType& element = kElementTypes[type];
  std::byte* const head = heads_.emplace_back().data();
  std::byte* to = head;
  if (element.name.empty()) return {head, FrameHead(std::byte{'b'}, length, head)};
  *to++ = std::byte{'T'};
  to += LeftEncode(element.name.size() * 8, to);
  to = std::copy_n(reinterpret_cast<const std::byte*>(element.name.data()), element.name.size(), to);
  to += LeftEncode(1, to);  // dimension
  to += LeftEncode(length, to);
  to += LeftEncode(length * element.bytes * 8, to);
  return {head, to};
}

}  // namespace zerohop::binding
