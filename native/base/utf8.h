// utf8.h: from UTF-16, as JavaScript's strings are, to UTF-8, as keys are.  Also tells whether bytes are UTF-8.
//
// Threads  any: pure functions.   Cost  ASCII: about one instruction a character.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace zerohop {

inline constexpr size_t kUtf8BytesPerUnit = 3;  // at most
inline constexpr size_t kMalformed = SIZE_MAX;  // instead of a length

// The general case of EncodeUtf8.
size_t EncodeAnyUtf8(const char16_t* units, size_t count, char* out);

// Four units to four bytes; false, and nothing of use written, if one of them is no ASCII.
inline bool NarrowFour(const char16_t* units, char* out) {
  uint64_t word;
  std::memcpy(&word, units, sizeof(word));
  const bool ascii = (word & 0xff80ff80ff80ff80u) == 0;
  word |= word >> 8;  // little-endian: pairs of bytes side by side, at 0 and at 4
  word = (word & 0xffff) | ((word >> 16) & 0xffff0000);
  const auto bytes = static_cast<uint32_t>(word);
  std::memcpy(out, &bytes, sizeof(bytes));
  return ascii;
}

// Writes the units as UTF-8 and returns how many bytes that is, or kMalformed if there is a lone surrogate.  REQUIRES:
// room for kUtf8BytesPerUnit * count bytes at `out`, and for four.
inline size_t EncodeUtf8(const char16_t* units, size_t count, char* out) {
  if (count < 4) return EncodeAnyUtf8(units, count, out);
  for (size_t at = 0; at + 4 <= count; at += 4) {
    if (!NarrowFour(units + at, out + at)) return EncodeAnyUtf8(units, count, out);
  }
  // The last four, some of them once more.
  return NarrowFour(units + count - 4, out + count - 4) ? count : EncodeAnyUtf8(units, count, out);
}

// How many bytes, from the first on, make whole characters of UTF-8 [Unicode, table 3-7]; `count` if all do.
size_t WellFormedUtf8(const char* bytes, size_t count);

inline bool IsUtf8(std::string_view bytes) { return WellFormedUtf8(bytes.data(), bytes.size()) == bytes.size(); }

}  // namespace zerohop
