// numbers.h: the numbers that both languages know.  The library compares them with its own when it starts
// (lib/addon/native.ts).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/histogram.h"
#include "binding/napi_setup.h"

namespace zerohop::binding {

// What a store answers.
inline constexpr int32_t kRefused = 0;
inline constexpr int32_t kStored = 1;
inline constexpr int32_t kAbsent = 2;  // touch: there is no such key

// The bounds that times are told by: 2^kTimeBoundFirst ns, and each kTimeBoundStep doublings more.
inline constexpr size_t kTimeBounds = 16;
inline constexpr size_t kTimeBoundFirst = 10;  // 1.024 us
inline constexpr size_t kTimeBoundStep = 2;    // so the last one is 1 100 s

// For each bound, how many times were no longer; then how many there were, and their sum in ns.  Adds all of them.
void AddTimes(const Histogram& histogram, double* times);

// Adds an object `numbers` to `exports`: each number under its name in JavaScript.
bool ExportNumbers(napi_env env, napi_value exports);

}  // namespace zerohop::binding
