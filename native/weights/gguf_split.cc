#include "weights/gguf_split.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace zerohop {
namespace {

constexpr size_t kGgufSplitDigits = 5;
constexpr std::string_view kGgufSplitOf = "-of-", kGgufSplitEnding = ".gguf";
constexpr size_t kGgufSplitTailBytes =
    1 + kGgufSplitDigits + kGgufSplitOf.size() + kGgufSplitDigits + kGgufSplitEnding.size();
constexpr uint32_t kGgufSplitCountMax = UINT16_MAX;  // split.count is a UINT16
constexpr size_t kFileNameBytesMax = 255;            // NAME_MAX of the file systems in common use

// The number of five digits.  0 if they are not all digits: no file has the number 0.
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

// REQUIRES: the value has so many bytes.
template <class T>
T NumberOf(std::span<const std::byte> head, const GgufValue& value) {
  T number;
  std::memcpy(&number, head.data() + value.begin, sizeof(number));
  return number;
}

}  // namespace

Parsed<std::optional<GgufSplit>> ReadGgufSplit(std::span<const std::byte> head, const GgufHeader& header,
                                               uint64_t tensors) {
  const auto refuse = [](std::string why, const GgufValue* value) {
    return Refusal{"ERR_WEIGHTS_SPLIT", std::move(why), value->begin};
  };
  const GgufValue* const index = header.Find("split.no");
  const GgufValue* const count = header.Find("split.count");
  const GgufValue* const total = header.Find("split.tensors.count");
  const struct {
    const GgufValue* value;
    GgufType type;
  } expected[] = {{index, GgufType::kUint16}, {count, GgufType::kUint16}, {total, GgufType::kInt32}};
  for (const auto& [value, type] : expected) {
    if (value == nullptr || value->type == type) continue;
    return refuse(value->key + " is of the type " + GgufTypeName(value->type) + ", not " + GgufTypeName(type), value);
  }
  if (count == nullptr || NumberOf<uint16_t>(head, *count) < 2) return std::nullopt;
  if (index == nullptr || total == nullptr) {
    return refuse("split.count comes without split.no or split.tensors.count", count);
  }
  const GgufSplit split{.index = NumberOf<uint16_t>(head, *index), .count = NumberOf<uint16_t>(head, *count)};
  if (split.index >= split.count) {
    return refuse("split.no is " + std::to_string(split.index) + " of " + std::to_string(split.count) + ", from 0",
                  index);
  }
  const auto tensors_of_all = NumberOf<int32_t>(head, *total);
  if (tensors_of_all < 0 || static_cast<uint64_t>(tensors_of_all) < tensors) {
    return refuse(
        "split.tensors.count is " + std::to_string(tensors_of_all) + "; this file alone has " + std::to_string(tensors),
        total);
  }
  return GgufSplit{split.index, split.count, static_cast<uint64_t>(tensors_of_all)};
}

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
