#include "resp/look_ahead.h"

namespace zerohop::resp {
namespace {

// Reads `mark`, a number and a line end at `*at`; false if they are not there.
bool ReadHead(std::string_view input, char mark, size_t* at, size_t* number) {
  size_t i = *at;
  if (i >= input.size() || input[i] != mark) return false;
  size_t value = 0;
  for (++i; i < input.size() && input[i] >= '0' && input[i] <= '9' && value < input.size(); ++i) {
    value = value * 10 + static_cast<size_t>(input[i] - '0');
  }
  if (i + 2 > input.size() || input[i] != '\r') return false;
  *at = i + 2;
  *number = value;
  return true;
}

// Reads a word and its line end at `*at`.
bool ReadWord(std::string_view input, size_t* at, std::string_view* word) {
  size_t bytes;
  if (!ReadHead(input, '$', at, &bytes) || input.size() - *at < bytes + 2) return false;
  *word = input.substr(*at, bytes);
  *at += bytes + 2;
  return true;
}

}  // namespace

LookedAhead LookAhead(std::string_view input, std::span<Bytes> keys) {
  constexpr size_t kStoreWordsMin = 3;
  // A longer request arrives in many parts, and it would be read from its start with each of them.
  constexpr size_t kWordsMax = 16;
  LookedAhead found;
  while (found.keys < keys.size()) {
    size_t at = found.bytes, words;
    if (!ReadHead(input, '*', &at, &words) || words > kWordsMax) return found;
    std::string_view word, key;
    for (size_t i = 0; i < words; ++i) {
      if (!ReadWord(input, &at, &word)) return found;
      if (i == 1) key = word;
    }
    found.bytes = at;
    if (words >= kStoreWordsMin) keys[found.keys++] = {reinterpret_cast<const std::byte*>(key.data()), key.size()};
  }
  return found;
}

}  // namespace zerohop::resp
