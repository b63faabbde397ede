// numbers.h: the numbers that both languages know.  The library compares them with its own when it starts
// (lib/addon/native.ts).
#pragma once

#include <cstdint>

#include "binding/napi_setup.h"

namespace zerohop::binding {

// What a store answers.
inline constexpr int32_t kRefused = 0;
inline constexpr int32_t kStored = 1;
inline constexpr int32_t kAbsent = 2;  // touch: there is no such key

// Adds an object `numbers` to `exports`: each number under its name in JavaScript.
bool ExportNumbers(napi_env env, napi_value exports);

}  // namespace zerohop::binding
