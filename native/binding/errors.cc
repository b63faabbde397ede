#include "binding/errors.h"

#include "binding/isolate.h"

namespace zerohop::binding {

const char* CodeName(Code code) {
  switch (code) {
    case Code::kOk: break;
    case Code::kClosed: return "ERR_CACHE_CLOSED";
    case Code::kInvalid: return "ERR_OUT_OF_RANGE";
    case Code::kOptions: return "ERR_CACHE_OPTIONS";
    case Code::kNoMemory: return "ERR_CACHE_NO_MEMORY";
    case Code::kTooLarge: return "ERR_CACHE_TOO_LARGE";
    case Code::kIo: return "ERR_CACHE_IO";
    case Code::kInternal: break;
  }
  return "ERR_CACHE_INTERNAL";
}

napi_value Throw(napi_env env, const Isolate& isolate, const Status& status) {
  napi_value arguments[2], factory, error, receiver;
  if (napi_create_string_utf8(env, CodeName(status.code()), NAPI_AUTO_LENGTH, &arguments[0]) != napi_ok ||
      napi_create_string_utf8(env, status.detail().data(), status.detail().size(), &arguments[1]) != napi_ok ||
      napi_get_reference_value(env, isolate.error_factory(), &factory) != napi_ok || factory == nullptr ||
      napi_get_undefined(env, &receiver) != napi_ok ||
      napi_call_function(env, receiver, factory, 2, arguments, &error) != napi_ok) {
    return nullptr;  // the environment is going down, or an exception is pending already
  }
  napi_throw(env, error);
  return nullptr;
}

napi_value ThrowType(napi_env env, const std::string& message) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message.c_str());
  return nullptr;
}

napi_value ThrowRange(napi_env env, const std::string& message) {
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message.c_str());
  return nullptr;
}

}  // namespace zerohop::binding
