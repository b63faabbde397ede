// gguf_test.cc: one test for each lie that a GGUF file can tell, and for what must be taken.
//
// The lies are those of llama.cpp's tests/test-gguf.cpp, of the advisories named beside them, and one for each field
// more.  Every file is read whole and piece by piece, from memory of exactly its size.
#include "weights/gguf.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "weights/ggml_types.h"
#include "weights/gguf_checks.h"
#include "weights/gguf_writer.h"

namespace zerohop {
namespace {

using testing::Array;
using testing::Lengthy;
using testing::ParsePiecewise;
using testing::Plain;
using testing::Same;
using testing::Valued;
using testing::Write;
using testing::WriteHeader;
using testing::WrittenFile;
using testing::WrittenTensor;
using testing::WrittenType;

constexpr uint64_t kGiB = uint64_t{1} << 30;

std::span<const std::byte> BytesOf(const std::string& bytes) {
  return {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
}

// Reads it in both ways, and checks what must be so of any answer.
Parsed<GgufHeader> Read(const std::string& file, uint64_t file_bytes) {
  Parsed<GgufHeader> parsed = testing::ParseCopied(BytesOf(file), file_bytes);
  uint64_t asked;
  CHECK(Same(parsed, ParsePiecewise(BytesOf(file), file_bytes, asked)));
  if (const auto* const header = std::get_if<GgufHeader>(&parsed)) {
    const char* const wrong = testing::Wrong(*header, BytesOf(file), file_bytes);
    CHECK_EQ(std::string(wrong == nullptr ? "" : wrong), std::string());
  } else {
    CHECK(!std::get<Refusal>(parsed).message.empty());
    CHECK(std::get<Refusal>(parsed).offset <= file_bytes);
  }
  return parsed;
}

// "VERSION at 4", or "accepted".
std::string SaidOf(const std::string& file, uint64_t file_bytes) {
  const Parsed<GgufHeader> parsed = Read(file, file_bytes);
  const auto* const refusal = std::get_if<Refusal>(&parsed);
  if (refusal == nullptr) return "accepted";
  CHECK(refusal->code.starts_with("ERR_WEIGHTS_"));
  return refusal->code.substr(12) + " at " + std::to_string(refusal->offset);
}
std::string SaidOf(const std::string& file) { return SaidOf(file, file.size()); }
std::string Said(const WrittenFile& file) { return SaidOf(Write(file)); }

// The header of a file that must be taken.
GgufHeader Taken(const WrittenFile& file) {
  const std::string bytes = Write(file);
  Parsed<GgufHeader> parsed = Read(bytes, bytes.size());
  if (const auto* const refusal = std::get_if<Refusal>(&parsed)) {
    check::Fail(__FILE__, __LINE__, refusal->code + ": " + refusal->message);
    throw check::Ended();
  }
  return std::get<GgufHeader>(std::move(parsed));
}

// A file of one value; its bytes begin at 24, those behind the key "k" at 33.
WrittenFile OfValue(std::string value) { return {.values = {std::move(value)}}; }
// A file of one tensor, named "w": its name is at 24, its dimensions' count at 33, the first of them at 37.
WrittenFile OfTensor(WrittenTensor tensor) { return {.tensors = {std::move(tensor)}}; }

std::string Alignment(uint32_t alignment) { return Valued("general.alignment", 4, Plain(alignment)); }

}  // namespace

// The preamble.

TEST(GgufPreamble, IsTakenWithNothingBehindIt) {
  const GgufHeader header = Taken({});
  CHECK_EQ(header.version, 3u);
  CHECK_EQ(header.alignment, uint64_t{32});
  CHECK_EQ(header.data_start, uint64_t{32});
  CHECK_EQ(header.trailing, uint64_t{0});
  CHECK(header.tensors.empty() && header.metadata.empty() && !header.split);
  // Also without the padding.
  CHECK_EQ(SaidOf(WriteHeader({})), std::string("accepted"));
}

TEST(GgufPreamble, IsTakenOfVersionsTwoAndThree) {
  CHECK_EQ(Taken({.version = 2, .tensors = {{}}}).version, 2u);
  CHECK_EQ(Taken({.version = 3, .tensors = {{}}}).version, 3u);
}

TEST(GgufPreamble, RefusesABadMagic) {
  CHECK_EQ(Said({.magic = "FUGG"}), std::string("MAGIC at 0"));
  CHECK_EQ(Said({.magic = "gguf"}), std::string("MAGIC at 0"));
  CHECK_EQ(Said({.magic = "ggml"}), std::string("MAGIC at 0"));
  CHECK_EQ(SaidOf("PK\3\4"), std::string("MAGIC at 0"));
}

TEST(GgufPreamble, RefusesOtherVersions) {
  for (const uint32_t version : {0u, 1u, 4u, 0x7fffffffu, 0xffffffffu}) {
    CHECK_EQ(Said({.version = version}), std::string("VERSION at 4"));
  }
}

TEST(GgufPreamble, RefusesAFileForBigEndianMachines) {
  for (const uint32_t version : {0x02000000u, 0x03000000u, 0x00010000u}) {
    CHECK_EQ(Said({.version = version}), std::string("ENDIANNESS at 4"));
  }
}

TEST(GgufPreamble, RefusesAFileThatEndsWithinIt) {
  const std::string file = Write({});
  for (size_t bytes = 0; bytes < 24; ++bytes) {
    CHECK_EQ(SaidOf(file.substr(0, bytes)), std::string(bytes < 4 ? "TRUNCATED at 0" : "TRUNCATED at 4"));
  }
}

TEST(GgufPreamble, RefusesAFileLongerThanAny) {
  CHECK_EQ(SaidOf(Write({}), INT64_MAX), std::string("accepted"));
  CHECK_EQ(SaidOf(Write({}), uint64_t{INT64_MAX} + 1), std::string("SIZE at 0"));
  CHECK_EQ(SaidOf(Write({}), UINT64_MAX), std::string("SIZE at 0"));
}

TEST(GgufPreamble, RefusesMoreTensorsThanThereAreBytesFor) {
  // 2^63 - 1 of the least bytes wrap to a few, 2^61 of them to none: PowerInfer's calloc(n + 1), CVE-2024-21802.
  for (const uint64_t count : {UINT64_MAX, uint64_t{1} << 63, uint64_t{INT64_MAX}, uint64_t{1} << 61, uint64_t{1} << 59,
                               uint64_t{0xffffffff}, uint64_t{1}}) {
    CHECK_EQ(Said({.tensor_count = count}), std::string("COUNT at 8"));
  }
}

TEST(GgufPreamble, RefusesMoreValuesThanThereAreBytesFor) {
  for (const uint64_t count : {UINT64_MAX, uint64_t{1} << 63, uint64_t{INT64_MAX}, uint64_t{1} << 61, uint64_t{1} << 59,
                               uint64_t{0xffffffff}, uint64_t{1}}) {
    CHECK_EQ(Said({.value_count = count}), std::string("COUNT at 16"));
  }
  // Each alone would fit.
  CHECK_EQ(Said({.tensor_count = 2, .value_count = 3, .alignment = 96}), std::string("COUNT at 16"));
}

TEST(GgufPreamble, AsksForTheBytesThatItsCountsNeed) {
  CHECK_EQ(SaidOf(WriteHeader({.tensor_count = kTensorsMax, .value_count = kMetadataMax}), kGiB << 10),
           "MORE_NEEDED at " + std::to_string(24 + kTensorsMax * 24 + kMetadataMax * 14));
}

TEST(GgufPreamble, RefusesMoreThanAnyModelHas) {
  CHECK_EQ(SaidOf(WriteHeader({.tensor_count = kTensorsMax + 1}), kGiB << 10), std::string("COUNT at 8"));
  CHECK_EQ(SaidOf(WriteHeader({.value_count = kMetadataMax + 1}), kGiB << 10), std::string("COUNT at 16"));
}

TEST(GgufPreamble, RefusesAHeaderOfMoreBytesThanAnyHas) {
  CHECK_EQ(SaidOf(WriteHeader({.tensor_count = kGgufHeaderBytesMax / 16}), kGiB << 20), std::string("COUNT at 8"));
  const std::string text = Valued("k", 8, Plain(kGgufHeaderBytesMax));
  CHECK_EQ(SaidOf(WriteHeader(OfValue(text)), kGiB << 20), std::string("SIZE at 45"));
}

// Keys.

TEST(GgufKey, RefusesAnEmptyOne) { CHECK_EQ(Said(OfValue(Valued("", 0, "\1\1\1"))), std::string("KEY at 24")); }

TEST(GgufKey, RefusesOneThatIsTooLong) {
  const std::string longest(kGgufKeyBytesMax, 'k');
  CHECK_EQ(Said(OfValue(Valued(longest, 0, "\1"))), std::string("accepted"));
  CHECK_EQ(Said(OfValue(Valued(longest + "k", 0, "\1"))), std::string("KEY at 24"));
  // Whatever it claims, no more is asked for (gguf-parser-go's negative seek, ollama's allocation).
  for (const uint64_t bytes : {UINT64_MAX, uint64_t{1} << 63, uint64_t{INT64_MAX}, uint64_t{1} << 32}) {
    CHECK_EQ(Said(OfValue(Plain(bytes) + std::string(32, 'k'))), std::string("KEY at 24"));
    CHECK_EQ(SaidOf(Write(OfValue(Plain(bytes) + std::string(32, 'k'))), kGiB << 20), std::string("KEY at 24"));
  }
}

TEST(GgufKey, RefusesOneThatEndsBehindTheFile) {
  CHECK_EQ(Said(OfValue(Plain<uint64_t>(1000) + std::string(32, 'k'))), std::string("TRUNCATED at 32"));
}

TEST(GgufKey, RefusesWhatIsNotPrintable) {
  for (int c = 0; c < 256; ++c) {
    const std::string key = std::string("a") + static_cast<char>(c) + "b";
    CHECK_EQ(Said(OfValue(Valued(key, 0, "\1"))), std::string(c >= 32 && c < 127 ? "accepted" : "KEY at 24"));
  }
}

TEST(GgufKey, RefusesADuplicate) {
  const std::string a = Valued("a", 0, "\1"), b = Valued("b", 0, "\1");
  CHECK_EQ(Said({.values = {a, b, a}}), std::string("DUPLICATE at 52"));
  CHECK_EQ(Said({.values = {Alignment(32), Alignment(64)}}),
           "DUPLICATE at " + std::to_string(24 + Alignment(32).size()));
}

// Values.

TEST(GgufValue, IsFoundWhereItIs) {
  const GgufHeader header = Taken({.values = {Valued("text", 8, Lengthy("abc")), Valued("real", 12, Plain(1.5)),
                                              Valued("list", 9, Array(8, 2, Lengthy("x") + Lengthy(""))),
                                              Valued("empty", 9, Array(3, 0, "")), Valued("yes", 7, "\1")}});
  REQUIRE(header.metadata.size() == 5);
  const GgufValue& text = header.metadata[0];
  CHECK(text.type == GgufType::kString && text.element == GgufType::kString && text.count == 1);
  CHECK_EQ(text.key, std::string("text"));
  CHECK_EQ(text.begin, uint64_t{24 + 8 + 4 + 4 + 8});
  CHECK_EQ(text.end - text.begin, uint64_t{3});
  const GgufValue& real = header.metadata[1];
  CHECK(real.type == GgufType::kFloat64 && real.end - real.begin == 8);
  const GgufValue& list = header.metadata[2];
  CHECK(list.type == GgufType::kArray && list.element == GgufType::kString && list.count == 2);
  CHECK_EQ(list.end - list.begin, uint64_t{17});
  const GgufValue& empty = header.metadata[3];
  CHECK(empty.type == GgufType::kArray && empty.element == GgufType::kInt16 && empty.count == 0);
  CHECK_EQ(empty.end, empty.begin);
}

TEST(GgufValue, IsNamedAsTheSpecificationNamesIt) {
  const char* const names[] = {"UINT8", "INT8",   "UINT16", "INT16",  "UINT32", "INT32",  "FLOAT32",
                               "BOOL",  "STRING", "ARRAY",  "UINT64", "INT64",  "FLOAT64"};
  for (uint32_t type = 0; type < 13; ++type) {
    CHECK_EQ(std::string(GgufTypeName(static_cast<GgufType>(type))), std::string(names[type]));
  }
}

TEST(GgufValue, RefusesAnUnknownType) {
  for (const uint32_t type : {13u, 14u, 255u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    CHECK_EQ(Said(OfValue(Valued("k", type, "\1"))), std::string("VALUE at 33"));
    CHECK_EQ(Said(OfValue(Valued("k", 9, Array(type, 1, "\1")))), std::string("VALUE at 37"));
  }
}

TEST(GgufValue, RefusesAnArrayOfArrays) {
  CHECK_EQ(Said(OfValue(Valued("k", 9, Array(9, 1, Array(0, 1, "\1"))))), std::string("VALUE at 37"));
}

TEST(GgufValue, RefusesABoolOtherThanZeroAndOne) {
  for (int value = 0; value < 256; ++value) {
    const std::string byte(1, static_cast<char>(value));
    CHECK_EQ(Said(OfValue(Valued("k", 7, byte))), std::string(value < 2 ? "accepted" : "VALUE at 37"));
    CHECK_EQ(Said(OfValue(Valued("k", 9, Array(7, 3, std::string("\0\1", 2) + byte)))),
             std::string(value < 2 ? "accepted" : "VALUE at 51"));
  }
}

TEST(GgufValue, RefusesAnArrayOfMoreElementsThanThereAreBytesFor) {
  // Element sizes of 2, 4 and 8 make some of these counts a few bytes if multiplied first; gguf-py hung on 2^63
  // elements in a file of 43 bytes, mlx allocated the low 32 bits.
  for (uint32_t type = 0; type < 13; ++type) {
    if (type == 9) continue;
    for (const uint64_t count : {UINT64_MAX, uint64_t{1} << 63, (uint64_t{1} << 63) + 1, (uint64_t{1} << 62) + 1,
                                 (uint64_t{1} << 61) + 1, (uint64_t{1} << 32) + 1, uint64_t{33}}) {
      CHECK_EQ(Said(OfValue(Valued("k", 9, Array(type, count, std::string(8, '\0'))))), std::string("COUNT at 41"));
    }
  }
}

TEST(GgufValue, RefusesOneThatEndsBehindTheFile) {
  for (uint32_t type = 0; type < 13; ++type) {
    if (type == 9) continue;
    const uint64_t bytes = testing::ElementBytes(static_cast<GgufType>(type));
    const std::string value = type == 8 ? Lengthy("abc") : std::string(bytes, '\1');
    const std::string file = WriteHeader(OfValue(Valued("a_key", type, value)));
    CHECK_EQ(SaidOf(file), std::string("accepted"));
    // Where there is no room for the smallest value, the count is at fault.
    for (size_t cut = 24; cut < file.size(); ++cut) {
      const std::string said = SaidOf(file.substr(0, cut));
      CHECK(said == "COUNT at 16" || said.starts_with("TRUNCATED at "));
    }
  }
}

TEST(GgufValue, RefusesAStringThatEndsBehindTheFile) {
  for (const uint64_t bytes : {UINT64_MAX, uint64_t{1} << 63, uint64_t{INT64_MAX}, uint64_t{1} << 32, uint64_t{100}}) {
    CHECK_EQ(Said(OfValue(Valued("k", 8, Plain(bytes) + "abc"))), std::string("TRUNCATED at 45"));
    CHECK_EQ(Said(OfValue(Valued("k", 9, Array(8, 2, Lengthy("abc") + Plain(bytes) + "abc")))),
             std::string("TRUNCATED at 68"));
  }
}

// Alignment.

TEST(GgufAlignment, IsThatOfTheFile) {
  for (const uint32_t alignment : {1u, 2u, 8u, 24u, 33u, 64u, 4096u}) {
    const GgufHeader header =
        Taken({.values = {Alignment(alignment)}, .tensors = {{.name = "a"}, {.name = "b"}}, .alignment = alignment});
    CHECK_EQ(header.alignment, uint64_t{alignment});
    CHECK_EQ(header.data_start % alignment, uint64_t{0});
  }
}

TEST(GgufAlignment, IsAnyNumberBut0) {
  CHECK_EQ(Said(OfValue(Alignment(0))), std::string("ALIGNMENT at 53"));
  for (const uint32_t alignment : {3u, 13u, 31u, 33u, 0x7fffffffu, 0xffffffffu}) {
    CHECK_EQ(Said(OfValue(Alignment(alignment))), std::string("accepted"));
  }
}

TEST(GgufAlignment, RefusesAnotherType) {
  for (uint32_t type = 0; type < 13; ++type) {
    if (type == 4) continue;
    std::string bytes = Plain(uint64_t{32});
    if (type < 8) bytes.resize(testing::ElementBytes(static_cast<GgufType>(type)));
    if (type == 7) bytes = "\1";
    if (type == 8) bytes = Lengthy("32");
    if (type == 9) bytes = Array(4, 1, Plain(32u));
    CHECK(Said(OfValue(Valued("general.alignment", type, bytes))).starts_with("ALIGNMENT at "));
  }
}

TEST(GgufAlignment, OfTheLargestWrapsNothing) {
  // GHSA-96jg-mvhq-q7q7: padding to a huge alignment.
  const WrittenFile file = {.values = {Alignment(0x80000000u)}, .tensors = {{}}};
  CHECK_EQ(Said(file), "TRUNCATED at " + std::to_string(Write(file).size()));
  CHECK_EQ(SaidOf(Write(file), uint64_t{0x80000000} + 31), std::string("TRUNCATED at 2147483648"));
  CHECK_EQ(SaidOf(Write(file), uint64_t{0x80000000} + 32), std::string("accepted"));
  CHECK_EQ(Said(OfValue(Alignment(0x80000000u))), std::string("accepted"));
}

// Tensors.

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

TEST(GgufHeader, TellsWhatTrails) {
  const WrittenFile file = {.tensors = {{.dimensions = {1}, .bytes = 4}}};
  for (const size_t extra : {0, 1, 31, 32, 1000}) {
    const std::string bytes = Write(file) + std::string(extra, 'x');
    const Parsed<GgufHeader> parsed = Read(bytes, bytes.size());
    REQUIRE(parsed.index() == 0);
    CHECK_EQ(std::get<GgufHeader>(parsed).trailing, uint64_t{extra});
  }
}

// Pieces.

TEST(GgufHeader, IsReadPieceByPieceWithoutTheData) {
  const WrittenFile file = {.values = {Valued("text", 8, Lengthy("abc")), Valued("list", 9, Array(8, 1, Lengthy("x")))},
                            .tensors = {{.name = "a"}, {.name = "b", .dimensions = {4, 2}}}};
  const std::string header = WriteHeader(file);
  const uint64_t file_bytes = Write(file).size();
  uint64_t asked;
  const Parsed<GgufHeader> parsed = ParsePiecewise(BytesOf(header), file_bytes, asked);
  CHECK_EQ(parsed.index(), size_t{0});
  CHECK_EQ(asked, uint64_t{header.size()});
  for (size_t bytes = 0; bytes < header.size(); ++bytes) {
    const Parsed<GgufHeader> part = ParseGguf(BytesOf(header).first(bytes), file_bytes);
    REQUIRE(part.index() == 1);
    const auto& refusal = std::get<Refusal>(part);
    CHECK_EQ(refusal.code, std::string("ERR_WEIGHTS_MORE_NEEDED"));
    CHECK(refusal.offset > bytes && refusal.offset <= header.size());
  }
}

// Files that are one of several.

namespace {

WrittenFile OfSplit(uint16_t index, uint16_t count, int32_t tensors) {
  return {.values = {Valued("split.no", 2, Plain(index)), Valued("split.count", 2, Plain(count)),
                     Valued("split.tensors.count", 5, Plain(tensors))},
          .tensors = {{.name = "a"}, {.name = "b"}}};
}

}  // namespace

TEST(GgufSplit, IsReadFromTheValues) {
  const GgufHeader header = Taken(OfSplit(4, 5, 100));
  REQUIRE(header.split.has_value());
  CHECK_EQ(header.split->index, 4u);
  CHECK_EQ(header.split->count, 5u);
  CHECK_EQ(header.split->tensors, uint64_t{100});
}

TEST(GgufSplit, IsNoneOfOneFile) {
  CHECK(!Taken(OfSplit(0, 0, 2)).split.has_value());  // merged again
  CHECK(!Taken(OfSplit(0, 1, 2)).split.has_value());
  CHECK(!Taken(OfValue(Valued("split.no", 2, Plain<uint16_t>(0)))).split.has_value());
}

TEST(GgufSplit, RefusesANumberBeyondTheCount) {
  CHECK(Said(OfSplit(5, 5, 100)).starts_with("SPLIT at "));
  CHECK(Said(OfSplit(65535, 65535, 100)).starts_with("SPLIT at "));
}

TEST(GgufSplit, RefusesFewerTensorsThanThisFileHas) {
  CHECK_EQ(Said(OfSplit(0, 2, 2)), std::string("accepted"));
  CHECK(Said(OfSplit(0, 2, 1)).starts_with("SPLIT at "));
  CHECK(Said(OfSplit(0, 2, -1)).starts_with("SPLIT at "));
}

TEST(GgufSplit, RefusesOtherTypes) {
  CHECK(Said(OfValue(Valued("split.no", 8, Lengthy("1")))).starts_with("SPLIT at "));
  CHECK(Said(OfValue(Valued("split.count", 4, Plain(5u)))).starts_with("SPLIT at "));
  CHECK(Said(OfValue(Valued("split.count", 9, Array(2, 0, "")))).starts_with("SPLIT at "));
  CHECK(Said(OfValue(Valued("split.tensors.count", 10, Plain<uint64_t>(5)))).starts_with("SPLIT at "));
}

TEST(GgufSplit, RefusesACountWithoutTheRest) {
  const WrittenFile whole = OfSplit(0, 5, 100);
  for (const size_t without : {0, 2}) {
    WrittenFile file = whole;
    file.values.erase(file.values.begin() + static_cast<std::ptrdiff_t>(without));
    CHECK(Said(file).starts_with("SPLIT at "));
  }
}

// Random files.

namespace {

std::string RandomText(check::Random& random, uint64_t bytes_max) {
  std::string text(random.Below(bytes_max + 1), '\0');
  for (char& c : text) c = static_cast<char>(random.Next());
  return text;
}

std::string RandomNumber(check::Random& random, uint32_t type) {
  if (type == 7) return Plain(static_cast<uint8_t>(random.Below(2)));
  return Plain(random.Next()).substr(0, testing::ElementBytes(static_cast<GgufType>(type)));
}

std::string RandomElements(check::Random& random, uint32_t type, uint64_t count) {
  std::string bytes;
  for (uint64_t i = 0; i < count; ++i) {
    bytes += type == 8 ? Lengthy(RandomText(random, 12)) : RandomNumber(random, type);
  }
  return bytes;
}

// What a value must be read as; and the value.
struct Expected {
  std::string key;
  uint32_t type, element;
  uint64_t count;
  std::string bytes;
};

std::string RandomValue(check::Random& random, size_t i, Expected& expected) {
  auto type = static_cast<uint32_t>(random.Below(13));
  expected = {"key." + std::to_string(i), type, type, 1, ""};
  if (type != 9) {
    const std::string written = RandomElements(random, type, 1);
    expected.bytes = written.substr(type == 8 ? 8 : 0);
    return Valued(expected.key, type, written);
  }
  do {
    expected.element = static_cast<uint32_t>(random.Below(13));
  } while (expected.element == 9);
  expected.count = random.Below(6);
  expected.bytes = RandomElements(random, expected.element, expected.count);
  return Valued(expected.key, type, Array(expected.element, expected.count, expected.bytes));
}

WrittenTensor RandomTensor(check::Random& random, size_t i, const WrittenType& type) {
  WrittenTensor tensor = {.name = "blk." + std::to_string(i) + ".weight", .dimensions = {}, .type = type.number};
  uint64_t blocks = 1;
  const uint64_t dimensions = random.Below(type.block_elements == 1 ? 5 : 4) + (type.block_elements == 1 ? 0 : 1);
  for (uint64_t d = 0; d < dimensions; ++d) {
    const uint64_t size = random.OneIn(20) ? 0 : 1 + random.Below(3);
    tensor.dimensions.push_back(d == 0 ? size * type.block_elements : size);
    blocks *= size;
  }
  tensor.bytes = blocks * type.block_bytes;
  return tensor;
}

struct RandomFile {
  WrittenFile written;
  std::vector<Expected> values;
};

RandomFile MakeRandomFile(check::Random& random) {
  RandomFile file;
  file.written.version = 2 + static_cast<uint32_t>(random.Below(2));
  for (uint64_t count = random.Below(8), i = 0; i < count; ++i) {
    Expected expected;
    file.written.values.push_back(RandomValue(random, i, expected));
    file.values.push_back(std::move(expected));
  }
  if (random.OneIn(2)) {
    const uint32_t alignment = 1 + static_cast<uint32_t>(random.Below(600));
    file.written.alignment = alignment;
    file.written.values.push_back(Alignment(alignment));
    file.values.push_back({"general.alignment", 4, 4, 1, Plain(alignment)});
  }
  for (uint64_t count = random.Below(6), i = 0; i < count; ++i) {
    const WrittenType& type = testing::kWrittenTypes[random.Below(std::size(testing::kWrittenTypes))];
    file.written.tensors.push_back(RandomTensor(random, i, type));
  }
  return file;
}

std::string Slice(const std::string& bytes, uint64_t begin, uint64_t end) { return bytes.substr(begin, end - begin); }

}  // namespace

TEST(ParseGguf, GivesBackWhatWasWritten) {
  check::Random random(check::Seed());
  for (int turn = 0; turn < 2000; ++turn) {
    const RandomFile file = MakeRandomFile(random);
    const GgufHeader header = Taken(file.written);
    const std::string bytes = Write(file.written);
    CHECK_EQ(header.version, file.written.version);
    CHECK_EQ(header.alignment, file.written.alignment);
    CHECK_EQ(header.trailing, uint64_t{0});
    REQUIRE(header.metadata.size() == file.values.size() && header.tensors.size() == file.written.tensors.size());
    for (size_t i = 0; i < file.values.size(); ++i) {
      const GgufValue& value = header.metadata[i];
      const Expected& expected = file.values[i];
      CHECK_EQ(value.key, expected.key);
      CHECK_EQ(static_cast<uint32_t>(value.type), expected.type);
      CHECK_EQ(static_cast<uint32_t>(value.element), expected.element);
      CHECK_EQ(value.count, expected.count);
      CHECK_EQ(Slice(bytes, value.begin, value.end), expected.bytes);
    }
    for (size_t i = 0; i < file.written.tensors.size(); ++i) {
      const Tensor& tensor = header.tensors[i];
      const WrittenTensor& expected = file.written.tensors[i];
      CHECK_EQ(tensor.name, expected.name);
      CHECK(std::equal(tensor.shape.rbegin(), tensor.shape.rend(), expected.dimensions.begin(),
                       expected.dimensions.end()));
      CHECK_EQ(Slice(bytes, tensor.begin, tensor.end), std::string(expected.bytes, static_cast<char>(i + 1)));
    }
  }
}

namespace {

// One byte other, some bytes fewer, some more, or a number that is at a limit.
void Mutate(check::Random& random, std::string& file) {
  const size_t at = random.Below(file.size() + 1);
  const size_t length = std::min<size_t>(file.size() - at, 1 + random.Below(12));
  const uint64_t limits[] = {0,          1,         UINT64_MAX, INT64_MAX, uint64_t{1} << 63, uint64_t{1} << 61,
                             UINT32_MAX, INT32_MAX, 24,         14,        file.size()};
  switch (random.Below(4)) {
    case 0:
      if (at < file.size()) file[at] = static_cast<char>(file[at] ^ (1 << random.Below(8)));
      break;
    case 1: file.erase(at, length); break;
    case 2: file.insert(at, file.substr(at, length)); break;
    default: file.replace(at, length, Plain(limits[random.Below(std::size(limits))]).substr(0, length));
  }
}

}  // namespace

TEST(ParseGguf, BelievesNothingOfADamagedFileThatIsNotSo) {
#if defined(ZEROHOP_SANITIZED)
  const int turns = 20000;
#else
  const int turns = 100000;
#endif
  check::Random random(check::Seed());
  std::string original;
  int taken = 0;
  for (int turn = 0; turn < turns; ++turn) {
    if (turn % 100 == 0) original = Write(MakeRandomFile(random).written);
    std::string file = original;
    for (uint64_t changes = 1 + random.Below(3); changes > 0; --changes) Mutate(random, file);
    taken += Read(file, file.size()).index() == 0 ? 1 : 0;  // checks whatever it says
  }
  // Else the files are too broken for the checks behind the first ones.
  CHECK(taken > turns / 50);
}

TEST(ParseGguf, TakesNoLongerForNamesThatAreAlike) {
  // Many long keys that differ at the end only; a quadratic search would take minutes.
  WrittenFile file;
  for (int i = 0; i < 20000; ++i) file.values.push_back(Valued(std::string(500, 'k') + std::to_string(i), 0, "\1"));
  const std::string bytes = Write(file);
  const Parsed<GgufHeader> parsed = ParseGguf(BytesOf(bytes), bytes.size());
  CHECK_EQ(parsed.index(), size_t{0});
}

}  // namespace zerohop
