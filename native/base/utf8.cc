#include "base/utf8.h"

namespace zerohop {
namespace {

constexpr bool IsHigh(char16_t unit) { return (unit & 0xfc00) == 0xd800; }
constexpr bool IsLow(char16_t unit) { return (unit & 0xfc00) == 0xdc00; }

}  // namespace

size_t EncodeAnyUtf8(const char16_t* units, size_t count, char* out) {
  char* to = out;
  const auto put = [&to](uint32_t byte) { *to++ = static_cast<char>(byte); };
  const auto put_rest = [&put](uint32_t code, int shift) { put(0x80 | ((code >> shift) & 0x3f)); };
  for (size_t i = 0; i < count; ++i) {
    const uint32_t unit = units[i];
    if (unit < 0x80) {
      put(unit);
    } else if (unit < 0x800) {
      put(0xc0 | (unit >> 6));
      put_rest(unit, 0);
    } else if (IsHigh(units[i])) {
      if (i + 1 == count || !IsLow(units[i + 1])) return kMalformed;
      const uint32_t code = 0x10000 + ((unit & 0x3ff) << 10) + (units[++i] & 0x3ffu);
      put(0xf0 | (code >> 18));
      put_rest(code, 12);
      put_rest(code, 6);
      put_rest(code, 0);
    } else {
      if (IsLow(units[i])) return kMalformed;
      put(0xe0 | (unit >> 12));
      put_rest(unit, 6);
      put_rest(unit, 0);
    }
  }
  return static_cast<size_t>(to - out);
}

}  // namespace zerohop
