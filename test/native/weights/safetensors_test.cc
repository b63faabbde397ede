// safetensors_test.cc: one test for each lie that a header can tell, and one for each thing that only looks like one.
//
// Many are the reference's own (huggingface/safetensors, tensor.rs and attacks/), or what other readers fell for.
#include "weights/safetensors.h"

#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "weights/safetensors_reading.h"

namespace zerohop {
namespace {

using testing::Accepted;
using testing::Bytes;
using testing::CodeOf;
using testing::LengthBytes;
using testing::Lie;
using testing::OffsetOf;
using testing::ParseJson;

// --- what is there

TEST(Safetensors, TellsNameTypeShapeAndPlaceOfEachTensor) {
  const std::string json = R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},)"
                           R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})";
  const SafetensorsHeader header = Accepted(json, 32);
  CHECK_EQ(header.data_start, 8 + json.size());
  REQUIRE(header.tensors.size() == 2 && header.metadata.size() == 1);
  CHECK_EQ(header.metadata[0].first + "=" + header.metadata[0].second, "format=pt");
  const Tensor &a = header.tensors[0], &b = header.tensors[1];
  CHECK_EQ(a.name + b.name, "ab");
  CHECK_EQ(std::string(a.dtype->name) + b.dtype->name, "F32BF16");
  CHECK(a.shape == std::vector<uint64_t>({2, 3}) && b.shape == std::vector<uint64_t>({4}));
  CHECK_EQ(a.begin, header.data_start);
  CHECK_EQ(a.end, header.data_start + 24);
  CHECK_EQ(b.end, header.data_start + 32);
}

TEST(Safetensors, KnowsEachTypeOfTheFormatAndItsBits) {
  const std::pair<const char*, uint64_t> types[] = {
      {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"BOOL", 8},        {"U8", 8},   {"I8", 8},
      {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"I16", 16}, {"U16", 16},
      {"F16", 16},    {"BF16", 16},   {"I32", 32},    {"U32", 32},        {"F32", 32}, {"F64", 64},
      {"I64", 64},    {"U64", 64},    {"C64", 64},    {"F8_E5M2FNUZ", 8}};
  for (const auto& [name, bits] : types) {
    const std::string json = std::string(R"({"a":{"dtype":")") + name + R"(","shape":[8],"data_offsets":[0,)";
    const SafetensorsHeader header = Accepted(json + std::to_string(bits) + "]}}", bits);
    CHECK_EQ(std::string(header.tensors[0].dtype->name), name);
    CHECK_EQ(header.tensors[0].dtype->block_bits, bits);
    CHECK_EQ(header.tensors[0].dtype->block_elements, 1u);
  }
}

TEST(Safetensors, TakesWhiteSpaceAroundTheHeader) {
  Accepted(" \n\t\r{}   ", 0);
  Accepted(R"(  { "a" : { "dtype" : "U8" , "shape" : [ 1 ] , "data_offsets" : [ 0 , 1 ] } }   )", 1);
}

TEST(Safetensors, TakesAFileWithoutTensors) {
  CHECK(Accepted("{}", 0).tensors.empty());
  CHECK(Accepted(R"({"__metadata__":{}})", 0).metadata.empty());
  CHECK(Accepted(R"({"__metadata__":null})", 0).metadata.empty());
}

TEST(Safetensors, TakesTensorsWithoutDimensionsOrWithoutElements) {
  CHECK(Accepted(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4).tensors[0].shape.empty());
  Accepted(R"({"a":{"dtype":"F32","shape":[2,0],"data_offsets":[0,0]}})", 0);
  Accepted(R"({"a":{"dtype":"F32","shape":[0,18446744073709551615,2],"data_offsets":[0,0]}})", 0);
}

TEST(Safetensors, PutsTensorsWithoutElementsBeforeWhatBeginsThere) {
  const SafetensorsHeader header = Accepted(R"({"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                                            R"("z":{"dtype":"U8","shape":[0],"data_offsets":[4,4]},)"
                                            R"("y":{"dtype":"U8","shape":[0],"data_offsets":[4,4]},)"
                                            R"("a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                                            4);
  std::string names;
  for (const Tensor& tensor : header.tensors) names += tensor.name;
  CHECK_EQ(names, "abzy");
}

TEST(Safetensors, SkipsUnknownFieldsOfATensor) {
  Accepted(R"({"a":{"x":[1,{"dtype":null}],"dtype":"U8","shape":[1],"y":-1.5e3,"data_offsets":[0,1],"z":true}})", 1);
}

TEST(Safetensors, TakesADataSizeThatIsNoMultipleOfTheAlignment) {
  Accepted(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F64","shape":[],"data_offsets":[1,9]}})",
      9);
}

TEST(Safetensors, UnescapesNames) {
  const SafetensorsHeader header =
      Accepted(R"({"\u0061\"\ud83d\ude00":{"\u0064type":"U\u0038","shape":[1],"data_offsets":[0,1]},)"
               R"("__metadata__":{"\u0061":"\n"}})",
               1);
  CHECK_EQ(header.tensors[0].name, "a\"\xF0\x9F\x98\x80");
  CHECK_EQ(header.metadata[0].second, "\n");
}

