#include "base/utf8.h"

namespace zerohop {
namespace {

constexpr bool IsHigh(char16_t unit) { return (unit & 0xfc00) == 0xd800; }
constexpr bool IsLow(char16_t unit) { return (unit & 0xfc00) == 0xdc00; }

// What a character may begin with, and what its second byte may then be: no longer form than needed, no surrogate,
// nothing above U+10FFFF.  Further bytes are 80..bf.
struct Sequence {
  uint8_t first_min, first_max;
  uint8_t bytes;
  uint8_t second_min, second_max;
};
constexpr Sequence kSequences[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f},
    {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f}};

// The length of the character that begins here, if it is not ASCII; 0 if no character begins here.
size_t SequenceBytes(const char* bytes, size_t left) {
  const auto byte = [bytes](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  for (const Sequence& each : kSequences) {
    if (byte(0) < each.first_min || byte(0) > each.first_max) continue;
    if (left < each.bytes || byte(1) < each.second_min || byte(1) > each.second_max) return 0;
    for (size_t i = 2; i < each.bytes; ++i) {
      if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    return each.bytes;
  }
  return 0;
}

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

size_t WellFormedUtf8(const char* bytes, size_t count) {
  size_t at = 0;
  while (at < count) {
    uint64_t word = ~uint64_t{0};
    if (count - at >= sizeof(word)) std::memcpy(&word, bytes + at, sizeof(word));
    if ((word & 0x8080808080808080u) == 0) {
      at += sizeof(word);
    } else if ((bytes[at] & 0x80) == 0) {
      ++at;
    } else {
      const size_t character = SequenceBytes(bytes + at, count - at);
      if (character == 0) return at;
      at += character;
    }
  }
  return count;
}

}  // namespace zerohop
