// framing.h: how fields are framed before they are hashed [SP800-185, 2.3].  Each begins with its length, so that no
// two lists of fields have the same bytes.  docs/FINGERPRINT.md says which fields there are.
//
// [SP800-185] NIST, SHA-3 Derived Functions, 2016
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace zerohop {

inline constexpr size_t kLeftEncodedMax = 9;

// Writes one byte that says how many bytes the number has (one at least), and then these bytes, the highest first.
// Returns how many bytes it wrote.
inline size_t LeftEncode(uint64_t number, std::byte* out) {
  const size_t bytes = number == 0 ? 1 : (static_cast<size_t>(std::bit_width(number)) + 7) / 8;
  out[0] = static_cast<std::byte>(bytes);
  for (size_t i = 0; i < bytes; ++i) out[1 + i] = static_cast<std::byte>(number >> (8 * (bytes - 1 - i)));
  return 1 + bytes;
}

// Writes what stands before the value of a field: its kind, and its length in bits.  Returns how many bytes it wrote.
inline size_t FrameHead(std::byte kind, uint64_t bytes, std::byte* out) {
  out[0] = kind;
  return 1 + LeftEncode(bytes * 8, out + 1);
}
inline constexpr size_t kFrameHeadMax = 1 + kLeftEncodedMax;

}  // namespace zerohop