// --- lies about the file

TEST(Safetensors, RefusesAFileThatEndsWithinTheLength) {
  for (size_t bytes = 0; bytes < 8; ++bytes) {
    const Parsed<SafetensorsHeader> parsed = ParseSafetensors(Bytes(std::string(bytes, '\0')), bytes);
    CHECK_EQ(CodeOf(parsed), "ERR_WEIGHTS_TRUNCATED");
    CHECK_EQ(OffsetOf(parsed), bytes);
  }
}

TEST(Safetensors, RefusesAHeaderLongerThanTheLimitHoweverLongTheFileIs) {
  for (const uint64_t length : {kSafetensorsHeaderMax + 1, uint64_t{0xffffff000000003c}, UINT64_MAX, UINT64_MAX - 4,
                                UINT64_MAX - 7, uint64_t{1} << 63}) {
    for (const uint64_t file_bytes : {uint64_t{8}, uint64_t{1000}, UINT64_MAX}) {
      const Parsed<uint64_t> parsed = SafetensorsHeaderBytes(Bytes(LengthBytes(length)), file_bytes);
      CHECK_EQ(CodeOf(parsed), "ERR_WEIGHTS_HEADER_SIZE");
      CHECK_EQ(OffsetOf(parsed), 0u);
    }
  }
  const Parsed<uint64_t> longest = SafetensorsHeaderBytes(Bytes(LengthBytes(kSafetensorsHeaderMax)), 200000000);
  REQUIRE(std::holds_alternative<uint64_t>(longest));
  CHECK_EQ(std::get<uint64_t>(longest), kSafetensorsHeaderMax);
}

TEST(Safetensors, RefusesAHeaderThatIsLongerThanTheFile) {
  const std::string head = LengthBytes(1000) + "{}";
  const Parsed<SafetensorsHeader> parsed = ParseSafetensors(Bytes(head), head.size());
  CHECK_EQ(CodeOf(parsed), "ERR_WEIGHTS_TRUNCATED");
  CHECK_EQ(OffsetOf(parsed), head.size());
  CHECK_EQ(CodeOf(SafetensorsHeaderBytes(Bytes(LengthBytes(3)), 10)), "ERR_WEIGHTS_TRUNCATED");
  CHECK_EQ(CodeOf(SafetensorsHeaderBytes(Bytes(LengthBytes(3)), 11)), "accepted");
}

TEST(Safetensors, RefusesAHeaderOfWhichLessCouldBeReadThanTheFileShouldHave) {
  const std::string head = LengthBytes(1000) + "{}";
  CHECK_EQ(CodeOf(ParseSafetensors(Bytes(head), 5000)), "ERR_WEIGHTS_TRUNCATED");
  CHECK_EQ(CodeOf(ParseSafetensors(Bytes(head.substr(0, 4)), 5000)), "ERR_WEIGHTS_TRUNCATED");
}

TEST(Safetensors, ReadsNothingBehindTheHeader) {
  const std::string file = LengthBytes(2) + "{}" + "\"\xff{";
  const Parsed<SafetensorsHeader> parsed = ParseSafetensors(Bytes(file), file.size());
  CHECK_EQ(CodeOf(parsed), "ERR_WEIGHTS_TRAILING");
  CHECK_EQ(OffsetOf(parsed), 10u);
}

