// to_float32.h: elements of a file of weights as float32, whatever their type.
//
//   F32 F64 F16 BF16                               I8 U8 I16 U16 I32 U32 I64 U64 BOOL
//   F8_E4M3 F8_E5M2 F8_E4M3FNUZ F8_E5M2FNUZ F8_E8M0    (narrow_floats.h)
//   Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K  (ggml_blocks.h)
//
// The result is exact if float32 has the value.  F64 and the integers above 16 bits are rounded to the nearest, ties to
// even, and an F64 beyond float32's range becomes infinite.  A BOOL is 1 unless its byte is 0.  F32 and BF16 keep every
// NaN as it is.
//
// The widest vectors of the processor are used where that is faster, chosen at run time.  The result is the same bit
// for bit, except for which NaN comes of a quantised block whose scale or minimum is a NaN.
//
// Threads  none of its own.  The bytes need not be aligned; they and the floats must not overlap.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "weights/tensor.h"

namespace zerohop {

// How many floats so many bytes make.  None: the type is not one of those above, or claims blocks of another size than
// it has, or the bytes are not whole blocks.
std::optional<size_t> Float32Count(const DType& dtype, size_t bytes);

// False, and nothing is written: Float32Count gives none, or another number than out.size().
[[nodiscard]] bool ToFloat32(const DType& dtype, std::span<const std::byte> blocks, std::span<float> out);

// The same with vectors of at most so many bytes (32), or with what the compiler makes of plain code (8): for tests.
[[nodiscard]] bool ToFloat32With(int vector_bytes, const DType& dtype, std::span<const std::byte> blocks,
                                 std::span<float> out);

}  // namespace zerohop
