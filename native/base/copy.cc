#include "base/copy.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace zerohop {
namespace {

template <bool kFetchTarget>
void CopyPlain(std::byte* to, const std::byte* from, size_t bytes, const std::byte* next) {
  size_t at = 0;
  for (; at + kCacheLineBytes <= bytes; at += kCacheLineBytes) {
    __builtin_prefetch(next + at);
    if (kFetchTarget) FetchToWrite(to + at);
    std::memcpy(to + at, from + at, kCacheLineBytes);
  }
  if (at < bytes) std::memcpy(to + at, from + at, bytes - at);
}

#if defined(__x86_64__)
// Half as many loads and stores.  Vectors of a whole line are no quicker (D91 in docs/DECISIONS.md).
template <bool kFetchTarget>
__attribute__((target("avx2"))) void CopyAvx2(std::byte* to, const std::byte* from, size_t bytes,
                                              const std::byte* next) {
  size_t at = 0;
  for (; at + kCacheLineBytes <= bytes; at += kCacheLineBytes) {
    __builtin_prefetch(next + at);
    if (kFetchTarget) FetchToWrite(to + at);
    const auto* const in = reinterpret_cast<const __m256i*>(from + at);
    auto* const out = reinterpret_cast<__m256i*>(to + at);
    const __m256i first = _mm256_loadu_si256(in), second = _mm256_loadu_si256(in + 1);
    _mm256_storeu_si256(out, first);
    _mm256_storeu_si256(out + 1, second);
  }
  if (at < bytes) std::memcpy(to + at, from + at, bytes - at);
}
#endif

// The last of them is the best.
template <bool kFetchTarget>
std::array<Copy, 2> FindWays() {
  std::array<Copy, 2> ways = {CopyPlain<kFetchTarget>, nullptr};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) ways[1] = CopyAvx2<kFetchTarget>;
#endif
  return ways;
}

template <bool kFetchTarget>
Copy Choose() {
  const auto [plain, avx2] = FindWays<kFetchTarget>();
  return avx2 != nullptr ? avx2 : plain;
}

const Copy copy_fetching = Choose<false>();
const Copy copy_fetching_both = Choose<true>();

}  // namespace

CopyWays AllCopyWays() { return {FindWays<false>(), FindWays<true>()}; }

void CopyFetching(std::byte* to, const std::byte* from, size_t bytes, const std::byte* next) {
  copy_fetching(to, from, bytes, next);
}

void CopyFetchingBoth(std::byte* to, const std::byte* from, size_t bytes, const std::byte* next) {
  copy_fetching_both(to, from, bytes, next);
}

}  // namespace zerohop
