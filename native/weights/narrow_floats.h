// narrow_floats.h: floats of 16 and 8 bits as float32.  float32 has every one of their values, so the result is exact.
//
//         bits: sign exponent mantissa   bias   all exponent bits set
//   F16         1    5        10         15     infinity, NaN
//   BF16        1    8        7          127    infinity, NaN: the upper half of a float32
//   F8_E5M2     1    5        2          15     infinity, NaN: the upper half of an F16
//   F8_E4M3     1    4        3          7      finite, but for mantissa 7, which is NaN ("FN")
//   ...FNUZ     as the two before, bias 16 and 8; all finite; negative zero is the one NaN
//   F8_E8M0     -    8        -          127    a scale: a power of two; 255 is NaN
//
// NaNs keep their sign and payload; those of F16 and F8_E5M2 become quiet, as the F16C instructions have it.
//
// Sources  IEEE 754-2019; OCP 8-bit Floating Point Specification 1.0; Noune et al., arXiv 2206.02915 (FNUZ);
//          OCP Microscaling Formats 1.0 (E8M0)
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace zerohop {

// The 16 bits at an address, which need not be aligned.
inline uint16_t BitsAt(const void* at) {
  uint16_t bits;
  std::memcpy(&bits, at, sizeof(bits));
  return bits;
}

// There are no denormal operands, because some processors are slow with them.  Masks choose the result, because GCC
// makes branches of conditions, and vectors of this.
constexpr float HalfToFloat(uint16_t half) {
#if defined(__aarch64__)
  if (!std::is_constant_evaluated()) return static_cast<float>(std::bit_cast<__fp16>(half));  // one instruction
#endif
  constexpr auto kAllIf = [](bool condition) { return condition ? ~0u : 0u; };
  const uint32_t magnitude = half & 0x7fffu;
  const uint32_t normal = (magnitude << 13) + ((127u - 15u) << 23);
  const uint32_t subnormal = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f);
  const uint32_t is_normal = kAllIf(magnitude >= 0x0400);
  const uint32_t infinite = kAllIf(magnitude >= 0x7c00) & 0x7f800000u, quiet = kAllIf(magnitude > 0x7c00) & 0x00400000u;
  return std::bit_cast<float>((half & 0x8000u) << 16 | (normal & is_normal) | (subnormal & ~is_normal) | infinite |
                              quiet);
}

constexpr float BfloatToFloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// All 256 floats of a type of 8 bits.
using Float8Table = std::array<float, 256>;

namespace narrow {

constexpr float PowerOfTwo(int exponent) {  // REQUIRES: -126 <= exponent <= 127
  return std::bit_cast<float>(static_cast<uint32_t>(exponent + 127) << 23);
}

inline constexpr float kNaN = std::bit_cast<float>(0x7fc00000u);

// The value of a pattern that is not special.  All types with a sign share this.
constexpr float Finite(uint32_t bits, int mantissa_bits, int bias) {
  const int exponent = static_cast<int>((bits & 0x7fu) >> mantissa_bits);
  const uint32_t fraction = bits & ((1u << mantissa_bits) - 1);
  const uint32_t significand = exponent == 0 ? fraction : fraction | 1u << mantissa_bits;
  const float scale = PowerOfTwo((exponent == 0 ? 1 : exponent) - bias - mantissa_bits);
  const float value = static_cast<float>(significand) * scale;
  return (bits & 0x80u) != 0 ? -value : value;
}

constexpr float FiniteOrNaN(uint32_t bits, int mantissa_bits, int bias) {
  return bits == 0x80 ? kNaN : Finite(bits, mantissa_bits, bias);
}

constexpr float E4m3(uint32_t bits) {
  if ((bits & 0x7fu) == 0x7f) return (bits & 0x80u) != 0 ? -kNaN : kNaN;
  return Finite(bits, 3, 7);
}

constexpr float E8m0(uint32_t bits) {
  if (bits == 0xff) return kNaN;
  return bits == 0 ? 0x1p-127f : PowerOfTwo(static_cast<int>(bits) - 127);
}

template <class Decode>
constexpr Float8Table Table(Decode decode) {
  Float8Table table{};
  for (uint32_t bits = 0; bits < table.size(); ++bits) table[bits] = decode(bits);
  return table;
}

}  // namespace narrow

inline constexpr Float8Table kE4m3 = narrow::Table(narrow::E4m3);
inline constexpr Float8Table kE5m2 =
    narrow::Table([](uint32_t bits) { return HalfToFloat(static_cast<uint16_t>(bits << 8)); });
inline constexpr Float8Table kE4m3Fnuz = narrow::Table([](uint32_t bits) { return narrow::FiniteOrNaN(bits, 3, 8); });
inline constexpr Float8Table kE5m2Fnuz = narrow::Table([](uint32_t bits) { return narrow::FiniteOrNaN(bits, 2, 16); });
inline constexpr Float8Table kE8m0 = narrow::Table(narrow::E8m0);

}  // namespace zerohop
