#include "fingerprint/keccak.h"

#include <algorithm>
#include <cstring>

#include "fingerprint/keccak_arm.h"
#include "fingerprint/keccak_x86.h"

namespace zerohop {
namespace {

#define LANE uint64_t
#define XOR(a, b) ((a) ^ (b))
#define XOR5(a, b, c, d, e) ((a) ^ (b) ^ (c) ^ (d) ^ (e))
#define CHI(a, b, c) ((a) ^ (~(b) & (c)))
#define ROTATE(a, n) (((a) << (n)) | ((a) >> (64 - (n))))
#define CONSTANT(word) (word)
#define PERMUTE PermutePlain
#include "fingerprint/keccak_rounds.inc"

uint64_t SampleWord(size_t i) { return (i + 1) * 0x9e3779b97f4a7c15u; }

// Whether a way gives the same result as plain code.
[[maybe_unused]] bool Agrees(void (*permute)(uint64_t*)) {
  KeccakState state, wanted;
  for (size_t lane = 0; lane < kKeccakLanes; ++lane) state[lane] = wanted[lane] = SampleWord(lane);
  PermutePlain(wanted.data());
  permute(state.data());
  return state == wanted;
}

// The same for different states and blocks.  Every other state begins anew.
[[maybe_unused]] bool Agrees(const ManyKeccak& way) {
  constexpr uint32_t kFresh = 0x55;
  alignas(64) uint64_t lanes[kKeccakLanes * kKeccakWidthMax];
  uint64_t words[kKeccakWidthMax][kRateLanes];
  const std::byte* blocks[kKeccakWidthMax];
  KeccakState start, wanted[kKeccakWidthMax];
  for (size_t lane = 0; lane < kKeccakLanes; ++lane) start[lane] = ~SampleWord(lane);
  for (uint32_t state = 0; state < way.width; ++state) {
    const bool fresh = (kFresh >> state & 1) != 0;
    blocks[state] = reinterpret_cast<const std::byte*>(words[state]);
    for (size_t lane = 0; lane < kKeccakLanes; ++lane) {
      const uint64_t before = SampleWord(lane * kKeccakWidthMax + state);
      const uint64_t word = before ^ (before >> 7);
      lanes[lane * way.width + state] = before;
      wanted[state][lane] = (fresh ? start[lane] : before) ^ (lane < kRateLanes ? word : 0);
      if (lane < kRateLanes) words[state][lane] = word;
    }
    PermutePlain(wanted[state].data());
  }
  way.absorb(lanes, start.data(), kFresh & ((1u << way.width) - 1), blocks);
  for (uint32_t state = 0; state < way.width; ++state) {
    for (size_t lane = 0; lane < kKeccakLanes; ++lane) {
      if (lanes[lane * way.width + state] != wanted[state][lane]) return false;
    }
  }
  return true;
}

KeccakWays FindWays() {
  KeccakWays ways{};
  size_t one = 0;
  [[maybe_unused]] size_t many = 0;
  ways.one[one++] = PermutePlain;
#if defined(ZEROHOP_KECCAK_X86)
  static constexpr ManyKeccak kAvx2{"avx2", 4, AbsorbKeccakAvx2};
  static constexpr ManyKeccak kAvx512{"avx512", 8, AbsorbKeccakAvx512};
  __builtin_cpu_init();
  if (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && Agrees(PermuteKeccakBmi)) {
    ways.one[one++] = PermuteKeccakBmi;
  }
  if (__builtin_cpu_supports("avx2") && Agrees(kAvx2)) ways.many[many++] = &kAvx2;
  if (__builtin_cpu_supports("avx512f") && Agrees(kAvx512)) ways.many[many++] = &kAvx512;
#endif
#if defined(ZEROHOP_KECCAK_ARM)
  static constexpr ManyKeccak kNeon{"neon", 2, AbsorbKeccakNeon};
  if (HasSha3Instructions() && Agrees(kNeon)) ways.many[many++] = &kNeon;
#endif
  return ways;
}

// The last of them is the best.
template <class Way, size_t kCount>
Way Best(const std::array<Way, kCount>& ways) {
  Way best = nullptr;
  for (const Way way : ways) best = way != nullptr ? way : best;
  return best;
}

}  // namespace

KeccakWays AllKeccakWays() {
  static const KeccakWays kWays = FindWays();
  return kWays;
}

void PermuteKeccak(KeccakState& state) {
  static const auto kBest = Best(AllKeccakWays().one);
  kBest(state.data());
}

const ManyKeccak* WidestKeccak() {
  static const ManyKeccak* const kBest = Best(AllKeccakWays().many);
  return kBest;
}

}  // namespace zerohop
