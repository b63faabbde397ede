#include "resp/glob.h"

#include <cstddef>
#include <utility>

namespace zerohop::resp {
namespace {

unsigned char Lower(char byte) {
  return static_cast<unsigned char>(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
}

template <bool kAnyCase>
unsigned char Folded(char byte) {
  return kAnyCase ? Lower(byte) : static_cast<unsigned char>(byte);
}

// Judges the set that begins after pattern[*at] == '['; leaves *at behind its `]`.  A set that nothing closes ends with
// the pattern.
template <bool kAnyCase>
bool InSet(std::string_view pattern, size_t* at, char byte) {
  size_t i = *at + 1;
  const unsigned char wanted = Folded<kAnyCase>(byte);
  const bool inverted = i < pattern.size() && pattern[i] == '^';
  if (inverted) ++i;
  bool found = false;
  for (; i < pattern.size() && pattern[i] != ']'; ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      found |= pattern[++i] == byte;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      unsigned char from = Folded<kAnyCase>(pattern[i]), to = Folded<kAnyCase>(pattern[i + 2]);
      if (from > to) std::swap(from, to);
      found |= from <= wanted && wanted <= to;
      i += 2;
    } else {
      found |= Folded<kAnyCase>(pattern[i]) == wanted;
    }
  }
  *at = i < pattern.size() ? i + 1 : i;
  return found != inverted;
}

// True if the pattern's element at *at matches the byte; leaves *at behind the element.
template <bool kAnyCase>
bool MatchesOne(std::string_view pattern, size_t* at, char byte) {
  switch (pattern[*at]) {
    case '?': ++*at; return true;
    case '[': return InSet<kAnyCase>(pattern, at, byte);
    case '\\':
      if (*at + 1 < pattern.size()) ++*at;
      [[fallthrough]];
    default: return Folded<kAnyCase>(pattern[(*at)++]) == Folded<kAnyCase>(byte);
  }
}

template <bool kAnyCase>
bool Matches(std::string_view pattern, std::string_view text) {
  constexpr size_t kNone = static_cast<size_t>(-1);
  size_t at = 0, in_text = 0;
  size_t behind_star = kNone, star_ends = 0;  // the last star, and where in the text what it stands for ends
  while (in_text < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      behind_star = ++at;
      star_ends = in_text;
    } else if (at < pattern.size() && MatchesOne<kAnyCase>(pattern, &at, text[in_text])) {
      ++in_text;
    } else if (behind_star != kNone) {
      at = behind_star;
      in_text = ++star_ends;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

}  // namespace

bool GlobMatches(std::string_view pattern, std::string_view text) { return Matches<false>(pattern, text); }
bool GlobMatchesAnyCase(std::string_view pattern, std::string_view text) { return Matches<true>(pattern, text); }

}  // namespace zerohop::resp
