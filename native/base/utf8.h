// utf8.h: from UTF-16, as JavaScript's strings are, to UTF-8, as keys are.  Also tells whether bytes are UTF-8.
//
// Threads  any: pure functions.   Cost  ASCII: about one instruction a character.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE4_1__)
#include <smmintrin.h>
#endif

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

#if defined(__SSE4_1__)
// Eight units to eight bytes, likewise.
inline bool NarrowEight(const char16_t* units, char* out) {
  const __m128i some = _mm_loadu_si128(reinterpret_cast<const __m128i*>(units));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packus_epi16(some, some));
  return _mm_testz_si128(some, _mm_set1_epi16(static_cast<int16_t>(0xff80))) != 0;
}
#else
inline bool NarrowEight(const char16_t* units, char* out) {
  return NarrowFour(units, out) && NarrowFour(units + 4, out + 4);
}
#endif

// Writes the units as UTF-8 and returns how many bytes that is, or kMalformed if there is a lone surrogate.  REQUIRES:
// room for kUtf8BytesPerUnit * count bytes at `out`, and for four.
inline size_t EncodeUtf8(const char16_t* units, size_t count, char* out) {
  // The last ones are written last, some of them once more.
  bool ascii = count >= 4;
  if (count >= 8) {
    for (size_t at = 0; at + 8 < count && ascii; at += 8) ascii = NarrowEight(units + at, out + at);
    ascii = ascii && NarrowEight(units + count - 8, out + count - 8);
  } else if (ascii) {
    ascii = NarrowFour(units, out) && NarrowFour(units + count - 4, out + count - 4);
  }
  return ascii ? count : EncodeAnyUtf8(units, count, out);
}

// How many bytes, from the first on, make whole characters of UTF-8 [Unicode, table 3-7]; `count` if all do.
size_t WellFormedUtf8(const char* bytes, size_t count);

inline bool IsUtf8(std::string_view bytes) { return WellFormedUtf8(bytes.data(), bytes.size()) == bytes.size(); }

}  // namespace zerohop
