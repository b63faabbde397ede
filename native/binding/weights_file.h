// weights_file.h: the file that the external value of weightsOpen holds, and how refusals reach JavaScript.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/napi_setup.h"
#include "weights/mapped_file.h"
#include "weights/tensor.h"

namespace zerohop::binding {

using File = std::shared_ptr<MappedFile>;

struct OpenedFile {
  File file;                        // null once it was released
  std::shared_ptr<FilePages> kept;  // the pages of a discarded file: their range stays taken while the value lives
};

inline napi_value Text(napi_env env, const std::string& text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

// [code, message, offset]; lib/weights/ throws it with the file's name.
inline napi_value RefusalOf(napi_env env, const Refusal& refusal) {
  napi_value list = nullptr;
  if (napi_create_array_with_length(env, 3, &list) != napi_ok ||
      napi_set_element(env, list, 0, Text(env, refusal.code)) != napi_ok ||
      napi_set_element(env, list, 1, Text(env, refusal.message)) != napi_ok ||
      napi_set_element(env, list, 2, Double(env, static_cast<double>(refusal.offset))) != napi_ok) {
    return nullptr;
  }
  return list;
}

inline const char* WeightsCode(Code code) {
  switch (code) {
    case Code::kNotFound: return "ERR_WEIGHTS_NOT_FOUND";
    case Code::kPermission: return "ERR_WEIGHTS_PERMISSION";
    case Code::kNoSpace: return "ERR_WEIGHTS_NO_SPACE";
    case Code::kNoMemory: return "ERR_WEIGHTS_NO_MEMORY";
    case Code::kChanged: return "ERR_WEIGHTS_CHANGED";
    case Code::kUnreadable: return "ERR_WEIGHTS_IO";
    case Code::kClosed: return "ERR_WEIGHTS_CLOSED";
    default: return "ERR_WEIGHTS_OPEN";
  }
}

inline napi_value RefusalOf(napi_env env, const Status& status, uint64_t offset = 0) {
  return RefusalOf(env, Refusal{WeightsCode(status.code()), status.detail(), offset});
}

// The file of an external value.  Null, and an exception is pending: the value is something else.
inline OpenedFile* ReadOpenedFile(napi_env env, napi_value value) {
  void* file = nullptr;
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_external &&
      napi_get_value_external(env, value, &file) == napi_ok && file != nullptr) {
    return static_cast<OpenedFile*>(file);
  }
  ThrowType(env, "file: expected what weightsOpen gave");
  return nullptr;
}

// The same.  `*file` is null once the file was released.
inline File* ReadFile(napi_env env, napi_value value) {
  OpenedFile* const opened = ReadOpenedFile(env, value);
  return opened == nullptr ? nullptr : &opened->file;
}

inline bool ReadCount(napi_env env, napi_value value, uint64_t* count) {
  double number = -1;
  if (napi_get_value_double(env, value, &number) == napi_ok && number >= 0 && number <= 9007199254740991.0) {
    *count = static_cast<uint64_t>(number);
    return true;
  }
  ThrowRange(env, "expected a number of bytes");
  return false;
}

}  // namespace zerohop::binding
