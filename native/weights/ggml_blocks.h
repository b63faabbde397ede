// ggml_blocks.h: the quantised blocks of ggml: how they lie in memory, and what they are in float32.
//
// A small block has 32 elements and a scale; the _1 types also have a minimum.  A block of the K types has 256 elements
// in groups.  A group has a scale of its own: a small integer, times the scale of the block.
//
//   element = scale * group's scale * quant            Q4_0 Q5_0 Q8_0 Q3_K Q6_K   (quant with its offset taken off)
//   element = scale * ... * quant + minimum            Q4_1 Q5_1
//   element = scale * ... * quant - minimum * ...      Q2_K Q4_K Q5_K
//
// Exactly  as ggml's own scalar conversion, bit for bit, except for which NaN it is where there is one.  The scales
// have
//          11 significant bits, the group's at most 7, a quant at most 7: 23 together at most, so every product is
//          exact in float32, and only the one sum or difference rounds.  Whether it is fused, or done in vectors, makes
//          no difference.
//
// All members are bytes, so a block may begin anywhere.  Source: ggml (ggml-common.h, ggml-quants.c).
#pragma once

#include <cstddef>
#include <cstdint>

namespace zerohop {

inline constexpr size_t kSmallBlock = 32;   // elements
inline constexpr size_t kSuperBlock = 256;  // elements

// A byte of `quants` has element i in its lower half, and element i + 16 in its upper one.
struct BlockQ4_0 {
  uint8_t scale[2];  // F16
  uint8_t quants[16];
};
struct BlockQ4_1 {
  uint8_t scale[2], minimum[2];  // F16
  uint8_t quants[16];
};
struct BlockQ5_0 {
  uint8_t scale[2];  // F16
  uint8_t high[4];   // the fifth bit of element i is bit i, little-endian
  uint8_t quants[16];
};
struct BlockQ5_1 {
  uint8_t scale[2], minimum[2];  // F16
  uint8_t high[4];
  uint8_t quants[16];
};
struct BlockQ8_0 {
  uint8_t scale[2];  // F16
  int8_t quants[32];
};

// Two halves of 128 elements, 32 bytes of `quants` each: bits 2j and 2j+1 of byte i are element 32 j + i.
struct BlockQ2K {
  uint8_t scales[16];  // of groups of 16: the scale below, the minimum above
  uint8_t quants[64];
  uint8_t scale[2], minimum[2];  // F16
};
struct BlockQ3K {
  uint8_t high[32];    // bit 4 h + j of byte i is the third bit of element 128 h + 32 j + i
  uint8_t quants[64];  // as in Q2_K
  uint8_t scales[12];  // of groups of 16, 6 bits each: lower four, then upper two (Q3Scale)
  uint8_t scale[2];    // F16
};
// Four parts of 64 elements, 32 bytes of `quants` each: element i in the lower half of byte i, i + 32 in the upper.
struct BlockQ4K {
  uint8_t scale[2], minimum[2];  // F16
  uint8_t scales[12];            // of groups of 32, scale and minimum of 6 bits each (Q4Group)
  uint8_t quants[128];
};
struct BlockQ5K {
  uint8_t scale[2], minimum[2];  // F16
  uint8_t scales[12];
  uint8_t high[32];  // bit g of byte i is the fifth bit of element 32 g + i
  uint8_t quants[128];
};
// Two halves of 128 elements, 64 bytes of `low` and 32 of `high` each.
struct BlockQ6K {
  uint8_t low[128];   // elements i, 32 + i in the lower halves of bytes i, 32 + i; 64 + i, 96 + i in the upper
  uint8_t high[64];   // bits 2j and 2j+1 of byte i: the upper two of element 32 j + i
  int8_t scales[16];  // of groups of 16
  uint8_t scale[2];   // F16
};

static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34);
static_assert(sizeof(BlockQ2K) == 84 && sizeof(BlockQ3K) == 110 && sizeof(BlockQ4K) == 144);
static_assert(sizeof(BlockQ5K) == 176 && sizeof(BlockQ6K) == 210);

// Scale and minimum of a group of Q4_K or Q5_K.
struct Q4Scales {
  int scale, minimum;  // of 6 bits
};

// For group 0..7.  The first four groups have their six bits in bytes of their own.  The others have their lower four
// bits in the last four bytes, and their upper two above the bits of the first four groups.
inline Q4Scales Q4Group(const uint8_t (&scales)[12], size_t group) {
  if (group < 4) return {scales[group] & 63, scales[group + 4] & 63};
  return {(scales[group + 4] & 15) | (scales[group - 4] >> 6) << 4, (scales[group + 4] >> 4) | (scales[group] >> 6)
                                                                                                   << 4};
}

// The scale of group 0..15 of Q3_K, from -32 to 31.
inline int Q3Scale(const uint8_t (&scales)[12], size_t group) {
  const int lower = scales[group % 8] >> (group / 8 * 4) & 15;
  const int upper = scales[8 + group % 4] >> (group / 4 * 2) & 3;
  return (lower | upper << 4) - 32;
}

// These convert `count` whole blocks to as many floats as the blocks have elements.
void FromQ4_0(const std::byte* blocks, size_t count, float* out);
void FromQ4_1(const std::byte* blocks, size_t count, float* out);
void FromQ5_0(const std::byte* blocks, size_t count, float* out);
void FromQ5_1(const std::byte* blocks, size_t count, float* out);
void FromQ8_0(const std::byte* blocks, size_t count, float* out);
void FromQ2K(const std::byte* blocks, size_t count, float* out);
void FromQ3K(const std::byte* blocks, size_t count, float* out);
void FromQ4K(const std::byte* blocks, size_t count, float* out);
void FromQ5K(const std::byte* blocks, size_t count, float* out);
void FromQ6K(const std::byte* blocks, size_t count, float* out);

}  // namespace zerohop
