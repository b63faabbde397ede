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

}  // namespace

uint32_t Checksum(const void* data, size_t bytes) {
  const auto* in = static_cast<const unsigned char*>(data);
  uint64_t lane[kLanes];
  std::memcpy(lane, kLane, sizeof(lane));
  const auto mix = [&lane](const unsigned char* block) {
    for (size_t i = 0; i < kLanes; ++i) {
      // Adding the old lane keeps a product of zero from erasing what came before.
      lane[i] += Fold(Load64(block + i * kLaneBytes) ^ lane[i], Load64(block + i * kLaneBytes + 8) ^ kLane[i]);
    }
  };
  size_t left = bytes;
  for (; left >= kBlockBytes; left -= kBlockBytes, in += kBlockBytes) mix(in);
  unsigned char tail[kBlockBytes] = {};
  if (left > 0) std::memcpy(tail, in, left);
  mix(tail);
  uint64_t all = bytes;
  for (size_t i = 0; i < kLanes; i += 2) all += Fold(lane[i] ^ all, lane[i + 1] ^ kLane[i]);
  return static_cast<uint32_t>(all ^ (all >> 32));
}

}  // namespace zerohop
