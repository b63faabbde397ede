// keccak_arm.h: Keccak on arm64 processors with FEAT_SHA3, and whether this is one.
#pragma once

#include <cstddef>
#include <cstdint>

// Clang before 16 knows the instructions only in files that are compiled for such processors as a whole.
#if defined(__aarch64__) && (defined(__linux__) || defined(__APPLE__)) && \
    (!defined(__clang__) || __clang_major__ >= 16 || defined(__ARM_FEATURE_SHA3))
#define ZEROHOP_KECCAK_ARM 1

#if defined(__linux__)
#include <sys/auxv.h>
#else
#include <sys/sysctl.h>
#endif

namespace zerohop {

// As ManyKeccak::absorb: 2 states.  REQUIRES: HasSha3Instructions
void AbsorbKeccakNeon(uint64_t* lanes, const uint64_t* start, uint32_t fresh, const std::byte* const* blocks);

inline bool HasSha3Instructions() {
#if defined(__linux__)
  constexpr unsigned long kSha3 = 1ul << 17;  // HWCAP_SHA3, which older headers do not name
  return (::getauxval(AT_HWCAP) & kSha3) != 0;
#else
  int has = 0;
  size_t bytes = sizeof(has);
  return ::sysctlbyname("hw.optional.armv8_2_sha3", &has, &bytes, nullptr, 0) == 0 && has != 0;
#endif
}

}  // namespace zerohop
#endif
