#include "base/checksum.h"

#include <cstring>

namespace zerohop {
namespace {

// Odd constants with about half their bits set: decimals of pi, as Blowfish has them.
constexpr uint64_t kLane[] = {0x243f6a8885a308d3u, 0x13198a2e03707345u, 0xa4093822299f31d1u, 0x082efa98ec4e6c89u,
                              0x452821e638d01377u, 0xbe5466cf34e90c6du, 0xc0ac29b7c97c50ddu, 0x3f84d5b5b5470917u};
constexpr size_t kLanes = 8;
constexpr size_t kLaneBytes = 16;
constexpr size_t kBlockBytes = kLaneBytes * kLanes;

uint64_t Load64(const unsigned char* at) {
  uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}

uint64_t Fold(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// The word at `at`, which another thread may be writing: the compiler must not read it a second time.
uint64_t LoadOnce(const unsigned char* at) {
  uint64_t word = Load64(at);
  asm volatile("" : "+r"(word));
  return word;
}

template <bool kCopy>
uint32_t Run(unsigned char* to, const unsigned char* in, size_t bytes) {
  uint64_t lane[kLanes];
  std::memcpy(lane, kLane, sizeof(lane));
  const auto mix = [&lane](unsigned char* out, const unsigned char* block) {
    for (size_t i = 0; i < kLanes; ++i) {
      const uint64_t first = kCopy ? LoadOnce(block + i * kLaneBytes) : Load64(block + i * kLaneBytes);
      const uint64_t second = kCopy ? LoadOnce(block + i * kLaneBytes + 8) : Load64(block + i * kLaneBytes + 8);
      if constexpr (kCopy) {
        std::memcpy(out + i * kLaneBytes, &first, 8);
        std::memcpy(out + i * kLaneBytes + 8, &second, 8);
      }
      // Adding the old lane keeps a product of zero from erasing what came before.
      lane[i] += Fold(first ^ lane[i], second ^ kLane[i]);
    }
  };
  size_t left = bytes;
  for (; left >= kBlockBytes; left -= kBlockBytes, in += kBlockBytes, to += kCopy ? kBlockBytes : 0) mix(to, in);
  // The rest, padded with zeros; it is copied into the block first, and once.
  unsigned char tail[kBlockBytes] = {}, copied[kBlockBytes];
  if (left > 0) std::memcpy(tail, in, left);
  mix(copied, tail);
  if (kCopy && left > 0) std::memcpy(to, copied, left);
  uint64_t all = bytes;
  for (size_t i = 0; i < kLanes; i += 2) all += Fold(lane[i] ^ all, lane[i + 1] ^ kLane[i]);
  return static_cast<uint32_t>(all ^ (all >> 32));
}

}  // namespace

uint32_t Checksum(const void* data, size_t bytes) {
  return Run<false>(nullptr, static_cast<const unsigned char*>(data), bytes);
}

uint32_t CopyAndChecksum(void* to, const void* from, size_t bytes) {
  return Run<true>(static_cast<unsigned char*>(to), static_cast<const unsigned char*>(from), bytes);
}

}  // namespace zerohop
