#include "binding/convert.h"

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

}  // namespace

bool ReadView(napi_env env, napi_value value, const char* what, Bytes* bytes) {
  napi_typedarray_type type = napi_int8_array;
  void* data = nullptr;
  size_t length = 0;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    ThrowType(env, std::string(what) + ": expected a typed array");
    return false;
  }
  napi_value buffer;
  bool detached = false;
  if (length == 0 && napi_get_typedarray_info(env, value, nullptr, nullptr, nullptr, &buffer, nullptr) == napi_ok &&
      napi_is_detached_arraybuffer(env, buffer, &detached) == napi_ok && detached) {
    ThrowType(env, std::string(what) + ": its buffer was detached (transferred elsewhere)");
    return false;
  }
  *bytes = {static_cast<const std::byte*>(data), length * ElementBytes(type)};
  return true;
}

void* ReadArrayOf(napi_env env, napi_value value, napi_typedarray_type type, size_t length, const char* what) {
  napi_typedarray_type given;
  size_t given_length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &given, &given_length, &data, nullptr, nullptr) == napi_ok &&
      given == type && given_length >= length && (data != nullptr || length == 0)) {
    return data;
  }
  ThrowType(env, std::string(what) + ": expected another typed array, or a longer one");
  return nullptr;
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
