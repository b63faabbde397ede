// gguf_memory_test.cc: what ParseGguf asks for is bounded by the bytes that it was given, and may be refused.
#include <new>
#include <span>
#include <string>
#include <variant>

#include "check.h"
#include "failure/failing_memory.h"
#include "weights/gguf.h"
#include "weights/gguf_writer.h"

namespace zerohop {
namespace {

using testing::Array;
using testing::Lengthy;
using testing::Plain;
using testing::Valued;
using testing::WriteHeader;
using testing::WrittenFile;

constexpr uint64_t kClaimedBytes = uint64_t{1} << 40;

// What a parse asks for in all, given `header` of a file of a TiB, whether it is taken or not.
uint64_t BytesFor(const std::string& header, bool taken) {
  const uint64_t before = failure::BytesRequested();
  {
    const auto parsed = ParseGguf({reinterpret_cast<const std::byte*>(header.data()), header.size()}, kClaimedBytes);
    CHECK_EQ(parsed.index() == 0, taken);
  }
  return failure::BytesRequested() - before;
}

uint64_t BytesAllowed(const std::string& header) { return 2048 + 8 * header.size(); }

WrittenFile Many(int count) {
  WrittenFile file;
  for (int i = 0; i < count; ++i) {
    // The smallest that there are: what is made of them is larger.
    file.values.push_back(Valued(Plain(static_cast<uint16_t>(0x2020 + i % 94 + i / 94 * 256)), 0, "\1"));
    file.tensors.push_back({.name = Plain(static_cast<uint16_t>(0x2020 + i % 94 + i / 94 * 256)), .dimensions = {8}});
  }
  return file;
}

}  // namespace

TEST(GgufMemory, IsNotAskedForBecauseOfACountAlone) {
  uint64_t limits[] = {UINT64_MAX, INT64_MAX, uint64_t{1} << 61, uint64_t{1} << 36, uint64_t{1} << 32, 0, 0, 0};
  for (size_t i = 5; i < 8; ++i) limits[i] = kGgufHeaderBytesMax / (i * i);
  for (const uint64_t count : limits) {
    const std::string headers[] = {
        WriteHeader({.tensor_count = count}),
        WriteHeader({.value_count = count}),
        WriteHeader({.values = {Valued("k", 9, Array(0, count, "abc"))}}),
        WriteHeader({.values = {Valued("k", 9, Array(8, count, Lengthy("abc")))}}),
        WriteHeader({.values = {Valued("k", 8, Plain(count) + "abc")}}),
        WriteHeader({.values = {Plain(count) + std::string(40, 'k')}}),
        WriteHeader({.tensors = {{.name_bytes = count}}}),
        WriteHeader({.tensors = {{.dimension_count = static_cast<uint32_t>(count)}}}),
    };
    for (const std::string& header : headers) CHECK(BytesFor(header, /*taken=*/false) <= BytesAllowed(header));
  }
}

TEST(GgufMemory, IsAFewTimesTheHeader) {
  for (const int count : {0, 1, 10, 100, 1000, 8000}) {
    const std::string header = WriteHeader(Many(count));
    CHECK(BytesFor(header, /*taken=*/true) <= BytesAllowed(header));
  }
}

TEST(GgufMemory, MayBeRefused) {
  WrittenFile file = Many(20);
  file.values.push_back(Valued(std::string(200, 'k'), 8, Lengthy("abc")));
  const std::string header = WriteHeader(file);
  for (uint64_t granted = 0;; ++granted) {
    bool taken = false;
    {
      const failure::Refusal refusal(granted, /*lasting=*/false);
      try {
        const std::span bytes(reinterpret_cast<const std::byte*>(header.data()), header.size());
        taken = ParseGguf(bytes, kClaimedBytes).index() == 0;
      } catch (const std::bad_alloc&) {
      }
    }
    CHECK_EQ(taken, !failure::Refusal::happened());
    if (taken) {
      CHECK(granted > 20);
      break;
    }
  }
}

}  // namespace zerohop
