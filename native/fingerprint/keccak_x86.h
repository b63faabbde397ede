// keccak_x86.h: Keccak on some kinds of x86-64 processors.  Each way is in a file of its own, compiled for that kind.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define ZEROHOP_KECCAK_X86 1

namespace zerohop {

void PermuteKeccakBmi(uint64_t* lanes);  // REQUIRES: bmi, bmi2
// As ManyKeccak::absorb: 4 states, REQUIRES: avx2; 8 states, REQUIRES: avx512f
void AbsorbKeccakAvx2(uint64_t* lanes, const uint64_t* start, uint32_t fresh, const std::byte* const* blocks);
void AbsorbKeccakAvx512(uint64_t* lanes, const uint64_t* start, uint32_t fresh, const std::byte* const* blocks);

}  // namespace zerohop
#endif
