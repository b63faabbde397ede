// Eight states at once.  All 25 lanes lie in registers.  One instruction rotates; another combines three operands.
#include <cstdint>

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

// Truth tables of vpternlogq, first operand the highest bit: a ^ b ^ c, and a ^ (~b & c).
#define LANE __m512i
#define XOR(a, b) _mm512_xor_si512(a, b)
#define XOR3(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define XOR5(a, b, c, d, e) XOR3(XOR3(a, b, c), d, e)
#define CHI(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0xd2)
#define ROTATE(a, n) _mm512_rol_epi64(a, n)
#define CONSTANT(word) _mm512_set1_epi64(static_cast<int64_t>(word))
#define PERMUTE PermuteEight
#include "fingerprint/keccak_rounds.inc"
#undef XOR3

}  // namespace

void PermuteKeccakAvx512(uint64_t* lanes) { PermuteEight(reinterpret_cast<__m512i*>(lanes)); }

}  // namespace zerohop

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
