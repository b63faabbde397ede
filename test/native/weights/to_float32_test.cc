// Every type against a formula in double: elements of 8 and 16 bits by all their patterns, blocks by random ones.
#include "weights/to_float32.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

using ByteVector = std::vector<std::byte>;

ByteVector SomeBytes(check::Random& random, size_t count) {
  ByteVector bytes(count);
  for (std::byte& each : bytes) each = static_cast<std::byte>(random.Next());
  return bytes;
}

template <class T>
ByteVector BytesOf(const std::vector<T>& numbers) {
  ByteVector bytes(numbers.size() * sizeof(T));
  if (!numbers.empty()) std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return bytes;
}

bool SameBits(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b); }
bool SameValue(float a, float b) { return SameBits(a, b) || (std::isnan(a) && std::isnan(b)); }

std::vector<float> Floats(const DType& dtype, const ByteVector& bytes) {
  std::vector<float> floats(Float32Count(dtype, bytes.size()).value_or(0));
  CHECK(ToFloat32(dtype, bytes, floats));
  return floats;
}

// A float of few bits [IEEE 754, 3.4]: what a pattern is worth where none is special.
double Worth(unsigned bits, int exponent_bits, int mantissa_bits, int bias) {
  const int exponent = static_cast<int>(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = static_cast<int>(bits) & ((1 << mantissa_bits) - 1);
  const double sign = (bits >> (exponent_bits + mantissa_bits) & 1) != 0 ? -1.0 : 1.0;
  const double fraction = std::ldexp(mantissa, -mantissa_bits);
  return sign * (exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias));
}

double Ieee(unsigned bits, int exponent_bits, int mantissa_bits) {
  const unsigned magnitude = bits & ((1u << (exponent_bits + mantissa_bits)) - 1);
  const unsigned infinity = ((1u << exponent_bits) - 1) << mantissa_bits;
  if (magnitude > infinity) return kNotANumber;
  if (magnitude == infinity) return magnitude == bits ? kInfinity : -kInfinity;
  return Worth(bits, exponent_bits, mantissa_bits, (1 << (exponent_bits - 1)) - 1);
}

double Half(unsigned bits) { return Ieee(bits, 5, 10); }
double HalfAt(const uint8_t* at) { return Half(at[0] | at[1] << 8); }

struct SmallFloat {
  DType dtype;
  double (*worth)(unsigned bits);
};

constexpr SmallFloat kSmallFloats[] = {
    {{"F16", 1, 16}, Half},
    {{"BF16", 1, 16}, [](unsigned bits) { return Ieee(bits, 8, 7); }},
    {{"F8_E5M2", 1, 8}, [](unsigned bits) { return Ieee(bits, 5, 2); }},
    {{"F8_E4M3", 1, 8}, [](unsigned bits) { return (bits & 0x7f) == 0x7f ? kNotANumber : Worth(bits, 4, 3, 7); }},
    {{"F8_E5M2FNUZ", 1, 8}, [](unsigned bits) { return bits == 0x80 ? kNotANumber : Worth(bits, 5, 2, 16); }},
    {{"F8_E4M3FNUZ", 1, 8}, [](unsigned bits) { return bits == 0x80 ? kNotANumber : Worth(bits, 4, 3, 8); }},
    {{"F8_E8M0", 1, 8},
     [](unsigned bits) { return bits == 0xff ? kNotANumber : std::ldexp(1.0, static_cast<int>(bits) - 127); }},
};

// Element i of a block, from the description of the format [ggml-common.h] and not from our structs.
struct Quantised {
  DType dtype;
  double (*element)(const uint8_t* block, int i);
};

int Nibble(const uint8_t* quants, int i) { return i < 16 ? quants[i] & 0x0f : quants[i - 16] / 16; }
int Bit(const uint8_t* bytes, int i) { return bytes[i / 8] >> (i % 8) & 1; }