TEST(Safetensors, RefusesAFileWhoseDataWasCut) {
  const std::string json = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const Parsed<SafetensorsHeader> parsed = ParseJson(json, 6);
  CHECK_EQ(CodeOf(parsed), "ERR_WEIGHTS_TRUNCATED");
  CHECK_EQ(OffsetOf(parsed), 8 + json.size() + 6);
  CHECK_EQ(CodeOf(ParseJson(json, 0)), "ERR_WEIGHTS_TRUNCATED");
}

TEST(Safetensors, RefusesBytesBehindTheLastTensor) {
  const std::string json = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const Parsed<SafetensorsHeader> parsed = ParseJson(json, 9);
  CHECK_EQ(CodeOf(parsed), "ERR_WEIGHTS_TRAILING");
  CHECK_EQ(OffsetOf(parsed), 8 + json.size() + 8);
  CHECK_EQ(CodeOf(ParseJson("{}", 1)), "ERR_WEIGHTS_TRAILING");
}

TEST(Safetensors, RefusesDataThatEndsBeyondEveryFile) {
  CHECK_EQ(Lie(R"({"a":{"dtype":"U8","shape":[2305843009213693951],"data_offsets":[0,2305843009213693951]}})", 8),
           "ERR_WEIGHTS_TRUNCATED");
}

// --- lies about the form

TEST(Safetensors, RefusesAHeaderThatIsNoUtf8) {
  CHECK_EQ(Lie("^\xff", 0), "ERR_WEIGHTS_HEADER_UTF8");
  CHECK_EQ(Lie("{\"^\xC0\xAF\":{}}", 0), "ERR_WEIGHTS_HEADER_UTF8");
}

TEST(Safetensors, RefusesAHeaderThatIsNoJson) {
  for (const char* json : {"^", "{^", "^[]", "^null", "^\"\"", "{}^{}", "{}^x", "{\"a\":^}", "^\xEF\xBB\xBF{}"}) {
    CHECK_EQ(Lie(json, 0), "ERR_WEIGHTS_HEADER_JSON");
  }
  CHECK_EQ(Lie(std::string("{}^\0x", 5), 0), "ERR_WEIGHTS_HEADER_JSON");
  CHECK_EQ(Lie(std::string("^\0\0", 3), 0), "ERR_WEIGHTS_HEADER_JSON");
}

TEST(Safetensors, RefusesATensorOfAnotherForm) {
  for (const char* json : {
           R"({"a":^null})",
           R"({"a":^["U8",[1],[0,1]]})",
           R"({"a":^{}})",
           R"({"a":^{"shape":[1],"data_offsets":[0,1]}})",
           R"({"a":^{"dtype":"U8","data_offsets":[0,1]}})",
           R"({"a":^{"dtype":"U8","shape":[1]}})",
           R"({"a":{"dtype":^8,"shape":[1],"data_offsets":[0,1]}})",
           R"({"a":{"dtype":^null,"shape":[1],"data_offsets":[0,1]}})",
           R"({"a":{"dtype":"U8","shape":^1,"data_offsets":[0,1]}})",
           R"({"a":{"dtype":"U8","shape":[^"1"],"data_offsets":[0,1]}})",
           R"({"a":{"dtype":"U8","shape":[1],"data_offsets":^[]}})",
           R"({"a":{"dtype":"U8","shape":[1],"data_offsets":^[0]}})",
           R"({"a":{"dtype":"U8","shape":[1],"data_offsets":^[0,1,1]}})",
           R"({"a":{"dtype":"U8","shape":[1],"data_offsets":^{"0":0,"1":1}}})",
       }) {
    CHECK_EQ(Lie(json, 1), "ERR_WEIGHTS_HEADER_JSON");
  }
}

TEST(Safetensors, RefusesNumbersThatAreNoPlainIntegers) {
  for (const char* number : {"^-1", "1^.0", "1^e0", "^01", "^18446744073709551616", "^+1", "^0x1", "^-0"}) {
    const bool hexadecimal = std::string(number) == "^0x1";
    const std::string shown = hexadecimal ? "0^x1" : number;
    CHECK_EQ(Lie(R"({"a":{"dtype":"U8","shape":[)" + shown + R"(],"data_offsets":[0,1]}})", 1),
             "ERR_WEIGHTS_HEADER_JSON");
    CHECK_EQ(Lie(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,)" + shown + "]}}", 1), "ERR_WEIGHTS_HEADER_JSON");
  }
}

