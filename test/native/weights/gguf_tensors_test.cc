// gguf_tensors_test.cc: one test for each lie that a GGUF file can tell of its tensors, and for what must be taken.
#include <string>
#include <vector>

#include "check.h"
#include "weights/ggml_types.h"
#include "weights/gguf.h"
#include "weights/gguf_reading.h"

namespace zerohop {
namespace {

using testing::Alignment;
using testing::OfTensor;
using testing::Said;
using testing::SaidOf;
using testing::Taken;
using testing::Write;
using testing::WriteHeader;
using testing::WrittenTensor;
using testing::WrittenType;

}  // namespace

TEST(GgufTensor, HasItsOutermostDimensionFirst) {
  const GgufHeader header = Taken(OfTensor({.name = "a.weight", .dimensions = {8, 3, 2}, .bytes = 8 * 3 * 2 * 4}));
  REQUIRE(header.tensors.size() == 1);
  const Tensor& tensor = header.tensors[0];
  CHECK_EQ(tensor.name, std::string("a.weight"));
  CHECK(tensor.shape == std::vector<uint64_t>({2, 3, 8}));
  CHECK_EQ(std::string(tensor.dtype->name), std::string("F32"));
  CHECK_EQ(tensor.begin, header.data_start);
  CHECK_EQ(tensor.end - tensor.begin, uint64_t{192});
}

TEST(GgufTensor, MayBeAScalarOrEmpty) {
  CHECK_EQ(Said(OfTensor({.dimensions = {}, .bytes = 4})), std::string("accepted"));
  for (const auto& dimensions : std::vector<std::vector<uint64_t>>{{0}, {8, 0}, {0, 8}, {0, 0, 0, 0}}) {
    const GgufHeader header = Taken({.tensors = {{.name = "a", .dimensions = dimensions, .bytes = 0}, {.name = "b"}}});
    CHECK_EQ(header.tensors[0].begin, header.tensors[0].end);
    CHECK_EQ(header.tensors[1].begin, header.tensors[0].end);
  }
}

TEST(GgufTensor, HasTheSizeOfItsType) {
  for (const WrittenType& type : testing::kWrittenTypes) {
    const DType* const known = GgmlType(type.number);
    REQUIRE(known != nullptr);
    CHECK_EQ(std::string(known->name), std::string(type.name));
    CHECK_EQ(uint64_t{known->block_elements}, type.block_elements);
    const GgufHeader header = Taken(
        OfTensor({.dimensions = {2 * type.block_elements, 3}, .type = type.number, .bytes = 2 * 3 * type.block_bytes}));
    CHECK_EQ(header.tensors[0].end - header.tensors[0].begin, 6 * type.block_bytes);
  }
}

TEST(GgufTensor, RefusesAnUnknownType) {
  // Those that were removed, the count of all (test-gguf's), and negative ones.
  for (const uint32_t type : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u, 43u, 44u, 255u, 0x7fffffffu, 0x80000000u, ~0u}) {
    CHECK_EQ(Said(OfTensor({.type = type})), std::string("DTYPE at 45"));
  }
}

TEST(GgufTensor, RefusesANameThatIsTooLong) {
  CHECK_EQ(Said(OfTensor({.name = std::string(63, 'w')})), std::string("accepted"));
  CHECK_EQ(Said(OfTensor({.name = std::string(64, 'w')})), std::string("NAME at 24"));
  for (const uint64_t bytes : {UINT64_MAX, uint64_t{1} << 63, uint64_t{1} << 32}) {
    CHECK_EQ(Said(OfTensor({.name_bytes = bytes})), std::string("NAME at 24"));
  }
}

TEST(GgufTensor, RefusesANameThatIsNoText) {
  CHECK_EQ(Said(OfTensor({.name = "größe"})), std::string("accepted"));
  CHECK_EQ(Said(OfTensor({.name = std::string("a\0b", 3)})), std::string("NAME at 24"));
  CHECK_EQ(Said(OfTensor({.name = "a\xff"})), std::string("NAME at 24"));
  CHECK_EQ(Said(OfTensor({.name = "a\xc3"})), std::string("NAME at 24"));
}

TEST(GgufTensor, RefusesADuplicateName) {
  CHECK_EQ(Said({.tensors = {{.name = "a"}, {.name = "b"}, {.name = "a"}}}), std::string("DUPLICATE at 90"));
  CHECK_EQ(Said({.tensors = {{.name = ""}, {.name = ""}}}), std::string("DUPLICATE at 56"));
}

