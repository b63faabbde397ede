// Four states at once.  AVX2 cannot rotate lanes of 64 bits, so a rotation is two shifts and an or.
#include <cstdint>
#include <cstring>

#include "fingerprint/keccak.h"
#include "fingerprint/keccak_x86.h"

#if defined(ZEROHOP_KECCAK_X86)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

namespace zerohop {
namespace {

__m256i Blend(uint32_t mask, __m256i a, __m256i b) {
  const __m256i bits = _mm256_set_epi64x(8, 4, 2, 1);
  const __m256i chosen = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(mask), bits), bits);
  return _mm256_blendv_epi8(a, b, chosen);
}

void Transpose(const std::byte* const* blocks, size_t at, __m256i* out) {
  const auto row = [&](int i) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(blocks[i] + at * sizeof(uint64_t)));
  };
  const __m256i low01 = _mm256_unpacklo_epi64(row(0), row(1)), high01 = _mm256_unpackhi_epi64(row(0), row(1));
  const __m256i low23 = _mm256_unpacklo_epi64(row(2), row(3)), high23 = _mm256_unpackhi_epi64(row(2), row(3));
  out[0] = _mm256_permute2x128_si256(low01, low23, 0x20);
  out[1] = _mm256_permute2x128_si256(high01, high23, 0x20);
  out[2] = _mm256_permute2x128_si256(low01, low23, 0x31);
  out[3] = _mm256_permute2x128_si256(high01, high23, 0x31);
}

__m256i Each256(const std::byte* const* blocks, size_t at) {
  uint64_t words[4];
  for (int i = 0; i < 4; ++i) std::memcpy(&words[i], blocks[i] + at * sizeof(uint64_t), sizeof(uint64_t));
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
}

#define LANE __m256i
#define XOR(a, b) _mm256_xor_si256(a, b)
#define XOR5(a, b, c, d, e) XOR(XOR(XOR(a, b), XOR(c, d)), e)
#define CHI(a, b, c) XOR(a, _mm256_andnot_si256(b, c))
#define ROTATE(a, n) _mm256_or_si256(_mm256_slli_epi64(a, n), _mm256_srli_epi64(a, 64 - (n)))
#define CONSTANT(word) _mm256_set1_epi64x(static_cast<int64_t>(word))
#define PERMUTE PermuteFour
#define ABSORB AbsorbFour
#define WIDTH 4
#define BLEND Blend
#define TRANSPOSE Transpose
#define EACH Each256
#include "fingerprint/keccak_rounds.inc"

}  // namespace

void AbsorbKeccakAvx2(uint64_t* lanes, const uint64_t* start, uint32_t fresh, const std::byte* const* blocks) {
  AbsorbFour(lanes, start, fresh, blocks);
}

}  // namespace zerohop

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
