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
    case Code::kNotFound:
    case Code::kPermission:
    case Code::kNoSpace:
    case Code::kChanged:
    case Code::kUnreadable:
    case Code::kIo: return "ERR_CACHE_IO";
    case Code::kInternal: break;
  }
  return "ERR_CACHE_INTERNAL";
}

namespace {

napi_value ThrowCoded(napi_env env, const char* code, const std::string& message) {
  napi_value arguments[2], error;
  if (napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &arguments[0]) != napi_ok ||
      napi_create_string_utf8(env, message.data(), message.size(), &arguments[1]) != napi_ok) {
    return nullptr;  // the environment is going down, or an exception is pending already
  }
  if (Isolate::Of(env)->evaluation().Call(env, "newError", arguments, &error)) {
    napi_throw(env, error);
  } else {
    napi_throw_error(env, code, message.c_str());
  }
  return nullptr;
}

}  // namespace

napi_value Throw(napi_env env, const Status& status) {
  return ThrowCoded(env, CodeName(status.code()), status.detail());
}

napi_value ThrowType(napi_env env, const std::string& message) {
  return ThrowCoded(env, "ERR_INVALID_ARG_TYPE", message);
}

napi_value ThrowRange(napi_env env, const std::string& message) { return ThrowCoded(env, "ERR_OUT_OF_RANGE", message); }

napi_value ThrowCut(napi_env env) {
  return ThrowCoded(env, "ERR_WEIGHTS_CHANGED", "the file was cut since it was opened");
}

}  // namespace zerohop::binding
