#include "weights/ggml_blocks.h"

#include <cstring>

#include "weights/narrow_floats.h"

namespace zerohop {
namespace {

float HalfIn(const uint8_t (&bytes)[2]) { return HalfToFloat(BitsAt(bytes)); }

// The elements of a small block before they are scaled.  They are unpacked first and scaled then, because compilers
// make vectors of loops that do one thing.
struct Quants {
  int8_t of[kSmallBlock];
};

Quants FourBitQuants(const uint8_t (&bytes)[16], int offset) {
  Quants quants;
  for (size_t i = 0; i < 16; ++i) {
    quants.of[i] = static_cast<int8_t>((bytes[i] & 15) - offset);
    quants.of[i + 16] = static_cast<int8_t>((bytes[i] >> 4) - offset);
  }
  return quants;
}

Quants FiveBitQuants(const uint8_t (&bytes)[16], const uint8_t (&high)[4], int offset) {
  Quants quants = FourBitQuants(bytes, 0);
  for (size_t i = 0; i < kSmallBlock; ++i) {
    const int fifth = high[i / 8] >> (i % 8) & 1;
    quants.of[i] = static_cast<int8_t>((quants.of[i] | fifth << 4) - offset);
  }
  return quants;
}

void Scale(const int8_t (&quants)[kSmallBlock], float scale, float* to) {
  for (size_t i = 0; i < kSmallBlock; ++i) to[i] = static_cast<float>(quants[i]) * scale;
}

void ScaleAndAdd(const int8_t (&quants)[kSmallBlock], float scale, float minimum, float* to) {
  for (size_t i = 0; i < kSmallBlock; ++i) to[i] = static_cast<float>(quants[i]) * scale + minimum;
}

template <class Block, size_t kElements, class Convert>
void Each(const std::byte* blocks, size_t count, float* out, Convert convert) {
  for (size_t i = 0; i < count; ++i) {
    Block block;
    std::memcpy(&block, blocks + i * sizeof(Block), sizeof(Block));
    convert(block, out + i * kElements);
  }
}

}  // namespace

void FromQ4_0(const std::byte* blocks, size_t count, float* out) {
  Each<BlockQ4_0, kSmallBlock>(blocks, count, out, [](const BlockQ4_0& block, float* to) {
    Scale(FourBitQuants(block.quants, 8).of, HalfIn(block.scale), to);
  });
}

void FromQ4_1(const std::byte* blocks, size_t count, float* out) {
  Each<BlockQ4_1, kSmallBlock>(blocks, count, out, [](const BlockQ4_1& block, float* to) {
    ScaleAndAdd(FourBitQuants(block.quants, 0).of, HalfIn(block.scale), HalfIn(block.minimum), to);
  });
}

void FromQ5_0(const std::byte* blocks, size_t count, float* out) {
  Each<BlockQ5_0, kSmallBlock>(blocks, count, out, [](const BlockQ5_0& block, float* to) {
    Scale(FiveBitQuants(block.quants, block.high, 16).of, HalfIn(block.scale), to);
  });
}

void FromQ5_1(const std::byte* blocks, size_t count, float* out) {
  Each<BlockQ5_1, kSmallBlock>(blocks, count, out, [](const BlockQ5_1& block, float* to) {
    const Quants quants = FiveBitQuants(block.quants, block.high, 0);
    ScaleAndAdd(quants.of, HalfIn(block.scale), HalfIn(block.minimum), to);
  });
}

void FromQ8_0(const std::byte* blocks, size_t count, float* out) {
  Each<BlockQ8_0, kSmallBlock>(blocks, count, out,
                               [](const BlockQ8_0& block, float* to) { Scale(block.quants, HalfIn(block.scale), to); });
}

void FromQ2K(const std::byte* blocks, size_t count, float* out) {
  Each<BlockQ2K, kSuperBlock>(blocks, count, out, [](const BlockQ2K& block, float* to) {
    const float scale = HalfIn(block.scale), minimum = HalfIn(block.minimum);
    for (size_t group = 0; group < 16; ++group, to += 16) {
      const float group_scale = scale * static_cast<float>(block.scales[group] & 15);
      const float group_minimum = minimum * static_cast<float>(block.scales[group] >> 4);
      const uint8_t* const quants = block.quants + group / 8 * 32 + group % 2 * 16;
      const size_t shift = group / 2 % 4 * 2;
      for (size_t i = 0; i < 16; ++i) {
        to[i] = group_scale * static_cast<float>(quants[i] >> shift & 3) - group_minimum;
      }
    }
  });
}

void FromQ3K(const std::byte* blocks, size_t count, float* out) {
  Each<BlockQ3K, kSuperBlock>(blocks, count, out, [](const BlockQ3K& block, float* to) {
    const float scale = HalfIn(block.scale);
    for (size_t group = 0; group < 16; ++group, to += 16) {
      const float group_scale = scale * static_cast<float>(Q3Scale(block.scales, group));
      const uint8_t* const quants = block.quants + group / 8 * 32 + group % 2 * 16;
      const uint8_t* const high = block.high + group % 2 * 16;
      const size_t shift = group / 2 % 4 * 2, high_shift = group / 2;
      for (size_t i = 0; i < 16; ++i) {
        const int quant = (quants[i] >> shift & 3) | (high[i] >> high_shift & 1) << 2;
        to[i] = group_scale * static_cast<float>(quant - 4);
      }
    }
  });
}

void FromQ4K(const std::byte* blocks, size_t count, float* out) {
  Each<BlockQ4K, kSuperBlock>(blocks, count, out, [](const BlockQ4K& block, float* to) {
    const float scale = HalfIn(block.scale), minimum = HalfIn(block.minimum);
    for (size_t group = 0; group < 8; ++group, to += 32) {
      const Q4Scales scales = Q4Group(block.scales, group);
      const float group_scale = scale * static_cast<float>(scales.scale);
      const float group_minimum = minimum * static_cast<float>(scales.minimum);
      const uint8_t* const quants = block.quants + group / 2 * 32;
      const size_t shift = group % 2 * 4;
      for (size_t i = 0; i < 32; ++i) {
        to[i] = group_scale * static_cast<float>(quants[i] >> shift & 15) - group_minimum;
      }
    }
  });
}

void FromQ5K(const std::byte* blocks, size_t count, float* out) {
  Each<BlockQ5K, kSuperBlock>(blocks, count, out, [](const BlockQ5K& block, float* to) {
    const float scale = HalfIn(block.scale), minimum = HalfIn(block.minimum);
    for (size_t group = 0; group < 8; ++group, to += 32) {
      const Q4Scales scales = Q4Group(block.scales, group);
      const float group_scale = scale * static_cast<float>(scales.scale);
      const float group_minimum = minimum * static_cast<float>(scales.minimum);
      const uint8_t* const quants = block.quants + group / 2 * 32;
      const size_t shift = group % 2 * 4;
      for (size_t i = 0; i < 32; ++i) {
        const int quant = (quants[i] >> shift & 15) | (block.high[i] >> group & 1) << 4;
        to[i] = group_scale * static_cast<float>(quant) - group_minimum;
      }
    }
  });
}

void FromQ6K(const std::byte* blocks, size_t count, float* out) {
  Each<BlockQ6K, kSuperBlock>(blocks, count, out, [](const BlockQ6K& block, float* to) {
    const float scale = HalfIn(block.scale);
    for (size_t group = 0; group < 16; ++group, to += 16) {
      const float group_scale = scale * static_cast<float>(block.scales[group]);
      const size_t half = group / 8, quarter = group / 2 % 4, first = group % 2 * 16;
      const uint8_t* const low = block.low + half * 64 + quarter % 2 * 32 + first;
      const uint8_t* const high = block.high + half * 32 + first;
      const size_t low_shift = quarter / 2 * 4, high_shift = quarter * 2;
      for (size_t i = 0; i < 16; ++i) {
        const int quant = (low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4;
        to[i] = group_scale * static_cast<float>(quant - 32);
      }
    }
  });
}

}  // namespace zerohop
