// numbers.h: numbers as Redis reads and writes them in values and arguments.
//
// An integer is what it prints as: no sign but a minus, no leading zeros, no spaces, and it fits into 64 bits.  A float
// is what strtold takes as a whole, without leading spaces, and is no NaN; it is written with 17 digits after the point
// at most, and never with an exponent.
//
// Threads  any: pure functions.  The process's locale does not matter.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace zerohop::resp {

std::optional<int64_t> ParseInteger(std::string_view text);
std::optional<long double> ParseFloat(std::string_view text);

std::string PrintFloat(long double value);

// An integer's text, without an allocation.
class IntegerText {
 public:
  explicit IntegerText(int64_t value);
  std::string_view view() const { return {text_.data(), bytes_}; }

 private:
  std::array<char, 24> text_;
  size_t bytes_;
};

}  // namespace zerohop::resp
