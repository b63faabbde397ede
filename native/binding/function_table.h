// function_table.h: the functions that JavaScript calls: a table in each *_binding.cc, joined in addon.cc.
//
// To add a function: write it in the room's *_binding.cc, name it in the table there, and declare it in the room's
// lib/addon/native-*.ts.  The library does not start if the two sides differ.
#pragma once

#include <new>
#include <span>

#include "binding/errors.h"
#include "binding/napi_setup.h"

namespace zerohop::binding {

struct Function {
  const char* name;  // in JavaScript
  napi_callback call;
};

// The core throws only when memory runs out.  Here, at the last step before JavaScript, that becomes an error.
template <napi_callback Call>
napi_value Guarded(napi_env env, napi_callback_info info) {
  try {
    return Call(env, info);
  } catch (const std::bad_alloc&) {
    return Throw(env, {Code::kNoMemory, "the system refused memory"});
  }
}

std::span<const Function> CacheFunctions();
std::span<const Function> ReadFunctions();
std::span<const Function> WriteFunctions();
std::span<const Function> FingerprintFunctions();
std::span<const Function> InferenceFunctions();
std::span<const Function> WeightsFunctions();
std::span<const Function> WeightsHeaderFunctions();
std::span<const Function> TensorFunctions();
std::span<const Function> RespFunctions();
std::span<const Function> ObserveFunctions();

}  // namespace zerohop::binding
