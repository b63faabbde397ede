#include "base/checksum.h"

#include <cstring>

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's own header leaves a register undefined on purpose, and warns of it.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#endif

#include "base/copy.h"

namespace zerohop {
namespace {

constexpr size_t kLanes = 8;
constexpr size_t kLineBytes = kLanes * 8;

// Odd constants with about half their bits set: decimals of pi, as Blowfish has them.
alignas(64) constexpr uint64_t kStart[kLanes] = {0x243f6a8885a308d3u, 0x13198a2e03707345u, 0xa4093822299f31d1u,
                                                 0x082efa98ec4e6c89u, 0x452821e638d01377u, 0xbe5466cf34e90c6du,
                                                 0xc0ac29b7c97c50ddu, 0x3f84d5b5b5470917u};
// The keys grow by this from line to line: the fraction of the golden ratio, in 64 bits and odd.
constexpr uint64_t kStep = 0x9e3779b97f4a7c15u;

struct alignas(64) Lanes {
  uint64_t sum[kLanes];
  uint64_t key[kLanes];
};

// Adds whole lines to the lanes, and copies them unless `to` is null.  Each word is read once.
using AddLines = void (*)(Lanes& lanes, unsigned char* to, const unsigned char* from, size_t lines);

void AddLinesPlain(Lanes& lanes, unsigned char* to, const unsigned char* from, size_t lines) {
  for (size_t line = 0; line < lines; ++line, from += kLineBytes) {
    uint64_t words[kLanes];
    for (size_t i = 0; i < kLanes; ++i) {
      std::memcpy(&words[i], from + i * 8, 8);
      // Another thread may be writing there: the compiler must not read it a second time.
      asm volatile("" : "+r"(words[i]));
    }
    for (size_t i = 0; i < kLanes; ++i) {
      const uint64_t mixed = words[i] ^ lanes.key[i];
      // The neighbouring word is added as it is, because a product with zero would hide it.
      lanes.sum[i] += (mixed & 0xffffffffu) * (mixed >> 32) + words[i ^ 1];
      lanes.key[i] += kStep;
    }
    if (to == nullptr) continue;
    FetchToWrite(to);
    std::memcpy(to, words, kLineBytes);
    to += kLineBytes;
  }
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) void AddLinesAvx2(Lanes& lanes, unsigned char* to, const unsigned char* from,
                                                  size_t lines) {
  __m256i sum[2], key[2];
  for (int i = 0; i < 2; ++i) {
    sum[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(lanes.sum) + i);
    key[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(lanes.key) + i);
  }
  const __m256i step = _mm256_set1_epi64x(static_cast<long long>(kStep));
  for (size_t line = 0; line < lines; ++line, from += kLineBytes) {
    for (int i = 0; i < 2; ++i) {
      __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from) + i);
      asm volatile("" : "+x"(words));
      const __m256i mixed = _mm256_xor_si256(words, key[i]);
      const __m256i product = _mm256_mul_epu32(mixed, _mm256_srli_epi64(mixed, 32));
      sum[i] = _mm256_add_epi64(sum[i], _mm256_add_epi64(product, _mm256_shuffle_epi32(words, 0x4e)));
      key[i] = _mm256_add_epi64(key[i], step);
      if (to != nullptr) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to) + i, words);
    }
    if (to == nullptr) continue;
    FetchToWrite(to);
    to += kLineBytes;
  }
  for (int i = 0; i < 2; ++i) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(lanes.sum) + i, sum[i]);
    _mm256_store_si256(reinterpret_cast<__m256i*>(lanes.key) + i, key[i]);
  }
}

__attribute__((target("avx512f"))) void AddLinesAvx512(Lanes& lanes, unsigned char* to, const unsigned char* from,
                                                       size_t lines) {
  __m512i sum = _mm512_load_si512(lanes.sum);
  __m512i key = _mm512_load_si512(lanes.key);
  const __m512i step = _mm512_set1_epi64(static_cast<long long>(kStep));
  for (size_t line = 0; line < lines; ++line, from += kLineBytes) {
    __m512i words = _mm512_loadu_si512(from);
    asm volatile("" : "+v"(words));
    const __m512i mixed = _mm512_xor_si512(words, key);
    const __m512i product = _mm512_mul_epu32(mixed, _mm512_srli_epi64(mixed, 32));
    sum = _mm512_add_epi64(sum, _mm512_add_epi64(product, _mm512_shuffle_epi32(words, _MM_PERM_BADC)));
    key = _mm512_add_epi64(key, step);
    if (to == nullptr) continue;
    FetchToWrite(to);
    _mm512_storeu_si512(to, words);
    to += kLineBytes;
  }
  _mm512_store_si512(lanes.sum, sum);
  _mm512_store_si512(lanes.key, key);
}

#endif

AddLines Choose([[maybe_unused]] int vector_bytes) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (vector_bytes >= 64 && __builtin_cpu_supports("avx512f")) return AddLinesAvx512;
  if (vector_bytes >= 32 && __builtin_cpu_supports("avx2")) return AddLinesAvx2;
#endif
  return AddLinesPlain;
}

uint64_t Fold(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint32_t Run(AddLines add_lines, void* to, const void* from, size_t bytes) {
  auto* out = static_cast<unsigned char*>(to);
  const auto* in = static_cast<const unsigned char*>(from);
  Lanes lanes;
  std::memcpy(lanes.sum, kStart, sizeof(kStart));
  std::memcpy(lanes.key, kStart, sizeof(kStart));
  const size_t whole = bytes / kLineBytes * kLineBytes;
  add_lines(lanes, out, in, bytes / kLineBytes);
  if (const size_t left = bytes - whole; left > 0) {
    // The rest, padded with zeros; it is read into the line once.
    unsigned char line[kLineBytes] = {};
    std::memcpy(line, in + whole, left);
    add_lines(lanes, nullptr, line, 1);
    if (out != nullptr) std::memcpy(out + whole, line, left);
  }
  uint64_t all = bytes;
  for (size_t i = 0; i < kLanes; i += 2) all += Fold(lanes.sum[i] ^ all, lanes.sum[i + 1] ^ kStart[i]);
  return static_cast<uint32_t>(all ^ (all >> 32));
}

const AddLines& Best() {
  static const AddLines best = Choose(64);
  return best;
}

}  // namespace

uint32_t Checksum(const void* data, size_t bytes) { return Run(Best(), nullptr, data, bytes); }

uint32_t CopyAndChecksum(void* to, const void* from, size_t bytes) { return Run(Best(), to, from, bytes); }

uint32_t ChecksumWith(int vector_bytes, void* to, const void* from, size_t bytes) {
  return Run(Choose(vector_bytes), to, from, bytes);
}

}  // namespace zerohop
