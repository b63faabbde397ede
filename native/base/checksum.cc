#include "base/checksum.h"

#include <cstring>

namespace zerohop {
namespace {

// Odd constants with about half their bits set: decimals of pi, as Blowfish has them.
constexpr uint64_t kLane[4] = {0x243f6a8885a308d3u, 0x13198a2e03707345u, 0xa4093822299f31d1u, 0x082efa98ec4e6c89u};
constexpr size_t kLaneBytes = 16;
constexpr size_t kBlockBytes = kLaneBytes * 4;

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
  uint64_t lane[4] = {kLane[0], kLane[1], kLane[2], kLane[3]};
  size_t left = bytes;
  for (; left >= kBlockBytes; left -= kBlockBytes, in += kBlockBytes) {
    for (size_t i = 0; i < 4; ++i) {
      // Adding the old lane keeps a product of zero from erasing what came before.
      lane[i] += Fold(Load64(in + i * kLaneBytes) ^ lane[i], Load64(in + i * kLaneBytes + 8) ^ kLane[i]);
    }
  }
  unsigned char tail[kBlockBytes] = {};
  if (left > 0) std::memcpy(tail, in, left);
  for (size_t i = 0; i < 4; ++i) {
    lane[i] += Fold(Load64(tail + i * kLaneBytes) ^ lane[i], Load64(tail + i * kLaneBytes + 8) ^ kLane[i]);
  }
  const uint64_t all = Fold(lane[0] ^ bytes, lane[1] ^ kLane[3]) + Fold(lane[2] ^ kLane[0], lane[3] ^ kLane[1]);
  return static_cast<uint32_t>(all ^ (all >> 32));
}

}  // namespace zerohop
