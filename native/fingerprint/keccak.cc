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

// Whether `permute` gives the same result for `width` different states as plain code gives for each.
[[maybe_unused]] bool Agrees(void (*permute)(uint64_t*), uint32_t width) {
  alignas(64) uint64_t lanes[kKeccakLanes * kKeccakWidthMax];
  KeccakState wanted[kKeccakWidthMax];
  for (uint32_t state = 0; state < width; ++state) {
    for (size_t lane = 0; lane < kKeccakLanes; ++lane) {
      wanted[state][lane] = lanes[lane * width + state] = (lane * kKeccakWidthMax + state + 1) * 0x9e3779b97f4a7c15u;
    }
    PermutePlain(wanted[state].data());
  }
  permute(lanes);
  for (uint32_t state = 0; state < width; ++state) {
    for (size_t lane = 0; lane < kKeccakLanes; ++lane) {
      if (lanes[lane * width + state] != wanted[state][lane]) return false;
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
  static constexpr ManyKeccak kAvx2{"avx2", 4, PermuteKeccakAvx2};
  static constexpr ManyKeccak kAvx512{"avx512", 8, PermuteKeccakAvx512};
  __builtin_cpu_init();
  if (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && Agrees(PermuteKeccakBmi, 1)) {
    ways.one[one++] = PermuteKeccakBmi;
  }
  if (__builtin_cpu_supports("avx2") && Agrees(kAvx2.permute, kAvx2.width)) ways.many[many++] = &kAvx2;
  if (__builtin_cpu_supports("avx512f") && Agrees(kAvx512.permute, kAvx512.width)) ways.many[many++] = &kAvx512;
#endif
#if defined(ZEROHOP_KECCAK_ARM)
  static constexpr ManyKeccak kNeon{"neon", 2, PermuteKeccakNeon};
  if (HasSha3Instructions() && Agrees(kNeon.permute, kNeon.width)) ways.many[many++] = &kNeon;
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
