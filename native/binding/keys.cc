#include "binding/keys.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/utf8.h"
#include "binding/errors.h"

namespace zerohop::binding {
namespace {

constexpr double kSafeIntegerMax = 9007199254740991;  // 2^53 - 1

bool ToInteger(double number, int64_t* integer) {
  if (!(number >= -kSafeIntegerMax && number <= kSafeIntegerMax) || std::trunc(number) != number) return false;
  *integer = static_cast<int64_t>(number);  // -0 becomes 0
  return true;
}

bool ThrowNoInteger(napi_env env) {
  ThrowType(env, "key: expected an integer (the keyspace's keys are integers)");
  return false;
}

// Whether a key may have this length.  If not, or if it is kMalformed, an exception is pending.
bool CheckLength(napi_env env, size_t bytes) {
  if (bytes - 1 < kKeyBytesMax) [[likely]]
    return true;
  if (bytes == kMalformed) {
    ThrowType(env, "key: expected well-formed Unicode, received a string with a lone surrogate; encode it yourself");
  } else {
    ThrowRange(env, "key: expected 1 to " + std::to_string(kKeyBytesMax) + " bytes, received " + std::to_string(bytes));
  }
  return false;
}

}  // namespace

bool KeyReader::Read(napi_env env, napi_value value, KeyKind kind) {
  return kind == KeyKind::kText ? ReadText(env, value) : ReadInteger(env, value);
}

// Strings are read as UTF-16, not as UTF-8: Node would write U+FFFD for every lone surrogate, so two different strings
// would be one key.  Reading UTF-16 is also quicker (D29 in docs/DECISIONS.md).
bool KeyReader::ReadText(napi_env env, napi_value value) {
  size_t count = 0;
  const napi_status status = napi_get_value_string_utf16(env, value, inline_units_, kInlineUnits + 1, &count);
  if (status == napi_string_expected) return ReadBytes(env, value);
  if (status != napi_ok) return false;
  if (count == kInlineUnits) return ReadLongString(env, value);  // and maybe more
  return Accept(env, inline_, EncodeUtf8(inline_units_, count, inline_));
}

bool KeyReader::ReadLongString(napi_env env, napi_value value) {
  size_t count = 0;
  if (napi_get_value_string_utf16(env, value, nullptr, 0, &count) != napi_ok) return false;
  if (count > kKeyBytesMax) {
    size_t bytes = count;
    napi_get_value_string_utf8(env, value, nullptr, 0, &bytes);
    return Accept(env, nullptr, bytes);
  }
  std::vector<char16_t> units(count + 1);
  if (napi_get_value_string_utf16(env, value, units.data(), units.size(), &count) != napi_ok) return false;
  heap_ = std::make_unique_for_overwrite<char[]>(count * kUtf8BytesPerUnit);
  return Accept(env, heap_.get(), EncodeUtf8(units.data(), count, heap_.get()));
}

bool KeyReader::ReadBytes(napi_env env, napi_value value) {
  bool is_array = false;
  napi_typedarray_type type = napi_int8_array;
  void* data = nullptr;
  size_t length = 0;
  if (napi_is_typedarray(env, value, &is_array) != napi_ok) return false;
  if (is_array && napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok)
    return false;
  if (!is_array || type != napi_uint8_array) {
    ThrowType(env, "key: expected a string or a Uint8Array");
    return false;
  }
  is_bytes_ = true;
  return Accept(env, static_cast<const char*>(data), length);
}

bool KeyReader::ReadInteger(napi_env env, napi_value value) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok) {
    return ThrowNoInteger(env);
  }
  int64_t integer;
  if (!ToInteger(number, &integer)) {
    ThrowRange(env, "key: expected a safe integer, received " + std::to_string(number));
    return false;
  }
  std::memcpy(inline_, &integer, sizeof(integer));
  bytes_ = {reinterpret_cast<const std::byte*>(inline_), sizeof(integer)};
  return true;
}

bool KeyReader::Accept(napi_env env, const char* data, size_t bytes) {
  bytes_ = {reinterpret_cast<const std::byte*>(data), bytes};
  return CheckLength(env, bytes);
}

