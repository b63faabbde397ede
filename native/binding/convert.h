// convert.h: from JavaScript arguments to core types.  On a caller's mistake, a function throws it and returns false.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "base/constants.h"
#include "binding/isolate.h"
#include "binding/napi_setup.h"
#include "cache/cache.h"

namespace zerohop::binding {

// The arguments of a call.  Missing ones are undefined.
template <size_t N>
struct Arguments {
  std::array<napi_value, N> values;
  Isolate* isolate;  // the environment's
  Arguments(napi_env env, napi_callback_info info) {
    size_t count = N;
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, values.data(), nullptr, &data);
    // Every function of the binding carries the evaluation that it was made for.
    auto* const evaluation = static_cast<Evaluation*>(data);
    isolate = evaluation->isolate;
    isolate->Enter(evaluation);
  }
  napi_value operator[](size_t i) const { return values[i]; }
};

// A handle scope that is closed in any case: Node ends the process if one stays open.
class HandleScope {
 public:
  explicit HandleScope(napi_env env) : env_(env) { napi_open_handle_scope(env, &scope_); }
  ~HandleScope() { napi_close_handle_scope(env_, scope_); }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;

 private:
  const napi_env env_;
  napi_handle_scope scope_ = nullptr;
};

// The memory of a typed array, valid during the call.  False, and an exception is pending, if the value is not a typed
// array, or is detached.
bool ReadView(napi_env env, napi_value value, const char* what, Bytes* bytes);

// The memory of a typed array of exactly this type and at least `length` elements.  Otherwise null, and an exception is
// pending.
void* ReadArrayOf(napi_env env, napi_value value, napi_typedarray_type type, size_t length, const char* what);

bool ReadString(napi_env env, napi_value value, std::string* text);

inline napi_value Int(napi_env env, int32_t number) {
  napi_value value = nullptr;
  napi_create_int32(env, number, &value);
  return value;
}

inline napi_value Double(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

inline napi_value Bool(napi_env env, bool flag) {
  napi_value value = nullptr;
  napi_get_boolean(env, flag, &value);
  return value;
}

}  // namespace zerohop::binding
