#include "weights/to_float32.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "weights/ggml_blocks.h"
#include "weights/narrow_floats.h"
#include "weights/to_float32_x86.h"

namespace zerohop {
namespace {

// Converts so many whole blocks.
using FromBlocks = void (*)(const std::byte* blocks, size_t count, float* out);

void FromF32(const std::byte* blocks, size_t count, float* out) {
  if (count > 0) std::memcpy(out, blocks, count * sizeof(float));
}

template <class Number>
void FromNumbers(const std::byte* blocks, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) {
    Number number;
    std::memcpy(&number, blocks + i * sizeof(Number), sizeof(Number));
    out[i] = static_cast<float>(number);
  }
}

void FromBool(const std::byte* blocks, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = blocks[i] != std::byte{0} ? 1.0f : 0.0f;
}

template <float (*kConvert)(uint16_t)>
void From16Bits(const std::byte* blocks, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = kConvert(BitsAt(blocks + i * 2));
}

template <const Float8Table& kTable>
void From8Bits(const std::byte* blocks, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = kTable[static_cast<uint8_t>(blocks[i])];
}

struct KnownType {
  std::string_view name;
  uint32_t block_elements;
  uint32_t block_bytes;
  FromBlocks plain;
  FromBlocks avx2 = nullptr;  // null where plain code is as good
};

#if defined(ZEROHOP_WEIGHTS_X86)
#define ZEROHOP_AVX2(function) function##Avx2
#else
#define ZEROHOP_AVX2(function) nullptr
#endif

// The most common types first.
constexpr std::array kKnownTypes = {
    KnownType{"F32", 1, 4, FromF32},
    KnownType{"F16", 1, 2, From16Bits<HalfToFloat>, ZEROHOP_AVX2(FromF16)},
    KnownType{"BF16", 1, 2, From16Bits<BfloatToFloat>},
    KnownType{"Q8_0", kSmallBlock, sizeof(BlockQ8_0), FromQ8_0, ZEROHOP_AVX2(FromQ8_0)},
    KnownType{"Q4_K", kSuperBlock, sizeof(BlockQ4K), FromQ4K, ZEROHOP_AVX2(FromQ4K)},
    KnownType{"Q6_K", kSuperBlock, sizeof(BlockQ6K), FromQ6K, ZEROHOP_AVX2(FromQ6K)},
    KnownType{"Q4_0", kSmallBlock, sizeof(BlockQ4_0), FromQ4_0, ZEROHOP_AVX2(FromQ4_0)},
    KnownType{"Q4_1", kSmallBlock, sizeof(BlockQ4_1), FromQ4_1},
    KnownType{"Q5_0", kSmallBlock, sizeof(BlockQ5_0), FromQ5_0},
    KnownType{"Q5_1", kSmallBlock, sizeof(BlockQ5_1), FromQ5_1},
    KnownType{"Q2_K", kSuperBlock, sizeof(BlockQ2K), FromQ2K},
    KnownType{"Q3_K", kSuperBlock, sizeof(BlockQ3K), FromQ3K},
    KnownType{"Q5_K", kSuperBlock, sizeof(BlockQ5K), FromQ5K},
    KnownType{"F8_E4M3", 1, 1, From8Bits<kE4m3>},
    KnownType{"F8_E5M2", 1, 1, From8Bits<kE5m2>},
    KnownType{"F8_E4M3FNUZ", 1, 1, From8Bits<kE4m3Fnuz>},
    KnownType{"F8_E5M2FNUZ", 1, 1, From8Bits<kE5m2Fnuz>},
    KnownType{"F8_E8M0", 1, 1, From8Bits<kE8m0>},
    KnownType{"I8", 1, 1, FromNumbers<int8_t>},
    KnownType{"U8", 1, 1, FromNumbers<uint8_t>},
    KnownType{"I16", 1, 2, FromNumbers<int16_t>},
    KnownType{"U16", 1, 2, FromNumbers<uint16_t>},
    KnownType{"I32", 1, 4, FromNumbers<int32_t>},
    KnownType{"U32", 1, 4, FromNumbers<uint32_t>},
    KnownType{"I64", 1, 8, FromNumbers<int64_t>},
    KnownType{"U64", 1, 8, FromNumbers<uint64_t>},
    KnownType{"F64", 1, 8, FromNumbers<double>},
    KnownType{"BOOL", 1, 1, FromBool},
};
#undef ZEROHOP_AVX2

const KnownType* FindType(const DType& dtype) {
  const std::string_view name = dtype.name;
  for (const KnownType& known : kKnownTypes) {
    if (known.name != name) continue;
    const bool as_claimed = dtype.block_elements == known.block_elements && dtype.block_bits == known.block_bytes * 8;
    return as_claimed ? &known : nullptr;
  }
  return nullptr;
}

std::optional<size_t> CountOf(const KnownType* type, size_t bytes) {
  if (type == nullptr || bytes % type->block_bytes != 0) return std::nullopt;
  const size_t blocks = bytes / type->block_bytes;
  if (blocks > std::numeric_limits<size_t>::max() / type->block_elements) return std::nullopt;
  return blocks * type->block_elements;
}

}  // namespace

std::optional<size_t> Float32Count(const DType& dtype, size_t bytes) { return CountOf(FindType(dtype), bytes); }

bool ToFloat32(const DType& dtype, std::span<const std::byte> blocks, std::span<float> out) {
  return ToFloat32With(32, dtype, blocks, out);
}

bool ToFloat32With(int vector_bytes, const DType& dtype, std::span<const std::byte> blocks, std::span<float> out) {
  static const bool kAvx2 = HasAvx2();
  const KnownType* const type = FindType(dtype);
  if (CountOf(type, blocks.size()) != out.size()) return false;
  const FromBlocks convert = kAvx2 && vector_bytes >= 32 && type->avx2 != nullptr ? type->avx2 : type->plain;
  convert(blocks.data(), blocks.size() / type->block_bytes, out.data());
  return true;
}

}  // namespace zerohop
