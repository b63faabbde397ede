// Eight states at once.  All 25 lanes lie in registers.  One instruction rotates; another combines three operands.
#include <cstdint>
#include <cstring>

#include "fingerprint/keccak.h"
#include "fingerprint/keccak_x86.h"

#if defined(ZEROHOP_KECCAK_X86)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f")
#pragma GCC diagnostic ignored "-Wuninitialized"  // in GCC 12's own header
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace zerohop {
namespace {

__m512i Blend(uint32_t mask, __m512i a, __m512i b) { return _mm512_mask_mov_epi64(a, static_cast<__mmask8>(mask), b); }

// Pairs of words first, then pairs of pairs.
void Transpose(const std::byte* const* blocks, size_t at, __m512i* out) {
  for (int odd = 0; odd < 2; ++odd) {
    const auto pair = [&](int i) {
      const __m512i a = _mm512_loadu_si512(blocks[i] + at * sizeof(uint64_t));
      const __m512i b = _mm512_loadu_si512(blocks[i + 1] + at * sizeof(uint64_t));
      return odd == 0 ? _mm512_unpacklo_epi64(a, b) : _mm512_unpackhi_epi64(a, b);
    };
    const __m512i pair0 = pair(0), pair2 = pair(2), pair4 = pair(4), pair6 = pair(6);
    const __m512i even03 = _mm512_shuffle_i64x2(pair0, pair2, 0x88), odd03 = _mm512_shuffle_i64x2(pair0, pair2, 0xdd);
    const __m512i even47 = _mm512_shuffle_i64x2(pair4, pair6, 0x88), odd47 = _mm512_shuffle_i64x2(pair4, pair6, 0xdd);
    out[odd] = _mm512_shuffle_i64x2(even03, even47, 0x88);
    out[odd + 2] = _mm512_shuffle_i64x2(odd03, odd47, 0x88);
    out[odd + 4] = _mm512_shuffle_i64x2(even03, even47, 0xdd);
    out[odd + 6] = _mm512_shuffle_i64x2(odd03, odd47, 0xdd);
  }
}

__m512i Each512(const std::byte* const* blocks, size_t at) {
  uint64_t words[8];
  for (int i = 0; i < 8; ++i) std::memcpy(&words[i], blocks[i] + at * sizeof(uint64_t), sizeof(uint64_t));
  return _mm512_loadu_si512(words);
}

// Truth tables of vpternlogq, first operand the highest bit: a ^ b ^ c, and a ^ (~b & c).
#define LANE __m512i
#define XOR(a, b) _mm512_xor_si512(a, b)
#define XOR3(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define XOR5(a, b, c, d, e) XOR3(XOR3(a, b, c), d, e)
#define CHI(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0xd2)
#define ROTATE(a, n) _mm512_rol_epi64(a, n)
#define CONSTANT(word) _mm512_set1_epi64(static_cast<int64_t>(word))
#define PERMUTE PermuteEight
#define ABSORB AbsorbEight
#define WIDTH 8
#define BLEND Blend
#define TRANSPOSE Transpose
#define EACH Each512
#include "fingerprint/keccak_rounds.inc"
#undef XOR3

}  // namespace

void AbsorbKeccakAvx512(uint64_t* lanes, const uint64_t* start, uint32_t fresh, const std::byte* const* blocks) {
  AbsorbEight(lanes, start, fresh, blocks);
}

}  // namespace zerohop

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
