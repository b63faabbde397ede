// keccak.h: the permutation Keccak-f[1600] behind SHA-3 [FIPS202], of one state and of several at once.
//
//   one     five rows of five lanes of 64 bits, with the processor's and-not and rotations where it has them
//   many    states side by side, lane by lane: AVX-512 takes 8 at a time, AVX2 4, NEON 2.  Their blocks are transposed
//           in registers.
//
// The fastest way is found once.  A way whose result differs from that of plain code is never used.
//
// Threads  any: pure functions.
//
// [FIPS202] NIST, SHA-3 Standard, 2015
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace zerohop {

inline constexpr size_t kKeccakLanes = 25;
using KeccakState = std::array<uint64_t, kKeccakLanes>;
inline constexpr size_t kRateLanes = 17;  // that a block of SHA3-256 goes into

inline constexpr std::array<uint64_t, 24> kRoundConstants = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b, 0x8000000000008089,
    0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

void PermuteKeccak(KeccakState& state);

// States side by side: lane i of state s at [i * width + s].
struct ManyKeccak {
  const char* name;
  uint32_t width;
  // Sets the states whose bits are in `fresh` to `start`; adds a block of kRateLanes words to each state; permutes.
  // REQUIRES: `lanes` is aligned to 64 bytes; a block for each state
  void (*absorb)(uint64_t* lanes, const uint64_t* start, uint32_t fresh, const std::byte* const* blocks);
};
inline constexpr uint32_t kKeccakWidthMax = 8;
// The widest way of this processor; null if none is faster than one state after the other.
const ManyKeccak* WidestKeccak();

// For tests: every way of this processor.
struct KeccakWays {
  std::array<void (*)(uint64_t*), 2> one;  // null after the last
  std::array<const ManyKeccak*, 2> many;
};
KeccakWays AllKeccakWays();

}  // namespace zerohop
