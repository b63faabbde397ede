#include "binding/convert.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "binding/errors.h"

namespace zerohop::binding {
namespace {

size_t ElementBytes(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
    case napi_uint8_array:
    case napi_uint8_clamped_array: return 1;
    case napi_int16_array:
    case napi_uint16_array: return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array: return 4;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array: return 8;
    default: return 2;  // Float16Array, which newer Nodes have and this header may not name
  }
}

// Node writes U+FFFD for a lone surrogate, so two different strings could become the same key.  Only a string that
// shows the replacement character can be concerned, and only then is its UTF-16 looked at.
bool MayHideSurrogate(const char* data, size_t bytes) {
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

bool KeyReader::Read(napi_env env, napi_value value) {
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
  return Accept(env, static_cast<const char*>(data), length);
}

bool KeyReader::Accept(napi_env env, const char* data, size_t bytes) {
  if (bytes == 0 || bytes > kKeyBytesMax) {
    ThrowRange(env, "key: expected 1 to " + std::to_string(kKeyBytesMax) + " bytes, received " + std::to_string(bytes));
    return false;
  }
  bytes_ = {reinterpret_cast<const std::byte*>(data), bytes};
  return true;
}

bool ReadView(napi_env env, napi_value value, const char* what, Bytes* bytes) {
  bool is_array = false;
  napi_typedarray_type type = napi_int8_array;
  void* data = nullptr;
  size_t length = 0;
  napi_value buffer;
  if (napi_is_typedarray(env, value, &is_array) != napi_ok) return false;
  if (!is_array || napi_get_typedarray_info(env, value, &type, &length, &data, &buffer, nullptr) != napi_ok) {
    ThrowType(env, std::string(what) + ": expected a typed array");
    return false;
  }
  bool detached = false;
  if (length == 0 && napi_is_detached_arraybuffer(env, buffer, &detached) == napi_ok && detached) {
    ThrowType(env, std::string(what) + ": its buffer was detached (transferred elsewhere)");
    return false;
  }
  *bytes = {static_cast<const std::byte*>(data), length * ElementBytes(type)};
  return true;
}

bool ReadString(napi_env env, napi_value value, std::string* text) {
  size_t bytes = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &bytes) != napi_ok) return false;
  text->resize(bytes + 1);
  if (napi_get_value_string_utf8(env, value, text->data(), text->size(), &bytes) != napi_ok) return false;
  text->resize(bytes);
  return true;
}

}  // namespace zerohop::binding