TEST(Safetensors, RefusesMetadataThatIsNotText) {
  CHECK_EQ(Lie(R"({"__metadata__":{"a":^1}})", 0), "ERR_WEIGHTS_HEADER_JSON");
  CHECK_EQ(Lie(R"({"__metadata__":{"a":^null}})", 0), "ERR_WEIGHTS_HEADER_JSON");
  CHECK_EQ(Lie(R"({"__metadata__":{"a":^{}}})", 0), "ERR_WEIGHTS_HEADER_JSON");
  CHECK_EQ(Lie(R"({"__metadata__":^[]})", 0), "ERR_WEIGHTS_HEADER_JSON");
  CHECK_EQ(Lie(R"({"__metadata__":^"a"})", 0), "ERR_WEIGHTS_HEADER_JSON");
}

TEST(Safetensors, RefusesATensorCalledAsTheMetadata) {
  CHECK_EQ(Lie(R"({"__metadata__":{"dtype":"F32","shape":^[1],"data_offsets":[0,4]}})", 4), "ERR_WEIGHTS_NAME");
  CHECK_EQ(Lie(R"({"\u005f_metadata__":{"data_offsets":^[0,4],"dtype":"F32","shape":[1]}})", 4), "ERR_WEIGHTS_NAME");
  CHECK_EQ(Accepted(R"({"__metadata__":{"shape":"[1]"}})", 0).metadata.size(), 1u);
}

TEST(Safetensors, RefusesANameThatIsTwice) {
  const std::string entry = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  CHECK_EQ(Lie(R"({"a":)" + entry + R"(,^"a":)" + entry + "}", 0), "ERR_WEIGHTS_DUPLICATE");
  CHECK_EQ(Lie(R"({"a":)" + entry + R"(,^"\u0061":)" + entry + "}", 0), "ERR_WEIGHTS_DUPLICATE");
  CHECK_EQ(Lie(R"({"__metadata__":{},^"__metadata__":{}})", 0), "ERR_WEIGHTS_DUPLICATE");
  CHECK_EQ(Lie(R"({"__metadata__":{"a":"1",^"a":"1"}})", 0), "ERR_WEIGHTS_DUPLICATE");
  CHECK_EQ(Lie(R"({"a":{"dtype":"U8","shape":[0],^"shape":[0],"data_offsets":[0,0]}})", 0), "ERR_WEIGHTS_DUPLICATE");
  CHECK_EQ(Lie(R"({"a":{"x":{"y":1,^"y":1},"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0),
           "ERR_WEIGHTS_DUPLICATE");
}

TEST(Safetensors, RefusesATypeThatIsNotKnown) {
  for (const char* type : {"F33", "f32", "", "F32 ", "Q4_K", "F3"}) {
    CHECK_EQ(Lie(std::string(R"({"a":{"dtype":^")") + type + R"(","shape":[1],"data_offsets":[0,4]}})", 4),
             "ERR_WEIGHTS_DTYPE");
  }
}

// --- lies about places and sizes

TEST(Safetensors, RefusesTensorsThatOverlap) {
  CHECK_EQ(Lie(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
               R"("b":{"dtype":"F32","shape":[2],"data_offsets":^[4,12]}})",
               12),
           "ERR_WEIGHTS_OFFSETS");
}

TEST(Safetensors, RefusesTensorsOfOneAndTheSamePlace) {
  std::string json = "{";
  for (int i = 0; i < 10; ++i) {
    json += (i > 0 ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]})";
  }
  CHECK_EQ(Lie(json + "}", 16), "ERR_WEIGHTS_OFFSETS");
}

TEST(Safetensors, RefusesAHole) {
  CHECK_EQ(Lie(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":^[1,5]}})", 5), "ERR_WEIGHTS_OFFSETS");
  CHECK_EQ(Lie(R"({"b":{"dtype":"U8","shape":[4],"data_offsets":^[5,9]},)"
               R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
               9),
           "ERR_WEIGHTS_OFFSETS");
}

TEST(Safetensors, RefusesATensorWithoutElementsInsideAnother) {
  CHECK_EQ(Lie(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
               R"("z":{"dtype":"U8","shape":[0],"data_offsets":^[2,2]}})",
               4),
           "ERR_WEIGHTS_OFFSETS");
}

