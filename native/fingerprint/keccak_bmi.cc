// One state, with and-not, and with rotations that do not overwrite their operand.
#include <cstdint>

#include "fingerprint/keccak.h"
#include "fingerprint/keccak_x86.h"

#if defined(ZEROHOP_KECCAK_X86)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("bmi,bmi2")
#endif

namespace zerohop {

#define LANE uint64_t
#define XOR(a, b) ((a) ^ (b))
#define XOR5(a, b, c, d, e) ((a) ^ (b) ^ (c) ^ (d) ^ (e))
#define CHI(a, b, c) ((a) ^ (~(b) & (c)))
#define ROTATE(a, n) (((a) << (n)) | ((a) >> (64 - (n))))
#define CONSTANT(word) (word)
#define PERMUTE PermuteKeccakBmi
#include "fingerprint/keccak_rounds.inc"

}  // namespace zerohop

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
