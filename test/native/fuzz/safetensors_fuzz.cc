// safetensors_fuzz.cc: hostile headers and indexes: whatever is accepted holds together, and what is not says why.
//
//   input   u64 bytes of data | JSON       a header of a file with so much data; the same JSON as an index of shards
//   and     the whole input                as a file
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "weights/believed.h"

namespace {

void Require(const std::string& violation) {
  if (violation.empty()) return;
  std::fprintf(stderr, "%s\n", violation.c_str());
  std::abort();
}

// In a heap block of exactly the header's size, so that a byte too many is noticed.
void ParseAsHeader(const uint8_t* json, size_t bytes, uint64_t data_bytes) {
  using namespace zerohop;
  std::vector<std::byte> head(kSafetensorsLengthBytes + bytes);
  const uint64_t length = bytes;
  std::memcpy(head.data(), &length, sizeof(length));
  if (bytes > 0) std::memcpy(head.data() + kSafetensorsLengthBytes, json, bytes);
  uint64_t file_bytes = 0;
  if (__builtin_add_overflow(data_bytes, head.size(), &file_bytes)) file_bytes = UINT64_MAX;
  Require(check::Violation(ParseSafetensors(head, file_bytes), file_bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace zerohop;
  const std::vector<uint8_t> file(data, data + bytes);
  Require(check::Violation(ParseSafetensors(std::as_bytes(std::span(file)), bytes), bytes));
  uint64_t data_bytes = 0;
  if (bytes < sizeof(data_bytes)) return 0;
  std::memcpy(&data_bytes, data, sizeof(data_bytes));
  const std::vector<uint8_t> json(data + sizeof(data_bytes), data + bytes);
  ParseAsHeader(json.data(), json.size(), data_bytes);
  Require(check::Violation(ParseShardIndex(std::as_bytes(std::span(json))), json.size()));
  return 0;
}
