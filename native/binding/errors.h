// errors.h: the one place where a core Status, or a caller's mistake, becomes a JavaScript exception.
//
// The evaluation that called makes the error (`newError` of lib/addon/native.ts).  So its class is the CacheError that
// its users import, or the TypeError of their realm.
#pragma once

#include <string>

#include "base/status.h"
#include "binding/napi_setup.h"

namespace zerohop::binding {

const char* CodeName(Code code);

// Throws CacheError { code, message }.  Returns null, for `return Throw(…)`.
napi_value Throw(napi_env env, const Status& status);

// Throws TypeError with code ERR_INVALID_ARG_TYPE, or RangeError with ERR_OUT_OF_RANGE.
napi_value ThrowType(napi_env env, const std::string& message);
napi_value ThrowRange(napi_env env, const std::string& message);
// Throws Error with code ERR_WEIGHTS_CHANGED.
napi_value ThrowCut(napi_env env);

}  // namespace zerohop::binding
