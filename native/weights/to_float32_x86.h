// to_float32_x86.h: the conversions that are faster with AVX2 than what a compiler makes of plain code.
#pragma once

#include <cstddef>

#include "weights/processor.h"

#if defined(ZEROHOP_WEIGHTS_X86)
namespace zerohop {

// REQUIRES: HasAvx2().
void FromF16Avx2(const std::byte* blocks, size_t count, float* out);
void FromQ4_0Avx2(const std::byte* blocks, size_t count, float* out);
void FromQ8_0Avx2(const std::byte* blocks, size_t count, float* out);
void FromQ4KAvx2(const std::byte* blocks, size_t count, float* out);
void FromQ6KAvx2(const std::byte* blocks, size_t count, float* out);

}  // namespace zerohop
#endif
