// Two states at once, by the instructions that arm64 has for SHA-3 (FEAT_SHA3).  One combines three operands; others
// rotate together with an exclusive or.
#include <cstdint>
#include <cstring>

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

uint64x2_t Blend(uint32_t mask, uint64x2_t a, uint64x2_t b) {
  const uint64x2_t chosen = {0 - static_cast<uint64_t>(mask & 1), 0 - static_cast<uint64_t>(mask >> 1 & 1)};
  return vbslq_u64(chosen, b, a);
}

uint64x2_t Row(const std::byte* block, size_t at) {
  uint64x2_t words;
  std::memcpy(&words, block + at * sizeof(uint64_t), sizeof(words));
  return words;
}

void Transpose(const std::byte* const* blocks, size_t at, uint64x2_t* out) {
  const uint64x2_t a = Row(blocks[0], at), b = Row(blocks[1], at);
  out[0] = vzip1q_u64(a, b);
  out[1] = vzip2q_u64(a, b);
}

uint64x2_t Each128(const std::byte* const* blocks, size_t at) {
  uint64_t words[2];
  for (int i = 0; i < 2; ++i) std::memcpy(&words[i], blocks[i] + at * sizeof(uint64_t), sizeof(uint64_t));
  return uint64x2_t{words[0], words[1]};
}

#define LANE uint64x2_t
#define XOR(a, b) veorq_u64(a, b)
#define XOR5(a, b, c, d, e) veor3q_u64(veor3q_u64(a, b, c), d, e)
#define CHI(a, b, c) vbcaxq_u64(a, c, b)
#define ROTATE(a, n) vxarq_u64(a, vdupq_n_u64(0), 64 - (n))
#define XOR_ROTATE(a, b, n) vxarq_u64(a, b, 64 - (n))
#define XOR_ROTATED(a, b) vrax1q_u64(a, b)
#define CONSTANT(word) vdupq_n_u64(word)
#define PERMUTE PermuteTwo
#define ABSORB AbsorbTwo
#define WIDTH 2
#define BLEND Blend
#define TRANSPOSE Transpose
#define EACH Each128
#include "fingerprint/keccak_rounds.inc"

}  // namespace

void AbsorbKeccakNeon(uint64_t* lanes, const uint64_t* start, uint32_t fresh, const std::byte* const* blocks) {
  AbsorbTwo(lanes, start, fresh, blocks);
}

}  // namespace zerohop

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
