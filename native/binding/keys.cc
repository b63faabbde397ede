#include "binding/keys.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <string_view>

#include "binding/errors.h"

namespace zerohop::binding {
namespace {

constexpr double kSafeIntegerMax = 9007199254740991;  // 2^53 - 1

bool ToInteger(double number, int64_t* integer) {
  if (!(number >= -kSafeIntegerMax && number <= kSafeIntegerMax) || std::trunc(number) != number) return false;
  *integer = static_cast<int64_t>(number);  // -0 becomes 0
  return true;
}

// Node writes U+FFFD for a lone surrogate, so two different strings could become the same key.  Only a string that
// shows the replacement character can be concerned, and only then is its UTF-16 looked at.
bool MayHideSurrogate(const char* data, size_t bytes) {
  // Nearly all keys are ASCII; looked at eight characters at a time, without a call.
  uint64_t high = 0;
  size_t at = 0;
  for (uint64_t word; at + sizeof(word) <= bytes; at += sizeof(word)) {
    std::memcpy(&word, data + at, sizeof(word));
    high |= word;
  }
  for (; at < bytes; ++at) high |= static_cast<unsigned char>(data[at]);
  if ((high & 0x8080808080808080u) == 0) return false;
  return std::string_view(data, bytes).find("\xEF\xBF\xBD") != std::string_view::npos;
}

bool IsWellFormed(napi_env env, napi_value value) {
  size_t units = 0;
  if (napi_get_value_string_utf16(env, value, nullptr, 0, &units) != napi_ok) return false;
  std::u16string text(units + 1, u'\0');
  if (napi_get_value_string_utf16(env, value, text.data(), text.size(), &units) != napi_ok) return false;
  for (size_t i = 0; i < units; ++i) {
    const bool high = text[i] >= 0xD800 && text[i] <= 0xDBFF;
    const bool low = text[i] >= 0xDC00 && text[i] <= 0xDFFF;
    if (low || (high && !(i + 1 < units && text[i + 1] >= 0xDC00 && text[i + 1] <= 0xDFFF))) return false;
    i += high;
  }
  return true;
}

}  // namespace

bool KeyReader::Read(napi_env env, napi_value value, KeyKind kind) {
  return kind == KeyKind::kText ? ReadText(env, value) : ReadInteger(env, value);
}

bool KeyReader::ReadText(napi_env env, napi_value value) {
  size_t bytes = 0;
  const napi_status status = napi_get_value_string_utf8(env, value, inline_, kInlineBytes, &bytes);
  if (status == napi_string_expected) return ReadBytes(env, value);
  if (status != napi_ok) return false;
  // Cut strings end at a whole character, up to three bytes before the terminator: those may have been longer.
  if (bytes + 4 >= kInlineBytes) return ReadLongString(env, value);
  if (MayHideSurrogate(inline_, bytes) && !IsWellFormed(env, value)) {
    ThrowType(env, "key: expected well-formed Unicode, received a string with a lone surrogate; encode it yourself");
    return false;
  }
  return Accept(env, inline_, bytes);
}

bool KeyReader::ReadLongString(napi_env env, napi_value value) {
  size_t bytes = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &bytes) != napi_ok) return false;
  if (bytes > kKeyBytesMax) return Accept(env, nullptr, bytes);
  heap_.resize(bytes + 1);
  if (napi_get_value_string_utf8(env, value, heap_.data(), heap_.size(), &bytes) != napi_ok) return false;
  if (MayHideSurrogate(heap_.data(), bytes) && !IsWellFormed(env, value)) {
    ThrowType(env, "key: expected well-formed Unicode, received a string with a lone surrogate; encode it yourself");
    return false;
  }
  return Accept(env, heap_.data(), bytes);
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
    ThrowType(env, "key: expected an integer (the keyspace's keys are integers)");
    return false;
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
  if (bytes == 0 || bytes > kKeyBytesMax) {
    ThrowRange(env, "key: expected 1 to " + std::to_string(kKeyBytesMax) + " bytes, received " + std::to_string(bytes));
    return false;
  }
  bytes_ = {reinterpret_cast<const std::byte*>(data), bytes};
  return true;
}

bool KeyBatch::Read(napi_env env, napi_value keys, KeyKind kind) {
  bool numbers = false;
  if (kind == KeyKind::kInteger && napi_is_typedarray(env, keys, &numbers) == napi_ok && numbers) {
    return ReadNumbers(env, keys);
  }
  return ReadArray(env, keys, kind);
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
