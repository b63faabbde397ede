// arguments.h: reads the arguments of the benchmarks' native functions.
//
// A function that returns false has read nothing that counts; its caller throws, and says what it expected.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>

inline napi_value Throw(napi_env env, const char* message) {
  napi_throw_error(env, nullptr, message);
  return nullptr;
}

template <size_t N>
bool Arguments(napi_env env, napi_callback_info info, napi_value (&args)[N]) {
  size_t count = N;
  return napi_get_cb_info(env, info, &count, args, nullptr, nullptr) == napi_ok && count >= N;
}

inline bool Number(napi_env env, napi_value value, size_t* out) {
  int64_t number = 0;
  if (napi_get_value_int64(env, value, &number) != napi_ok || number < 0) return false;
  *out = static_cast<size_t>(number);
  return true;
}
