// gguf_test.cc: one test for each lie that a GGUF file can tell of its preamble, keys, values and parts, and for what
// must be taken.  Tensors have gguf_tensors_test.cc.
//
// The lies are those of llama.cpp's tests/test-gguf.cpp, of the advisories named beside them, and one for each field
// more.
#include "weights/gguf.h"

#include <string>

#include "check.h"
#include "weights/gguf_reading.h"

namespace zerohop {
namespace {

using testing::Alignment;
using testing::Array;
using testing::BytesOf;
using testing::kGiB;
using testing::Lengthy;
using testing::OfValue;
using testing::ParsePiecewise;
using testing::Plain;
using testing::Read;
using testing::Said;
using testing::SaidOf;
using testing::Taken;
using testing::Valued;
using testing::Write;
using testing::WriteHeader;
using testing::WrittenFile;

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

}  // namespace zerohop
