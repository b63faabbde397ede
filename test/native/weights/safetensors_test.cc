// safetensors_test.cc: one test for each lie that a header can tell, and one for each thing that only looks like one.
//
// Many are the reference's own (huggingface/safetensors, tensor.rs and attacks/), or what other readers fell for.
#include "weights/safetensors.h"

#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check.h"
#include "weights/believed.h"

namespace zerohop {
namespace {

using check::Random;

std::string LengthBytes(uint64_t length) {
  std::string out;
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(length >> shift));
  return out;
}

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

Parsed<SafetensorsHeader> ParseJson(const std::string& json, uint64_t data_bytes) {
  const std::string head = LengthBytes(json.size()) + json;
  return ParseSafetensors(Bytes(head), head.size() + data_bytes);
}

template <class T>
std::string CodeOf(const Parsed<T>& parsed) {
  const auto* const refusal = std::get_if<Refusal>(&parsed);
  return refusal == nullptr ? "accepted" : refusal->code;
}

template <class T>
uint64_t OffsetOf(const Parsed<T>& parsed) {
  const auto* const refusal = std::get_if<Refusal>(&parsed);
  return refusal == nullptr ? UINT64_MAX : refusal->offset;
}

// The code that a header is refused with.  A '^' in it, which is taken out, says at which byte.
std::string Lie(std::string json, uint64_t data_bytes) {
  const size_t place = json.find('^');
  if (place != std::string::npos) json.erase(place, 1);
  const Parsed<SafetensorsHeader> parsed = ParseJson(json, data_bytes);
  const uint64_t offset = OffsetOf(parsed);
  const bool here = place == std::string::npos || offset == kSafetensorsLengthBytes + place;
  return CodeOf(parsed) + (here ? "" : " at byte " + std::to_string(offset));
}

SafetensorsHeader Accepted(const std::string& json, uint64_t data_bytes) {
  Parsed<SafetensorsHeader> parsed = ParseJson(json, data_bytes);
  if (const auto* const refusal = std::get_if<Refusal>(&parsed)) CHECK_EQ(refusal->message, "accepted");
  REQUIRE(std::holds_alternative<SafetensorsHeader>(parsed));
  const uint64_t file_bytes = kSafetensorsLengthBytes + json.size() + data_bytes;
  CHECK_EQ(check::Violation(parsed, file_bytes), "");
  return std::get<SafetensorsHeader>(std::move(parsed));
}

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

// --- many headers

struct Written {
  std::string json;
  std::vector<Tensor> tensors;  // as they must be read, but with offsets in the data
  NamedTexts metadata;
  uint64_t data_bytes = 0;
};

// A writer that knows nothing of the reader: any order, any white space, any way to write a name.
class Writer {
 public:
  explicit Writer(uint64_t seed) : random_(seed) {}

  Written Write() {
    Written written;
    const size_t count = random_.Below(12);
    for (size_t i = 0; i < count; ++i) written.tensors.push_back(NextTensor(i, written.data_bytes));
    Shuffle(written.tensors);
    std::vector<std::string> members;
    for (const Tensor& tensor : written.tensors) members.push_back(String(tensor.name) + Space() + ":" + Entry(tensor));
    if (random_.OneIn(2)) {
      std::vector<std::string> texts;
      for (uint64_t i = random_.Below(4); i > 0; --i) {
        written.metadata.emplace_back(Text() + std::to_string(i), Text());
        texts.push_back(String(written.metadata.back().first) + ":" + String(written.metadata.back().second));
      }
      const auto place = members.begin() + static_cast<std::ptrdiff_t>(random_.Below(members.size() + 1));
      members.insert(place, R"("__metadata__":)" + Object(texts));
    }
    written.json = Space() + Object(members) + Space();
    std::stable_sort(written.tensors.begin(), written.tensors.end(), [](const Tensor& one, const Tensor& other) {
      return std::pair(one.begin, one.end) < std::pair(other.begin, other.end);
    });
    return written;
  }

 private:
  Tensor NextTensor(size_t number, uint64_t& data_bytes) {
    static constexpr DType kTypes[] = {{"F64", 1, 64}, {"F32", 1, 32}, {"BF16", 1, 16}, {"U8", 1, 8}, {"F4", 1, 4}};
    Tensor tensor;
    tensor.name = Text() + std::to_string(number);
    tensor.dtype = &kTypes[random_.Below(std::size(kTypes))];
    uint64_t elements = 1;
    for (uint64_t i = random_.Below(5); i > 0; --i) tensor.shape.push_back(random_.Below(7));
    if (tensor.dtype->block_bits < 8) tensor.shape.push_back(2);
    for (const uint64_t size : tensor.shape) elements *= size;
    tensor.begin = data_bytes;
    tensor.end = data_bytes += elements * tensor.dtype->block_bits / 8;
    return tensor;
  }

