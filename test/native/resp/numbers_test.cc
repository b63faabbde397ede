// Numbers are read and written as Redis 7 does.
#include "resp/numbers.h"

#include <clocale>
#include <cstdint>
#include <limits>
#include <string>

#include "check.h"

namespace zerohop::resp {

TEST(Numbers, AnIntegerIsWhatItPrintsAs) {
  check::Random random(check::Seed());
  for (int i = 0; i < 1000; ++i) {
    const auto value = static_cast<int64_t>(random.Next() >> random.Below(64)) * (random.OneIn(2) ? 1 : -1);
    CHECK_EQ(std::string(IntegerText(value).view()), std::to_string(value));
    CHECK(ParseInteger(IntegerText(value).view()) == value);
  }
  for (const int64_t value : {INT64_MIN, INT64_MAX, int64_t{0}}) {
    CHECK(ParseInteger(IntegerText(value).view()) == value);
  }
}

TEST(Numbers, WhatElseLooksLikeAnIntegerIsNone) {
  for (const std::string text : {"", "-", "-0", "00", "01", "-01", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "--1", "a",
                                 "9223372036854775808", "-9223372036854775809", "99999999999999999999999"}) {
    CHECK(!ParseInteger(text));
  }
  CHECK(!ParseInteger(std::string("1\0", 2)));
}

TEST(Numbers, AFloatIsWhatStrtoldTakesAsAWhole) {
  for (const auto& [text, value] : {std::pair<std::string, long double>{"1.5", 1.5L},
                                    {"+1", 1},
                                    {"-0", 0},
                                    {".5", .5L},
                                    {"5e-2", .05L},
                                    {"0x1p4", 16},
                                    {"1e400", 1e400L}}) {
    CHECK(ParseFloat(text) == value);
  }
  CHECK(ParseFloat("inf") == std::numeric_limits<long double>::infinity());
  CHECK(ParseFloat("-infinity") == -std::numeric_limits<long double>::infinity());
  for (const std::string text : {"", " 1", "1 ", "nan", "-nan", "1.5x", "1,5", "1e5000", "1e-5000", "0x"}) {
    CHECK(!ParseFloat(text));
  }
  CHECK(!ParseFloat(std::string("1\0", 2)));
  CHECK(!ParseFloat(std::string(6000, '1')));
}

TEST(Numbers, AFloatIsWrittenWithoutAnExponentAndWithoutWhatSaysNothing) {
  for (const auto& [value, text] : {std::pair<long double, std::string>{1, "1"},
                                    {3.14L, "3.14"},
                                    {-1.5L, "-1.5"},
                                    {-0.0L, "0"},
                                    {-1e-30L, "0"},
                                    {1e20L, "100000000000000000000"},
                                    {5e-17L, "0.00000000000000005"},
                                    {100, "100"}}) {
    CHECK_EQ(PrintFloat(value), text);
  }
  CHECK_EQ(PrintFloat(std::numeric_limits<long double>::infinity()), "inf");
  CHECK(PrintFloat(std::numeric_limits<long double>::max()).size() > 4000);
}

}  // namespace zerohop::resp
