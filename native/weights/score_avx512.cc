// Sixteen floats in one register.
#include <cstdint>
#include <cstring>

#include "base/constants.h"
#include "weights/score_ways.h"

#if defined(ZEROHOP_WEIGHTS_X86)
#if defined(__GNUC__) && !defined(__clang__)
// A header of GCC 12 leaves a register undefined on purpose, and warns of it.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f")
#endif

namespace zerohop {
namespace avx512_score {
namespace {

struct Sixteen {
  static constexpr size_t kRowsAtOnce = 4;
  __m512 lanes;

  static Sixteen Zero() { return {_mm512_setzero_ps()}; }
  static Sixteen F32(const void* at) { return {_mm512_loadu_ps(at)}; }
  static Sixteen F16(const void* at) { return {_mm512_cvtph_ps(Load32(at))}; }
  static Sixteen Bf16(const void* at) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(Load32(at)), 16))};
  }
  static Sixteen I8(const void* at) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(at))))};
  }
  void AddProduct(Sixteen a, Sixteen b) { lanes = _mm512_fmadd_ps(a.lanes, b.lanes, lanes); }
  float Sum() const {
    const __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(lanes), 1));
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), upper);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }

 private:
  static __m256i Load32(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
};

#include "weights/score_rows.inc"

}  // namespace
}  // namespace avx512_score

const ScoreWay kAvx512Scores = avx512_score::kWay;

}  // namespace zerohop

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