  std::string Entry(const Tensor& tensor) {
    std::vector<std::string> sizes, members;
    for (const uint64_t size : tensor.shape) sizes.push_back(std::to_string(size));
    members.push_back(String("dtype") + ":" + Space() + String(tensor.dtype->name));
    members.push_back(String("shape") + Space() + ":" + List(sizes, "[", "]"));
    members.push_back(String("data_offsets") + ":" +
                      List({std::to_string(tensor.begin), std::to_string(tensor.end)}, "[", "]"));
    if (random_.OneIn(4)) members.push_back(String("note") + R"(:[{"dtype":"F33"},-0.5e+1,null,"\\"])");
    Shuffle(members);
    return Object(members);
  }

  // Of characters that have to be escaped, that may be, and of each length in UTF-8.
  std::string Text() {
    static constexpr const char* kCharacters[] = {
        "a", "Z", ".", "_", "\"", "\\", "/", "\n", "\x01", "\x7f", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    std::string text;
    for (uint64_t i = random_.Below(20); i > 0; --i) text += kCharacters[random_.Below(std::size(kCharacters))];
    return text;
  }

  std::string String(const std::string& text) {
    std::string out = "\"";
    for (size_t i = 0; i < text.size(); ++i) {
      const char each = text[i];
      if (text.compare(i, 4, "\xF0\x9F\x98\x80") == 0 && random_.OneIn(2)) {
        out += random_.OneIn(2) ? "\\ud83d\\ude00" : "\\uD83D\\uDE00";
        i += 3;
      } else if (each == '"' || each == '\\' || (each == '/' && random_.OneIn(2))) {
        out += std::string("\\") + each;
      } else if (each == '\n' && random_.OneIn(2)) {
        out += "\\n";
      } else if (each == '\n' || each == '\x01' || (each == 'a' && random_.OneIn(4))) {
        out += each == '\n' ? "\\u000A" : each == 'a' ? "\\u0061" : "\\u0001";
      } else {
        out += each;
      }
    }
    return out + "\"";
  }

  std::string Space() {
    std::string space;
    while (random_.OneIn(3)) space += " \t\r\n"[random_.Below(4)];
    return space;
  }

  std::string Object(const std::vector<std::string>& members) { return List(members, "{", "}"); }

  std::string List(const std::vector<std::string>& items, const char* open, const char* close) {
    std::string out = Space() + open;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += ',';
      out += Space() + items[i] + Space();
    }
    return out + close;
  }

  template <class T>
  void Shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random_.Below(i)]);
  }

  Random random_;
};

bool IsSame(const Tensor& read, const Tensor& wanted, uint64_t data_start) {
  return read.name == wanted.name && std::string(read.dtype->name) == wanted.dtype->name &&
         read.shape == wanted.shape && read.begin == data_start + wanted.begin && read.end == data_start + wanted.end;
}

TEST(Safetensors, ReadsBackWhateverAnotherWriterWrote) {
  for (uint64_t i = 0; i < 3000; ++i) {
    const Written written = Writer(check::Seed() + i).Write();
    const SafetensorsHeader header = Accepted(written.json, written.data_bytes);
    REQUIRE(header.tensors.size() == written.tensors.size());
    for (size_t t = 0; t < header.tensors.size(); ++t) {
      CHECK(IsSame(header.tensors[t], written.tensors[t], header.data_start));
    }
    CHECK(header.metadata == written.metadata);
  }
}

// A byte changed, a piece cut out, repeated, or put in.
std::string Mutated(Random& random, std::string text) {
  static constexpr std::string_view kCharacters = "{}[],:\"0-.e\\ \xff";
  static constexpr const char* kPieces[] = {"\\u0061", "\\ud800", "\"a\":", "null", "\"shape\":[0],"};
  for (uint64_t changes = 1 + random.Below(3); changes > 0; --changes) {
    const size_t at = random.Below(text.size() + 1);
    const size_t bytes = std::min<size_t>(random.Below(12), text.size() - at);
    switch (random.Below(5)) {
      case 0: text.replace(at, std::min<size_t>(bytes, 1), 1, static_cast<char>(random.Next())); break;
      case 1: text.erase(at, bytes); break;
      case 2: text.insert(at, text.substr(at, bytes)); break;
      case 3: text.insert(at, 1, kCharacters[random.Below(kCharacters.size())]); break;
      default: text.insert(at, kPieces[random.Below(std::size(kPieces))]);
    }
  }
  return text;
}

