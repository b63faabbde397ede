// Four states at once.  AVX2 cannot rotate lanes of 64 bits, so a rotation is two shifts and an or.
#include <cstdint>

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

#define LANE __m256i
#define XOR(a, b) _mm256_xor_si256(a, b)
#define XOR5(a, b, c, d, e) XOR(XOR(XOR(a, b), XOR(c, d)), e)
#define CHI(a, b, c) XOR(a, _mm256_andnot_si256(b, c))
#define ROTATE(a, n) _mm256_or_si256(_mm256_slli_epi64(a, n), _mm256_srli_epi64(a, 64 - (n)))
#define CONSTANT(word) _mm256_set1_epi64x(static_cast<int64_t>(word))
#define PERMUTE PermuteFour
#include "fingerprint/keccak_rounds.inc"

}  // namespace

void PermuteKeccakAvx2(uint64_t* lanes) { PermuteFour(reinterpret_cast<__m256i*>(lanes)); }

}  // namespace zerohop

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
