#include "resp/look_ahead.h"

namespace zerohop::resp {
namespace {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Reads `mark`, a number of at most four digits and a line end at `at`.  Returns where the next line starts; 0: it is
// something else, or not all there.
inline size_t ReadCount(std::string_view input, size_t at, char mark, size_t* count) {
  constexpr size_t kLineMax = 7;
  const char* const text = input.data() + at;
  if (input.size() - at < kLineMax) {
    // Near the end of the input.  Only the last word of the last request can be this short.
    if (input.size() - at < 4 || text[0] != mark || !IsDigit(text[1]) || text[2] != '\r') return 0;
    *count = static_cast<size_t>(text[1] - '0');
    return at + 4;
  }
  if (text[0] != mark || !IsDigit(text[1])) return 0;
  size_t number = static_cast<size_t>(text[1] - '0');
  size_t digits = 1;
  if (text[2] != '\r') {
    if (number == 0) return 0;  // no leading zero
    for (digits = 2; digits <= 4; ++digits) {
      if (!IsDigit(text[digits])) return 0;
      number = number * 10 + static_cast<size_t>(text[digits] - '0');
      if (text[digits + 1] == '\r') break;
    }
    if (digits > 4) return 0;
  }
  *count = number;
  return at + digits + 3;
}

}  // namespace

bool LookAhead::Request::Read(std::string_view input, size_t at) {
  at_ = at;
  has_key_hash = false;
  size_t words;
  at = ReadCount(input, at, '*', &words);
  if (at == 0 || words == 0 || words > kWordsMax) return false;
  for (size_t i = 0; i < words; ++i) {
    size_t bytes;
    at = ReadCount(input, at, '$', &bytes);
    if (at == 0 || input.size() - at < bytes + 2) return false;
    places_[i] = {at, bytes};
    at += bytes + 2;
  }
  words_ = static_cast<uint32_t>(words);
  end_ = at;
  return true;
}

void LookAhead::Read(std::string_view input, size_t at) {
  count_ = next_ = 0;
  while (count_ < kRequestsMax && requests_[count_].Read(input, at)) at = requests_[count_++].end();
}

}  // namespace zerohop::resp
