// processor.h: which instructions this processor has.  Code for each kind is compiled for it, and chosen at run time.
#pragma once

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define ZEROHOP_WEIGHTS_X86 1
#include <cpuid.h>
#endif

namespace zerohop {

// AVX2, FMA and F16C.  Processors have all three or none (Intel since 2013, AMD since 2015), but an emulator may
// differ.
inline bool HasAvx2() {
#if defined(ZEROHOP_WEIGHTS_X86)
  unsigned a = 0, b = 0, c = 0, d = 0;
  __builtin_cpu_init();  // it also asks whether the system keeps the wide registers
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid(1, &a, &b, &c, &d) != 0 &&
         (c & bit_F16C) != 0;
#else
  return false;
#endif
}

inline bool HasAvx512() {
#if defined(ZEROHOP_WEIGHTS_X86)
  return HasAvx2() && __builtin_cpu_supports("avx512f");
#else
  return false;
#endif
}

}  // namespace zerohop
