// safetensors_large_test.cc: large safetensors headers take memory and time in proportion, or are refused.
#include <sys/resource.h>

#include <string>

#include "check.h"
#include "weights/safetensors.h"
#include "weights/safetensors_reading.h"

namespace zerohop {
namespace {

using testing::Bytes;
using testing::LengthBytes;
using testing::Lie;

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

}  // namespace
}  // namespace zerohop
