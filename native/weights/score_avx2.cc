// Sixteen floats in two registers.
#include <cstdint>
#include <cstring>

#include "base/constants.h"
#include "weights/score_ways.h"

#if defined(ZEROHOP_WEIGHTS_X86)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif

namespace zerohop {
namespace avx2_score {
namespace {

struct Sixteen {
  static constexpr size_t kRowsAtOnce = 4;
  __m256 low, high;

  static Sixteen Zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static Sixteen F32(const void* at) {
    const auto* const floats = static_cast<const float*>(at);
    return {_mm256_loadu_ps(floats), _mm256_loadu_ps(floats + 8)};
  }
  static Sixteen F16(const void* at) {
    const auto* const halves = static_cast<const __m128i*>(at);
    return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
  }
  static Sixteen Bf16(const void* at) {
    const auto* const halves = static_cast<const __m128i*>(at);
    return {FromBf16(_mm_loadu_si128(halves)), FromBf16(_mm_loadu_si128(halves + 1))};
  }
  static Sixteen I8(const void* at) {
    const auto* const bytes = static_cast<const int8_t*>(at);
    return {FromI8(_mm_loadu_si64(bytes)), FromI8(_mm_loadu_si64(bytes + 8))};
  }
  void AddProduct(Sixteen a, Sixteen b) {
    low = _mm256_fmadd_ps(a.low, b.low, low);
    high = _mm256_fmadd_ps(a.high, b.high, high);
  }
  float Sum() const {
    const __m256 eight = _mm256_add_ps(low, high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }

 private:
  static __m256 FromBf16(__m128i halves) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
  }
  static __m256 FromI8(__m128i bytes) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)); }
};

#include "weights/score_rows.inc"

}  // namespace
}  // namespace avx2_score

const ScoreWay kAvx2Scores = avx2_score::kWay;

}  // namespace zerohop

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