bool KeyBatch::Read(napi_env env, const Source& source, KeyKind kind) {
  bool typed = false;
  if (napi_is_typedarray(env, source.ends, &typed) == napi_ok && typed) {
    napi_typedarray_type type;
    size_t length = 0;
    void* ends = nullptr;
    napi_get_typedarray_info(env, source.ends, &type, &length, &ends, nullptr, nullptr);
    return type == napi_int32_array && ReadText(env, source, {static_cast<const int32_t*>(ends), length}, kind);
  }
  const bool good = kind == KeyKind::kInteger && napi_is_typedarray(env, source.keys, &typed) == napi_ok && typed
                        ? ReadNumbers(env, source.keys)
                        : ReadArray(env, source.keys, kind);
  data_ = bytes_.data();
  return good;
}

bool KeyBatch::ReadText(napi_env env, const Source& source, std::span<const int32_t> ends, KeyKind kind) {
  uint32_t count = 0;
  if (napi_get_value_uint32(env, source.count, &count) != napi_ok || count > ends.size()) return false;
  if (kind == KeyKind::kInteger && count > 0) return ThrowNoInteger(env);
  const size_t total = count == 0 ? 0 : static_cast<size_t>(ends[count - 1]);
  const auto units = std::make_unique_for_overwrite<char16_t[]>(total + 1);
  size_t read = 0;
  if (napi_get_value_string_utf16(env, source.keys, units.get(), total + 1, &read) != napi_ok || read != total) {
    return false;
  }
  text_ = std::make_unique_for_overwrite<char[]>(total * kUtf8BytesPerUnit + 4);
  data_ = reinterpret_cast<const std::byte*>(text_.get());
  ends_.reserve(count);
  size_t begin = 0, bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const auto end = static_cast<size_t>(ends[i]);
    if (end < begin || end > total) return false;
    const size_t length = EncodeUtf8(units.get() + begin, end - begin, text_.get() + bytes);
    if (!CheckLength(env, length)) return false;
    begin = end;
    bytes += length;
    ends_.push_back(bytes);
  }
  return true;
}

bool KeyBatch::ReadArray(napi_env env, napi_value keys, KeyKind kind) {
  constexpr uint32_t kHandlesPerScope = 256;
  uint32_t count = 0;
  if (napi_get_array_length(env, keys, &count) != napi_ok) {
    ThrowType(env, "keys: expected an array");
    return false;
  }
  ends_.reserve(count);
  bytes_.reserve(size_t{count} * 16);
  bool good = true;
  for (uint32_t i = 0; i < count && good;) {
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
    for (const uint32_t end = std::min(count, i + kHandlesPerScope); i < end && good; ++i) {
      napi_value element;
      KeyReader key;
      good = napi_get_element(env, keys, i, &element) == napi_ok && key.Read(env, element, kind);
      if (good) Append(key.bytes());
    }
    napi_close_handle_scope(env, scope);
  }
  return good;
}

bool KeyBatch::ReadNumbers(napi_env env, napi_value keys) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, keys, &type, &length, &data, nullptr, nullptr) != napi_ok) return false;
  ends_.resize(length);
  bytes_.resize(length * sizeof(int64_t));
  for (size_t i = 0; i < length; ++i) {
    int64_t integer = 0;
    switch (type) {
      case napi_int32_array: integer = static_cast<const int32_t*>(data)[i]; break;
      case napi_uint32_array: integer = static_cast<const uint32_t*>(data)[i]; break;
      case napi_float64_array:
        if (ToInteger(static_cast<const double*>(data)[i], &integer)) break;
        ThrowRange(env,
                   "keys: expected safe integers, received " + std::to_string(static_cast<const double*>(data)[i]));
        return false;
      default: ThrowType(env, "keys: expected an array, Int32Array, Uint32Array or Float64Array"); return false;
    }
    std::memcpy(bytes_.data() + i * sizeof(integer), &integer, sizeof(integer));
    ends_[i] = (i + 1) * sizeof(integer);
  }
  return true;
}

int64_t IntegerOf(const std::vector<std::byte>& key) {
  int64_t integer = 0;
  if (key.size() == sizeof(integer)) std::memcpy(&integer, key.data(), sizeof(integer));
  return integer;
}

}  // namespace zerohop::binding