TEST(Safetensors, BelievesNoMutatedHeaderThatContradictsItself) {
  Random random(check::Seed());
  size_t accepted = 0;
  constexpr size_t kMutants = 40000;
  Written written;
  for (size_t i = 0; i < kMutants; ++i) {
    if (i % 20 == 0) written = Writer(random.Next()).Write();
    const std::string json = Mutated(random, written.json);
    const Parsed<SafetensorsHeader> parsed = ParseJson(json, written.data_bytes);
    CHECK_EQ(check::Violation(parsed, kSafetensorsLengthBytes + json.size() + written.data_bytes), "");
    accepted += std::holds_alternative<SafetensorsHeader>(parsed) ? 1 : 0;
  }
  CHECK(accepted > 0 && accepted < kMutants);
}

TEST(Safetensors, BelievesNoMutatedFileThatContradictsItself) {
  Random random(check::Seed());
  for (size_t i = 0; i < 4000; ++i) {
    const Written written = Writer(random.Next()).Write();
    const std::string file =
        LengthBytes(written.json.size()) + written.json + std::string(written.data_bytes % 999, 'd');
    const std::string mutant = Mutated(random, file);
    CHECK_EQ(check::Violation(ParseSafetensors(Bytes(mutant), mutant.size()), mutant.size()), "");
  }
}

TEST(Safetensors, BelievesNoHeaderThatIsCutAnywhere) {
  const Written written = Writer(1).Write();
  for (size_t bytes = 0; bytes < written.json.find_last_of('}'); ++bytes) {
    const std::string code = CodeOf(ParseJson(written.json.substr(0, bytes), written.data_bytes));
    CHECK(code == "ERR_WEIGHTS_HEADER_JSON" || code == "ERR_WEIGHTS_HEADER_UTF8");
  }
}

// --- large headers

uint64_t PeakBytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
  return static_cast<uint64_t>(usage.ru_maxrss);
#else
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
#endif
}

// Tensors of so many bytes, each a byte behind the one before; the last one first.
std::string LargeHeader(size_t count, uint64_t tensor_bytes) {
  std::string json = "{";
  for (size_t i = count; i-- > 0;) {
    const std::string number = std::to_string(i), next = std::to_string(i + tensor_bytes);
    json += "\"" + number + R"(":{"dtype":"U8","shape":[)" + std::to_string(tensor_bytes) + R"(],"data_offsets":[)" +
            number + "," + next + "]},";
  }
  json.back() = '}';
  return json;
}

TEST(Safetensors, ReadsAMillionTensorsInMemoryProportionalToTheHeader) {
#if defined(ZEROHOP_SANITIZED)  // who keep what was freed, and more
  constexpr size_t kCount = 100000, kTimesMax = 100;
#else
  constexpr size_t kCount = 1000000, kTimesMax = 10;
#endif
  const std::string json = LargeHeader(kCount, 1);
  const std::string head = LengthBytes(json.size()) + json;
  const uint64_t before = PeakBytes();
  const Parsed<SafetensorsHeader> parsed = ParseSafetensors(Bytes(head), head.size() + kCount);
  CHECK(PeakBytes() - before < kTimesMax * head.size());
  REQUIRE(std::holds_alternative<SafetensorsHeader>(parsed));
  const auto& header = std::get<SafetensorsHeader>(parsed);
  CHECK_EQ(header.tensors.size(), kCount);
  CHECK_EQ(header.tensors.front().name, "0");
  CHECK_EQ(header.tensors.back().name, std::to_string(kCount - 1));
  CHECK_EQ(header.tensors.back().end, head.size() + kCount);
}

TEST(Safetensors, RefusesAHundredThousandTensorsThatOverlap) {
  CHECK_EQ(Lie(LargeHeader(100000, 2), 100001), "ERR_WEIGHTS_OFFSETS");
}

TEST(Safetensors, RefusesAMillionTimesTheSameName) {
  std::string json = R"({"a":{"x":{"a":"",^"a":"")";
  for (int i = 2; i < 1000000; ++i) json += R"(,"a":"")";
  CHECK_EQ(Lie(json + "}}}", 0), "ERR_WEIGHTS_DUPLICATE");
}

TEST(Safetensors, RefusesMoreTensorsAndTextsThanAnyModelHas) {
  CHECK_EQ(Lie(LargeHeader(kTensorsMax + 1, 1), kTensorsMax + 1), "ERR_WEIGHTS_COUNT");
  const auto with_texts = [](uint64_t count) {
    std::string json = R"({"__metadata__":{"a":"")";
    for (uint64_t i = 1; i < count; ++i) json += ",\"" + std::to_string(i) + R"(":"")";
    return json + "}}";
  };
  CHECK_EQ(Lie(with_texts(kMetadataMax), 0), "accepted");
  CHECK_EQ(Lie(with_texts(kMetadataMax + 1), 0), "ERR_WEIGHTS_COUNT");
}

