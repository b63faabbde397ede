#include "weights/gguf_split.h"

#include <algorithm>
#include <cstdint>

namespace zerohop {
namespace {

constexpr size_t kGgufSplitDigits = 5;
constexpr std::string_view kGgufSplitOf = "-of-", kGgufSplitEnding = ".gguf";
constexpr size_t kGgufSplitTailBytes =
    1 + kGgufSplitDigits + kGgufSplitOf.size() + kGgufSplitDigits + kGgufSplitEnding.size();
constexpr uint32_t kGgufSplitCountMax = 65535;  // the header's number is an UINT16
constexpr size_t kFileNameBytesMax = 255;       // of every file system that matters

// The number of five digits; 0 if they are not all digits, which no file has either.
uint32_t GgufSplitNumber(std::string_view digits) {
  uint32_t number = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return 0;
    number = number * 10 + static_cast<uint32_t>(digit - '0');
  }
  return number;
}

std::string GgufSplitDigits(uint32_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kGgufSplitDigits - digits.size(), '0') + digits;
}

}  // namespace

Parsed<std::vector<std::string>> GgufSplitNames(std::string_view basename) {
  const auto refuse = [](const char* why, size_t at) { return Refusal{"ERR_WEIGHTS_SPLIT", why, at}; };
  // A backslash is a separator on some systems; files travel.
  const auto stranger = std::find_if(basename.begin(), basename.end(), [](char c) {
    return c == '/' || c == '\\' || static_cast<unsigned char>(c) < ' ' || c == '\x7f';
  });
  if (stranger != basename.end()) {
    return refuse("a separator or control character in a file's name",
                  static_cast<size_t>(stranger - basename.begin()));
  }
  if (basename.size() > kFileNameBytesMax) return refuse("a file's name of over 255 bytes", kFileNameBytesMax);
  if (basename.size() <= kGgufSplitTailBytes) return refuse("not of the form x-00001-of-00005.gguf", 0);
  const std::string_view model = basename.substr(0, basename.size() - kGgufSplitTailBytes);
  const std::string_view tail = basename.substr(model.size());
  const size_t count_at = 1 + kGgufSplitDigits + kGgufSplitOf.size();
  const uint32_t number = GgufSplitNumber(tail.substr(1, kGgufSplitDigits));
  const uint32_t count = GgufSplitNumber(tail.substr(count_at, kGgufSplitDigits));
  const bool marked = tail.front() == '-' && tail.substr(1 + kGgufSplitDigits, kGgufSplitOf.size()) == kGgufSplitOf &&
                      tail.ends_with(kGgufSplitEnding);
  if (!marked || number == 0 || count == 0) return refuse("not of the form x-00001-of-00005.gguf", model.size());
  if (number > count) return refuse("a number above the count", model.size() + 1);
  if (count > kGgufSplitCountMax) return refuse("more than 65535 files", model.size() + count_at);
  std::vector<std::string> names;
  names.reserve(count);
  const std::string ending = std::string(kGgufSplitOf) + GgufSplitDigits(count) + std::string(kGgufSplitEnding);
  for (uint32_t i = 1; i <= count; ++i) names.push_back(std::string(model) + '-' + GgufSplitDigits(i) + ending);
  return names;
}

}  // namespace zerohop
