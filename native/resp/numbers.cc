#include "resp/numbers.h"

#include <cerrno>
#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

namespace zerohop::resp {
namespace {

constexpr size_t kFloatTextMax = 5 * 1024;  // what a long double can take, written out

// Points are points, whatever the process's locale says.
locale_t PlainLocale() {
  static const locale_t locale = ::newlocale(LC_ALL_MASK, "C", nullptr);
  return locale;
}

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

std::optional<int64_t> ParseInteger(std::string_view text) {
  if (text == "0") return 0;
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || digits[0] < '1' || digits[0] > '9') return std::nullopt;
  int64_t value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<long double> ParseFloat(std::string_view text) {
  char copy[kFloatTextMax];
  if (text.empty() || text.size() >= sizeof(copy) || IsBlank(text[0])) return std::nullopt;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  errno = 0;
  char* end = nullptr;
  const long double value = ::strtold_l(copy, &end, PlainLocale());
  if (end != copy + text.size() || std::isnan(value)) return std::nullopt;
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  return value;
}

std::string PrintFloat(long double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // std::to_chars, because snprintf goes by the locale.
  char text[kFloatTextMax];
  const char* end = std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed, 17).ptr;
  while (end[-1] == '0') --end;
  if (end[-1] == '.') --end;
  const std::string_view printed(text, static_cast<size_t>(end - text));
  return printed == "-0" ? "0" : std::string(printed);
}

IntegerText::IntegerText(int64_t value)
    : bytes_(static_cast<size_t>(std::to_chars(text_.data(), text_.data() + text_.size(), value).ptr - text_.data())) {}

}  // namespace zerohop::resp
