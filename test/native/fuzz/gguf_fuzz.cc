// gguf_fuzz.cc: hostile GGUF files: nothing outside of the bytes given is read, and what is believed is so.
//
// The input is the file.  Read whole; then piece by piece, which must come to the same; then as the beginning of a
// longer file.  Its first bytes are also the name of a split file.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "weights/gguf_checks.h"
#include "weights/gguf_split.h"

namespace {

using zerohop::GgufHeader;
using zerohop::Parsed;
using zerohop::Refusal;

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

void RequireBelievable(const Parsed<GgufHeader>& parsed, std::span<const std::byte> file, uint64_t file_bytes) {
  if (const auto* const header = std::get_if<GgufHeader>(&parsed)) {
    const char* const wrong = zerohop::testing::Wrong(*header, file, file_bytes);
    Require(wrong == nullptr, wrong);
    return;
  }
  const auto& refusal = std::get<Refusal>(parsed);
  Require(refusal.code.starts_with("ERR_WEIGHTS_") && !refusal.message.empty(), "a refusal says why");
  Require(refusal.offset <= file_bytes, "a refusal says where");
}

void TryName(std::string_view name) {
  const auto parsed = zerohop::GgufSplitNames(name);
  const auto* const names = std::get_if<std::vector<std::string>>(&parsed);
  if (names == nullptr) return;
  Require(std::count(names->begin(), names->end(), name) == 1, "a file is one of its own");
  for (const std::string& each : *names) {
    Require(each.size() == name.size() && each.find_first_of("/\\") == std::string::npos, "a name is of a file alone");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace zerohop::testing;
  const std::span<const std::byte> file(reinterpret_cast<const std::byte*>(data), bytes);
  const Parsed<GgufHeader> whole = ParseCopied(file, bytes);
  RequireBelievable(whole, file, bytes);
  uint64_t asked = 0;
  Require(Same(whole, ParsePiecewise(file, bytes, asked)), "piece by piece it is the same");
  for (const uint64_t file_bytes : {uint64_t{bytes} + 4096, uint64_t{1} << 40, uint64_t{INT64_MAX}, UINT64_MAX}) {
    RequireBelievable(ParsePiecewise(file, file_bytes, asked), file, file_bytes);
  }
  TryName({reinterpret_cast<const char*>(data), std::min<size_t>(bytes, 300)});
  return 0;
}