TEST(Safetensors, RefusesDataThatEndsBeforeItBegins) {
  CHECK_EQ(Lie(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
               R"("b":{"dtype":"U8","shape":[4],"data_offsets":^[4,0]}})",
               4),
           "ERR_WEIGHTS_OFFSETS");
}

TEST(Safetensors, RefusesOffsetsThatWouldWrapAround) {
  CHECK_EQ(Lie(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
               R"("b":{"dtype":"U8","shape":[4],"data_offsets":^[18446744073709551612,0]}})",
               4),
           "ERR_WEIGHTS_OFFSETS");
  CHECK_EQ(Lie(R"({"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]}})", 4),
           "ERR_WEIGHTS_SHAPE");
}

TEST(Safetensors, RefusesAShapeThatMakesAnotherSizeThanTheOffsets) {
  CHECK_EQ(Lie(R"({"a":{"dtype":"F32","shape":^[3],"data_offsets":[0,8]}})", 8), "ERR_WEIGHTS_SIZE");
  CHECK_EQ(Lie(R"({"a":{"dtype":"F32","shape":^[],"data_offsets":[0,8]}})", 8), "ERR_WEIGHTS_SIZE");
  CHECK_EQ(Lie(R"({"a":{"dtype":"F32","shape":^[1],"data_offsets":[0,0]}})", 0), "ERR_WEIGHTS_SIZE");
  CHECK_EQ(Lie(R"({"a":{"dtype":"F32","shape":^[0,4],"data_offsets":[0,4]}})", 4), "ERR_WEIGHTS_SIZE");
}

TEST(Safetensors, RefusesAShapeWhoseSizeIsBeyond64Bits) {
  // Elements, then bits; some come out as 0, or as what the offsets say, where the product wraps.
  for (const char* shape : {"[2,18446744073709551614]", "[4294967296,4294967296]", "[18446744073709551615,2,0]",
                            "[2,9223372036854775807]", "[576460752303423488]", "[1152921504606846976]"}) {
    CHECK_EQ(Lie(std::string(R"({"a":{"dtype":"F32","shape":^)") + shape + R"(,"data_offsets":[0,0]}})", 0),
             "ERR_WEIGHTS_SHAPE");
  }
}

TEST(Safetensors, RefusesMoreDimensionsThanAnyoneCanUse) {
  std::string shape = "1";
  for (size_t i = 1; i < kDimensionsMax; ++i) shape += ",1";
  const std::string before = R"({"a":{"dtype":"U8","data_offsets":[0,1],"shape":)";
  CHECK_EQ(Lie(before + "[" + shape + "]}}", 1), "accepted");
  CHECK_EQ(Lie(before + "^[" + shape + ",1]}}", 1), "ERR_WEIGHTS_SHAPE");
}

TEST(Safetensors, RefusesTensorsThatEndWithinAByte) {
  CHECK_EQ(Lie(R"({"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}})", 1), "accepted");
  CHECK_EQ(Lie(R"({"a":{"dtype":"F4","shape":^[1],"data_offsets":[0,1]}})", 1), "ERR_WEIGHTS_SIZE");
  CHECK_EQ(Lie(R"({"a":{"dtype":"F4","shape":^[1],"data_offsets":[0,0]}})", 0), "ERR_WEIGHTS_SIZE");
  CHECK_EQ(Lie(R"({"a":{"dtype":"F4","shape":^[3,3],"data_offsets":[0,4]}})", 4), "ERR_WEIGHTS_SIZE");
  CHECK_EQ(Lie(R"({"a":{"dtype":"F6_E3M2","shape":^[2],"data_offsets":[0,1]}})", 1), "ERR_WEIGHTS_SIZE");
  CHECK_EQ(Lie(R"({"a":{"dtype":"F6_E3M2","shape":[4],"data_offsets":[0,3]}})", 3), "accepted");
}

TEST(Safetensors, SaysWhichTensorWhatWasExpectedAndWhatIsThere) {
  const Parsed<SafetensorsHeader> parsed =
      ParseJson(R"({"model.embed":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,10]}})", 10);
  REQUIRE(std::holds_alternative<Refusal>(parsed));
  CHECK_EQ(std::get<Refusal>(parsed).message,
           "tensor 'model.embed': expected 12 bytes for BF16 [2, 3], found 10 bytes");
}

}  // namespace
}  // namespace zerohop