TEST(Safetensors, RefusesAShapeOfAMillionZeros) {
  std::string json = R"({"a":{"dtype":"U8","data_offsets":[0,0],"shape":[0)";
  for (int i = 1; i < 1000000; ++i) json += ",0";
  CHECK_EQ(Lie(json + "]}}", 0), "ERR_WEIGHTS_SHAPE");
}

// --- the index of shards

std::string IndexLie(std::string json) {
  const size_t place = json.find('^');
  if (place != std::string::npos) json.erase(place, 1);
  const Parsed<NamedTexts> parsed = ParseShardIndex(Bytes(json));
  CHECK_EQ(check::Violation(parsed, json.size()), "");
  const bool here = place == std::string::npos || OffsetOf(parsed) == place;
  return CodeOf(parsed) + (here ? "" : " at byte " + std::to_string(OffsetOf(parsed)));
}

TEST(ShardIndex, TellsTheFileOfEachTensor) {
  const std::string json = R"({"metadata":{"total_size":16,"note":{"x":[null]}},"weight_map":)"
                           R"({"b":"model-00001-of-00002.safetensors","\u0061":"..a b.é"}})";
  const Parsed<NamedTexts> parsed = ParseShardIndex(Bytes(json));
  REQUIRE(std::holds_alternative<NamedTexts>(parsed));
  const NamedTexts expected = {{"b", "model-00001-of-00002.safetensors"}, {"a", "..a b.é"}};
  CHECK(std::get<NamedTexts>(parsed) == expected);
  CHECK_EQ(IndexLie(R"({"weight_map":{}})"), "accepted");
}

TEST(ShardIndex, RefusesAFileThatIsNotBesideTheIndex) {
  for (const char* file : {"", ".", "..", "/a", "a/b", "../a", "a/..", "a/", "\\\\a", "..\\\\a", "\\/a", "\\u002fa",
                           "\\u005ca", "a\\u0000b", "\\u0000", "C:a", "c:\\\\a", "a:b", "/etc/passwd"}) {
    CHECK_EQ(IndexLie(std::string(R"({"weight_map":{"good":"good","t":^")") + file + "\"}}"), "ERR_WEIGHTS_SHARD_NAME");
  }
}

TEST(ShardIndex, RefusesATensorThatIsTwice) {
  CHECK_EQ(IndexLie(R"({"weight_map":{"a":"1",^"\u0061":"2"}})"), "ERR_WEIGHTS_DUPLICATE");
  CHECK_EQ(IndexLie(R"({"weight_map":{"a":"1"},^"weight_map":{"b":"1"}})"), "ERR_WEIGHTS_DUPLICATE");
  CHECK_EQ(IndexLie(R"({"weight_map":{},"metadata":{"a":1,^"a":1}})"), "ERR_WEIGHTS_DUPLICATE");
}

TEST(ShardIndex, RefusesAnotherForm) {
  for (const char* json : {"^", "^[]", "^{}", "^{\"metadata\":{}}", R"({"weight_map":^[]})", R"({"weight_map":^null})",
                           R"({"weight_map":{"a":^1}})", R"({"weight_map":{}}^x)", R"({"weight_map":{"a":"b"^)"}) {
    CHECK_EQ(IndexLie(json), "ERR_WEIGHTS_INDEX_JSON");
  }
  CHECK_EQ(IndexLie("{\"^\xff\":1}"), "ERR_WEIGHTS_INDEX_UTF8");
}

TEST(ShardIndex, RefusesMoreThanAnIndexCanNeed) {
  const std::string json(kShardIndexMax + 1, ' ');
  CHECK_EQ(CodeOf(ParseShardIndex(Bytes(json))), "ERR_WEIGHTS_INDEX_SIZE");
}

}  // namespace
}  // namespace zerohop
