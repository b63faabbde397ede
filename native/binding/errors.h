// errors.h: the one door from a core Status, or a caller's mistake, to a JavaScript exception.
//
// `lib/native.ts` hands over a factory at load, so that native code throws the same CacheError class that users import.
#pragma once

#include <string>

#include "base/status.h"
#include "binding/napi_setup.h"

namespace zerohop::binding {

class Isolate;

const char* CodeName(Code code);

// Throws CacheError { code, message }.  Returns null, for `return Throw(…)`.
napi_value Throw(napi_env env, const Isolate& isolate, const Status& status);

// Throws TypeError with code ERR_INVALID_ARG_TYPE, or RangeError with ERR_OUT_OF_RANGE.
napi_value ThrowType(napi_env env, const std::string& message);
napi_value ThrowRange(napi_env env, const std::string& message);

}  // namespace zerohop::binding
