// Two states at once, by the instructions that arm64 has for SHA-3 (FEAT_SHA3).  One combines three operands; others
// rotate together with an exclusive or.
#include <cstdint>

#include "fingerprint/keccak.h"
#include "fingerprint/keccak_arm.h"

#if defined(ZEROHOP_KECCAK_ARM)
#include <arm_neon.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("sha3"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+sha3")
#endif

namespace zerohop {
namespace {

#define LANE uint64x2_t
#define XOR(a, b) veorq_u64(a, b)
#define XOR5(a, b, c, d, e) veor3q_u64(veor3q_u64(a, b, c), d, e)
#define CHI(a, b, c) vbcaxq_u64(a, c, b)
#define ROTATE(a, n) vxarq_u64(a, vdupq_n_u64(0), 64 - (n))
#define XOR_ROTATE(a, b, n) vxarq_u64(a, b, 64 - (n))
#define XOR_ROTATED(a, b) vrax1q_u64(a, b)
#define CONSTANT(word) vdupq_n_u64(word)
#define PERMUTE PermuteTwo
#include "fingerprint/keccak_rounds.inc"

}  // namespace

void PermuteKeccakNeon(uint64_t* lanes) { PermuteTwo(reinterpret_cast<uint64x2_t*>(lanes)); }

}  // namespace zerohop

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
