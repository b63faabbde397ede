// Eight floats at once.  Bytes are unpacked 32 at a time, and widened eight at a time.
#include <cstdint>
#include <cstring>

#include "weights/ggml_blocks.h"
#include "weights/narrow_floats.h"
#include "weights/to_float32_x86.h"

#if defined(ZEROHOP_WEIGHTS_X86)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,f16c")
#endif

namespace zerohop {
namespace {

__m256i Load32(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
__m128i Load16(const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); }

__m256 EveryHalf(const uint8_t* at) { return _mm256_set1_ps(HalfToFloat(BitsAt(at))); }

// Sixteen signed bytes, times a scale.
void StoreScaled(__m128i bytes, __m256 scale, float* out) {
  const __m256 first = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
  const __m256 second = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(bytes, bytes)));
  _mm256_storeu_ps(out, _mm256_mul_ps(first, scale));
  _mm256_storeu_ps(out + 8, _mm256_mul_ps(second, scale));
}

// Sixteen bytes, times a scale, less a minimum.
void StoreScaledLess(__m128i bytes, __m256 scale, __m256 minimum, float* out) {
  const __m256 first = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
  const __m256 second = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes)));
  _mm256_storeu_ps(out, _mm256_sub_ps(_mm256_mul_ps(first, scale), minimum));
  _mm256_storeu_ps(out + 8, _mm256_sub_ps(_mm256_mul_ps(second, scale), minimum));
}

// Bits shift..shift+3 of each byte.  Shifted as words: what comes from the neighbour is masked away.
__m256i FourBits(__m256i bytes, int shift) {
  return _mm256_and_si256(_mm256_srl_epi16(bytes, _mm_cvtsi32_si128(shift)), _mm256_set1_epi8(15));
}

}  // namespace

void FromF16Avx2(const std::byte* blocks, size_t count, float* out) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) _mm256_storeu_ps(out + i, _mm256_cvtph_ps(Load16(blocks + i * 2)));
  for (; i < count; ++i) out[i] = HalfToFloat(BitsAt(blocks + i * 2));
}

void FromQ8_0Avx2(const std::byte* blocks, size_t count, float* out) {
  const auto* block = reinterpret_cast<const BlockQ8_0*>(blocks);
  for (size_t i = 0; i < count; ++i, ++block, out += kSmallBlock) {
    const __m256 scale = EveryHalf(block->scale);
    StoreScaled(Load16(block->quants), scale, out);
    StoreScaled(Load16(block->quants + 16), scale, out + 16);
  }
}

void FromQ4_0Avx2(const std::byte* blocks, size_t count, float* out) {
  const auto* block = reinterpret_cast<const BlockQ4_0*>(blocks);
  const __m128i mask = _mm_set1_epi8(15), offset = _mm_set1_epi8(8);
  for (size_t i = 0; i < count; ++i, ++block, out += kSmallBlock) {
    const __m256 scale = EveryHalf(block->scale);
    const __m128i both = Load16(block->quants);
    const __m128i lower = _mm_and_si128(both, mask), upper = _mm_and_si128(_mm_srli_epi16(both, 4), mask);
    StoreScaled(_mm_sub_epi8(lower, offset), scale, out);
    StoreScaled(_mm_sub_epi8(upper, offset), scale, out + 16);
  }
}

void FromQ4KAvx2(const std::byte* blocks, size_t count, float* out) {
  const auto* block = reinterpret_cast<const BlockQ4K*>(blocks);
  for (size_t i = 0; i < count; ++i, ++block) {
    const float scale = HalfToFloat(BitsAt(block->scale)), minimum = HalfToFloat(BitsAt(block->minimum));
    for (size_t group = 0; group < 8; ++group, out += 32) {
      const Q4Scales scales = Q4Group(block->scales, group);
      const __m256 group_scale = _mm256_set1_ps(scale * static_cast<float>(scales.scale));
      const __m256 group_minimum = _mm256_set1_ps(minimum * static_cast<float>(scales.minimum));
      const __m256i quants = FourBits(Load32(block->quants + group / 2 * 32), static_cast<int>(group % 2 * 4));
      StoreScaledLess(_mm256_castsi256_si128(quants), group_scale, group_minimum, out);
      StoreScaledLess(_mm256_extracti128_si256(quants, 1), group_scale, group_minimum, out + 16);
    }
  }
}

void FromQ6KAvx2(const std::byte* blocks, size_t count, float* out) {
  const auto* block = reinterpret_cast<const BlockQ6K*>(blocks);
  const __m256i offset = _mm256_set1_epi8(32), two_bits = _mm256_set1_epi8(3);
  for (size_t i = 0; i < count; ++i, ++block) {
    const float scale = HalfToFloat(BitsAt(block->scale));
    for (size_t part = 0; part < 8; ++part, out += 32) {  // half part / 4, quarter part % 4 of it
      const __m256i low =
          FourBits(Load32(block->low + part / 4 * 64 + part % 2 * 32), static_cast<int>(part / 2 % 2 * 4));
      const __m256i all_high = Load32(block->high + part / 4 * 32);
      const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(part % 4 * 2));
      const __m256i high = _mm256_and_si256(_mm256_srl_epi16(all_high, shift), two_bits);
      const __m256i quants = _mm256_sub_epi8(_mm256_or_si256(low, _mm256_slli_epi16(high, 4)), offset);
      const int8_t* const scales = block->scales + part * 2;
      StoreScaled(_mm256_castsi256_si128(quants), _mm256_set1_ps(scale * static_cast<float>(scales[0])), out);
      StoreScaled(_mm256_extracti128_si256(quants, 1), _mm256_set1_ps(scale * static_cast<float>(scales[1])), out + 16);
    }
  }
}

}  // namespace zerohop

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