double Q2KElement(const uint8_t* block, int i) {
  const int quant = block[16 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
  const int scales = block[i / 16];
  return HalfAt(block + 80) * (scales % 16) * quant - HalfAt(block + 82) * (scales / 16);
}

double Q3KElement(const uint8_t* block, int i) {
  const uint8_t *high = block, *quants = block + 32, *scales = block + 96;
  // Unpacked as sixteen bytes in four words, in the way of the reference.
  uint32_t words[4], packed[3];
  std::memcpy(packed, scales, 12);
  for (int word = 0; word < 4; ++word) {
    const uint32_t lower = packed[word % 2] >> (word / 2 * 4) & 0x0f0f0f0fu;
    const uint32_t upper = packed[2] >> (word * 2) & 0x03030303u;
    words[word] = lower | upper << 4;
  }
  uint8_t unpacked[16];
  std::memcpy(unpacked, words, 16);
  const int two_bits = quants[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
  const bool has_third = (high[i % 32] & (1 << (i / 32))) != 0;
  return HalfAt(block + 108) * (unpacked[i / 16] - 32) * (has_third ? two_bits : two_bits - 4);
}

// Of Q4_K and Q5_K: scale and minimum of group 0..7.
void SixBits(const uint8_t* scales, int group, int& scale, int& minimum) {
  if (group < 4) {
    scale = scales[group] & 63;
    minimum = scales[group + 4] & 63;
  } else {
    scale = (scales[group + 4] & 15) + 16 * (scales[group - 4] >> 6);
    minimum = (scales[group + 4] >> 4) + 16 * (scales[group] >> 6);
  }
}

double Q4KElement(const uint8_t* block, int i) {
  int scale = 0, minimum = 0;
  SixBits(block + 4, i / 32, scale, minimum);
  const int byte = block[16 + i / 64 * 32 + i % 32];
  return HalfAt(block) * scale * (i % 64 < 32 ? byte % 16 : byte / 16) - HalfAt(block + 2) * minimum;
}

double Q5KElement(const uint8_t* block, int i) {
  int scale = 0, minimum = 0;
  SixBits(block + 4, i / 32, scale, minimum);
  const int byte = block[48 + i / 64 * 32 + i % 32];
  const int fifth = (block[16 + i % 32] & (1 << (i / 32))) != 0 ? 16 : 0;
  return HalfAt(block) * scale * ((i % 64 < 32 ? byte % 16 : byte / 16) + fifth) - HalfAt(block + 2) * minimum;
}

double Q6KElement(const uint8_t* block, int i) {
  const int half = i / 128, within = i % 128;
  const int byte = block[half * 64 + within % 64];
  const int low = within < 64 ? byte % 16 : byte / 16;
  const int high = block[128 + half * 32 + within % 32] >> (within / 32 * 2) & 3;
  const auto scale = static_cast<int8_t>(block[192 + i / 16]);
  return HalfAt(block + 208) * scale * (low + 16 * high - 32);
}

constexpr Quantised kQuantised[] = {
    {{"Q4_0", 32, 144}, [](const uint8_t* b, int i) { return HalfAt(b) * (Nibble(b + 2, i) - 8); }},
    {{"Q4_1", 32, 160}, [](const uint8_t* b, int i) { return HalfAt(b) * Nibble(b + 4, i) + HalfAt(b + 2); }},
    {{"Q5_0", 32, 176},
     [](const uint8_t* b, int i) { return HalfAt(b) * (Nibble(b + 6, i) + 16 * Bit(b + 2, i) - 16); }},
    {{"Q5_1", 32, 192},
     [](const uint8_t* b, int i) { return HalfAt(b) * (Nibble(b + 8, i) + 16 * Bit(b + 4, i)) + HalfAt(b + 2); }},
    {{"Q8_0", 32, 272}, [](const uint8_t* b, int i) { return HalfAt(b) * static_cast<int8_t>(b[2 + i]); }},
    {{"Q2_K", 256, 672}, Q2KElement},
    {{"Q3_K", 256, 880}, Q3KElement},
    {{"Q4_K", 256, 1152}, Q4KElement},
    {{"Q5_K", 256, 1408}, Q5KElement},
    {{"Q6_K", 256, 1680}, Q6KElement},
};

std::vector<DType> AllTypes() {
  std::vector<DType> types = {{"F32", 1, 32}, {"F64", 1, 64}, {"I8", 1, 8},   {"U8", 1, 8},
                              {"I16", 1, 16}, {"U16", 1, 16}, {"I32", 1, 32}, {"U32", 1, 32},
                              {"I64", 1, 64}, {"U64", 1, 64}, {"BOOL", 1, 8}};
  for (const SmallFloat& type : kSmallFloats) types.push_back(type.dtype);
  for (const Quantised& type : kQuantised) types.push_back(type.dtype);
  return types;
}

}  // namespace

TEST(ToFloat32, GivesEveryFloatOfEightAndSixteenBitsExactly) {
  for (const SmallFloat& type : kSmallFloats) {
    const size_t bytes_each = type.dtype.block_bits / 8;
    std::vector<uint16_t> patterns(size_t{1} << type.dtype.block_bits);
    for (size_t i = 0; i < patterns.size(); ++i) patterns[i] = static_cast<uint16_t>(i);
    ByteVector bytes = BytesOf(patterns);
    if (bytes_each == 1) {
      for (size_t i = 0; i < patterns.size(); ++i) bytes[i] = static_cast<std::byte>(i);
      bytes.resize(patterns.size());
    }
    const std::vector<float> floats = Floats(type.dtype, bytes);
    REQUIRE(floats.size() == patterns.size());
    for (size_t i = 0; i < floats.size(); ++i) {
      const double wanted = type.worth(static_cast<unsigned>(i));
      // As bits, for the sign of zero; the widening is exact.
      if (!SameValue(floats[i], static_cast<float>(wanted))) {
        check::Fail(__FILE__, __LINE__, std::string(type.dtype.name) + " pattern " + std::to_string(i));
      }
    }
  }
}

TEST(ToFloat32, KeepsSignAndPayloadOfNaNsOfSixteenBits) {
  for (unsigned bits = 0; bits <= 0xffff; ++bits) {
    const ByteVector bytes = BytesOf(std::vector<uint16_t>{static_cast<uint16_t>(bits)});
    const auto sign = static_cast<uint32_t>(bits & 0x8000) << 16;
    if ((bits & 0x7fff) > 0x7c00) {
      const uint32_t wanted = sign | 0x7fc00000u | (bits & 0x3ff) << 13;
      CHECK_EQ(std::bit_cast<uint32_t>(Floats({"F16", 1, 16}, bytes)[0]), wanted);
    }
    if ((bits & 0x7fff) > 0x7f80) CHECK_EQ(std::bit_cast<uint32_t>(Floats({"BF16", 1, 16}, bytes)[0]), bits << 16);
  }
}

TEST(ToFloat32, GivesWhatTheFormulaOfEachQuantisedTypeGivesInDouble) {
  check::Random random(check::Seed());
  for (const Quantised& type : kQuantised) {
    const size_t block_bytes = type.dtype.block_bits / 8, elements = type.dtype.block_elements;
    const size_t blocks = 40 * 256 / elements;
    const ByteVector bytes = SomeBytes(random, blocks * block_bytes);  // one scale in 32 is infinite or no number
    const std::vector<float> floats = Floats(type.dtype, bytes);
    REQUIRE(floats.size() == blocks * elements);
    for (size_t i = 0; i < floats.size(); ++i) {
      const auto* const block = reinterpret_cast<const uint8_t*>(bytes.data()) + i / elements * block_bytes;
      // All of it is exact in double, so that one rounding to float32 is left, as in the reference.
      const auto wanted = static_cast<float>(type.element(block, static_cast<int>(i % elements)));
      if (floats[i] != wanted && !(std::isnan(floats[i]) && std::isnan(wanted))) {
        check::Fail(__FILE__, __LINE__,
                    std::string(type.dtype.name) + " element " + std::to_string(i) + " is " +
                        std::to_string(floats[i]) + ", not " + std::to_string(wanted));
      }
    }
  }
}

TEST(ToFloat32, RoundsWideNumbersToTheNearest) {
  const std::vector<double> doubles = {0.1, -1e-300, 1e300, -kInfinity, 16777217.0, 16777219.0, 0x1p-149, 0x1.8p-150};
  const std::vector<float> wanted = {0.1f, -0.0f, INFINITY, -INFINITY, 16777216.0f, 16777220.0f, 0x1p-149f, 0x1p-149f};
  const std::vector<float> floats = Floats({"F64", 1, 64}, BytesOf(doubles));
  for (size_t i = 0; i < wanted.size(); ++i) CHECK(SameBits(floats[i], wanted[i]));
  CHECK(std::isnan(Floats({"F64", 1, 64}, BytesOf<double>({kNotANumber}))[0]));
  CHECK((Floats({"I64", 1, 64}, BytesOf<int64_t>({INT64_MIN, -1, 16777217})) ==
         std::vector<float>{-0x1p63f, -1.0f, 16777216.0f}));
  CHECK((Floats({"U64", 1, 64}, BytesOf<uint64_t>({UINT64_MAX, 3})) == std::vector<float>{0x1p64f, 3.0f}));
  CHECK((Floats({"I32", 1, 32}, BytesOf<int32_t>({INT32_MIN, 16777219})) == std::vector<float>{-0x1p31f, 16777220.0f}));
  CHECK((Floats({"U32", 1, 32}, BytesOf<uint32_t>({UINT32_MAX, 7})) == std::vector<float>{0x1p32f, 7.0f}));
}

TEST(ToFloat32, GivesEveryWholeNumberOfEightAndSixteenBits) {
  for (int number = -32768; number <= 65535; ++number) {
    const auto wanted = static_cast<float>(number);
    if (number < 32768) CHECK_EQ(Floats({"I16", 1, 16}, BytesOf<int16_t>({static_cast<int16_t>(number)}))[0], wanted);
    if (number >= 0) CHECK_EQ(Floats({"U16", 1, 16}, BytesOf<uint16_t>({static_cast<uint16_t>(number)}))[0], wanted);
    if (number >= -128 && number < 128) {
      CHECK_EQ(Floats({"I8", 1, 8}, BytesOf<int8_t>({static_cast<int8_t>(number)}))[0], wanted);
    }
    if (number >= 0 && number < 256) {
      const ByteVector byte = {static_cast<std::byte>(number)};
      CHECK_EQ(Floats({"U8", 1, 8}, byte)[0], wanted);
      CHECK_EQ(Floats({"BOOL", 1, 8}, byte)[0], number == 0 ? 0.0f : 1.0f);
    }
  }
}

TEST(ToFloat32, KeepsFloatsAsTheyAre) {
  const std::vector<uint32_t> bits = {0x7fa00001u, 0xffc12345u, 0x80000000u, 1u, 0x3f800000u};
  const std::vector<float> floats = Floats({"F32", 1, 32}, BytesOf(bits));
  for (size_t i = 0; i < bits.size(); ++i) CHECK_EQ(std::bit_cast<uint32_t>(floats[i]), bits[i]);
}

TEST(ToFloat32, GivesTheSameBitsWithVectorsAtEveryLengthAndPlace) {
  check::Random random(check::Seed());
  for (const DType& dtype : AllTypes()) {
    const size_t block_bytes = dtype.block_bits / 8;
    const size_t most = dtype.block_elements == 1 ? 70 : 5;
    for (size_t blocks = 0; blocks <= most; ++blocks) {
      for (size_t shift = 0; shift < 9; ++shift) {
        // In heap blocks that end with the last byte: AddressSanitizer watches.
        const ByteVector bytes = SomeBytes(random, shift + blocks * block_bytes);
        const std::span<const std::byte> input = std::span(bytes).subspan(shift);
        std::vector<float> plain(blocks * dtype.block_elements), wide(plain.size());
        CHECK(ToFloat32With(8, dtype, input, plain));
        CHECK(ToFloat32With(32, dtype, input, wide));
        // Of two NaNs it is not said which one their sum is.
        const auto same = dtype.block_elements == 1 ? SameBits : SameValue;
        if (!std::equal(plain.begin(), plain.end(), wide.begin(), same)) {
          check::Fail(__FILE__, __LINE__, std::string(dtype.name) + " blocks " + std::to_string(blocks));
        }
      }
    }
  }
}

TEST(ToFloat32, WritesNothingBesideItsFloats) {
  check::Random random(check::Seed());
  for (const DType& dtype : AllTypes()) {
    const ByteVector bytes = SomeBytes(random, size_t{3} * dtype.block_bits / 8);
    const size_t count = size_t{3} * dtype.block_elements;
    std::vector<float> room(count + 16, 4711.0f);
    CHECK(ToFloat32(dtype, bytes, std::span(room).subspan(8, count)));
    for (size_t i = 0; i < 8; ++i) CHECK(room[i] == 4711.0f && room[count + 8 + i] == 4711.0f);
  }
}

TEST(ToFloat32, RefusesWhatItDoesNotKnowAndWritesNothing) {
  const ByteVector bytes(1000);
  const auto refused = [&](const DType& dtype, size_t input, size_t output) {
    std::vector<float> floats(output, 4711.0f);
    const bool done = ToFloat32(dtype, std::span(bytes).first(input), floats);
    return !done && std::all_of(floats.begin(), floats.end(), [](float each) { return each == 4711.0f; });
  };
  CHECK(refused({"C64", 1, 64}, 64, 8));        // a type of two numbers
  CHECK(refused({"IQ4_NL", 32, 144}, 18, 32));  // blocks that are not converted here
  CHECK(refused({"", 1, 32}, 64, 16));
  CHECK(refused({"F16", 1, 32}, 64, 16));  // a known name, but other blocks than its own
  CHECK(refused({"Q8_0", 16, 272}, 34, 16));
  CHECK(refused({"F32", 1, 32}, 63, 15));  // not whole blocks
  CHECK(refused({"Q4_K", 256, 1152}, 145, 256));
  CHECK(refused({"F32", 1, 32}, 64, 15));  // no room
  CHECK(refused({"F32", 1, 32}, 64, 17));  // too much of it
}

TEST(Float32Count, CountsTheFloatsOfWholeBlocksOnly) {
  CHECK_EQ(Float32Count({"F16", 1, 16}, 10), std::optional<size_t>(5));
  CHECK_EQ(Float32Count({"F16", 1, 16}, 0), std::optional<size_t>(0));
  CHECK_EQ(Float32Count({"F16", 1, 16}, 11), std::optional<size_t>());
  CHECK_EQ(Float32Count({"Q6_K", 256, 1680}, 420), std::optional<size_t>(512));
  CHECK_EQ(Float32Count({"Q6_K", 256, 1680}, 419), std::optional<size_t>());
  CHECK_EQ(Float32Count({"F6_E2M3", 1, 6}, 6), std::optional<size_t>());
  // As many as no memory can hold, but never a wrong number.
  const size_t blocks = std::numeric_limits<size_t>::max() / 84;
  CHECK_EQ(Float32Count({"Q2_K", 256, 672}, blocks * 84), std::optional<size_t>());
}

}  // namespace zerohop