TEST(GgufTensor, RefusesMoreThanFourDimensions) {
  CHECK_EQ(Said(OfTensor({.dimensions = {8, 1, 1, 1}})), std::string("accepted"));
  CHECK_EQ(Said(OfTensor({.dimensions = {8, 1, 1, 1, 1}})), std::string("SHAPE at 33"));
  // CVE-2024-21802's sibling: dimensions written behind an array of four.
  for (const uint32_t count : {6u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    CHECK_EQ(Said(OfTensor({.dimension_count = count})), std::string("SHAPE at 33"));
  }
}

TEST(GgufTensor, RefusesANegativeDimension) {
  for (const uint64_t size : {UINT64_MAX, uint64_t{1} << 63}) {
    CHECK_EQ(Said(OfTensor({.dimensions = {8, size}})), std::string("SHAPE at 45"));
    CHECK_EQ(Said(OfTensor({.dimensions = {size}})), std::string("SHAPE at 37"));
  }
}

TEST(GgufTensor, RefusesMoreElementsThanCanBeCounted) {
  const uint64_t each = 4 * uint64_t{INT32_MAX};  // test-gguf's
  CHECK_EQ(Said(OfTensor({.dimensions = {each, each}})), std::string("SHAPE at 45"));
  // Products that wrap to 0, to 1 and to 32.
  const std::vector<std::vector<uint64_t>> shapes = {
      {uint64_t{1} << 32, uint64_t{1} << 32},
      {uint64_t{1} << 62, 4},
      {uint64_t{1} << 31, uint64_t{1} << 31, 4, 1},
      {0x5555555555555555, 3, 3},
      {(uint64_t{1} << 59) + 1, 32},
      {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX},
      // Empty, but the strides of who walks over it would wrap.
      {uint64_t{1} << 32, uint64_t{1} << 32, 0},
      {0, uint64_t{1} << 32, uint64_t{1} << 32},
  };
  for (const auto& shape : shapes) CHECK(Said(OfTensor({.dimensions = shape, .type = 24})).starts_with("SHAPE at "));
}

TEST(GgufTensor, RefusesMoreBytesThanCanBeCounted) {
  // test-gguf's, of I64: the elements can be counted, the bytes cannot.
  CHECK_EQ(Said(OfTensor({.dimensions = {1533916891, 1533916891}, .type = 27})), std::string("SIZE at 53"));
  CHECK_EQ(Said(OfTensor({.dimensions = {uint64_t{1} << 61}, .type = 27})), std::string("SIZE at 45"));
  CHECK_EQ(Said(OfTensor({.dimensions = {uint64_t{1} << 62}, .type = 0})), std::string("SIZE at 45"));
}

TEST(GgufTensor, RefusesARowThatEndsWithinABlock) {
  for (const WrittenType& type : testing::kWrittenTypes) {
    if (type.block_elements == 1) continue;
    for (const uint64_t row :
         {uint64_t{1}, type.block_elements / 2, type.block_elements - 1, type.block_elements + 1}) {
      // All elements together are whole blocks.
      CHECK_EQ(Said(OfTensor({.dimensions = {row, type.block_elements}, .type = type.number})),
               std::string("SHAPE at 53"));
    }
    CHECK_EQ(Said(OfTensor({.dimensions = {}, .type = type.number})), std::string("SHAPE at 37"));
  }
}

TEST(GgufTensor, RefusesAnOffsetThatIsNoMultipleOfTheAlignment) {
  for (const uint64_t offset : {UINT64_MAX, (uint64_t{1} << 63) + 1, uint64_t{1}, uint64_t{31}, uint64_t{33}}) {
    CHECK_EQ(Said(OfTensor({.offset = offset})), std::string("OFFSETS at 49"));
    CHECK_EQ(Said({.tensors = {{.name = "a"}, {.name = "b", .offset = offset}}}), std::string("OFFSETS at 82"));
  }
}

TEST(GgufTensor, RefusesAnOffsetBeyondWhatAFileCanHave) {
  for (const uint64_t offset : {uint64_t{1} << 63, UINT64_MAX - 31, uint64_t{0x7fffffffffffffe0}}) {
    CHECK_EQ(Said(OfTensor({.offset = offset})), std::string("SIZE at 49"));
  }
  CHECK_EQ(Said(OfTensor({.offset = uint64_t{1} << 40})), std::string("TRUNCATED at 96"));
}

TEST(GgufTensor, RefusesAPlaceWithinAnother) {
  CHECK_EQ(Said({.tensors = {{.name = "a"}, {.name = "b", .offset = 0}}}), std::string("OFFSETS at 82"));
  const WrittenTensor wide = {.name = "a", .dimensions = {16}, .bytes = 64}, empty = {.dimensions = {0}, .bytes = 0};
  WrittenTensor within = empty;
  within.offset = 32;
  CHECK_EQ(Said({.tensors = {wide, within}}), std::string("OFFSETS at 82"));
  // The first in the header may be the second in the file.
  CHECK_EQ(Said({.tensors = {within, wide}}), std::string("OFFSETS at 49"));
}

TEST(GgufTensor, LiesAnywhereAndIsShownInTheOrderOfTheData) {
  const GgufHeader header =
      Taken({.tensors = {{.name = "a", .offset = 64}, {.name = "b", .offset = 0}, {.name = "c", .offset = 32}}});
  std::string names;
  for (const Tensor& tensor : header.tensors) names += tensor.name;
  CHECK_EQ(names, std::string("bca"));
  // Bytes of no tensor lie before and between these.
  const GgufHeader holes = Taken({.tensors = {{.name = "a", .dimensions = {0}, .bytes = 96, .offset = 32},
                                              {.name = "b", .dimensions = {0}, .bytes = 0, .offset = 96}}});
  CHECK_EQ(holes.tensors[1].begin - holes.tensors[0].begin, uint64_t{64});
}

TEST(GgufTensor, RefusesOffsetsOfAnotherAlignment) {
  const WrittenTensor a = {.name = "a", .dimensions = {1}, .bytes = 4},
                      b = {.name = "b", .dimensions = {1}, .bytes = 4};
  CHECK_EQ(Said({.tensors = {a, b}, .alignment = 1}), std::string("OFFSETS at 82"));
  const std::string sixty_four = Alignment(64);
  CHECK_EQ(Said({.values = {sixty_four}, .tensors = {a, b}, .alignment = 32}),
           "OFFSETS at " + std::to_string(82 + sixty_four.size()));
}

TEST(GgufTensor, RefusesSumsThatWrap) {
  // CVE-2025-53630, and CVE-2026-27940 after it: two tensors whose padded sizes come to -128 together.
  const WrittenTensor a = {.name = "a", .dimensions = {0x7fffffffffffffc0}, .type = 24, .bytes = 0};
  WrittenTensor b = a;
  b.name = "b";
  b.offset = 0x7fffffffffffffc0;
  CHECK_EQ(Said({.tensors = {a, b}}), std::string("SIZE at 82"));
  // Its padding alone ends beyond.
  CHECK_EQ(Said(OfTensor({.dimensions = {INT64_MAX}, .type = 24, .bytes = 0})), std::string("TRUNCATED at 64"));
  CHECK_EQ(Said(OfTensor({.dimensions = {0x7fffffffffffffc0}, .type = 24, .bytes = 0})),
           std::string("TRUNCATED at 64"));
}

TEST(GgufTensor, RefusesOneThatEndsBehindTheFile) {
  // CVE-2026-7482: dimensions that say more than there is.
  CHECK_EQ(Said(OfTensor({.dimensions = {16}, .bytes = 32})), std::string("TRUNCATED at 64"));
  const std::string file = Write({.tensors = {{.name = "a"}, {.name = "b"}}});
  REQUIRE(file.size() == 160);
  CHECK_EQ(SaidOf(file), std::string("accepted"));
  CHECK_EQ(SaidOf(file.substr(0, 159)), std::string("TRUNCATED at 128"));
  CHECK_EQ(SaidOf(file.substr(0, 128)), std::string("TRUNCATED at 128"));
  CHECK_EQ(SaidOf(file.substr(0, 127)), std::string("TRUNCATED at 96"));
  // In the padding before the data, where an empty tensor would begin.
  CHECK_EQ(SaidOf(WriteHeader(OfTensor({.dimensions = {0}}))), std::string("TRUNCATED at 57"));
}

TEST(GgufTensor, NeedsNoPaddingBehindTheLast) {
  const std::string file = Write(OfTensor({.dimensions = {1}, .bytes = 4}));
  CHECK_EQ(SaidOf(file), std::string("accepted"));
  CHECK_EQ(SaidOf(file.substr(0, 64 + 4)), std::string("accepted"));
  CHECK_EQ(SaidOf(file.substr(0, 64 + 3)), std::string("TRUNCATED at 64"));
}

TEST(GgufTensor, RefusesADescriptionThatTheFileEndsWithin) {
  const std::string file = WriteHeader({.tensors = {{.name = "abc", .dimensions = {8, 1}}}});
  for (size_t cut = 24; cut < file.size(); ++cut) {
    const std::string said = SaidOf(file.substr(0, cut));
    CHECK(said == "COUNT at 8" || said.starts_with("TRUNCATED at "));
  }
}

}  // namespace zerohop
