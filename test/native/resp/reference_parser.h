// reference_parser.h: the protocol once more, as plainly as it can be said: from all bytes at once, one after the
// other.
//
// What resp/parser.h makes of the same bytes, however they are cut, must be the same (parser_test.cc, the fuzzer).
#pragma once

#include <cctype>
#include <optional>
#include <string>
#include <vector>

#include "resp/parser.h"

namespace zerohop::resp::testing {

struct Parsed {
  std::vector<std::vector<std::string>> requests;  // without empty ones
  std::string error;
  size_t used = 0;  // up to the request that is not complete
};

// A whole number as Redis's string2ll takes it.
inline std::optional<long long> ReferenceNumber(const std::string& text) {
  if (text == "0") return 0;
  const std::string digits = text.starts_with("-") ? text.substr(1) : text;
  if (digits.empty() || digits.size() > 18 || digits[0] == '0') return std::nullopt;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
  }
  return std::stoll(text);
}

// None: unbalanced quotes.
inline std::optional<std::vector<std::string>> ReferenceSplit(std::string line) {
  const auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  const auto hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  line = line.substr(0, line.find('\0'));
  std::vector<std::string> words;
  size_t i = 0;
  const auto at = [&](size_t k) { return k < line.size() ? line[k] : '\0'; };
  for (;;) {
    while (i < line.size() && space(line[i])) ++i;
    if (i >= line.size()) return words;
    std::string word;
    enum { kPlain, kDouble, kSingle } mode = kPlain;
    for (bool done = false; !done;) {
      const char c = at(i);
      if (mode == kPlain) {
        if (std::string(" \n\r\t").append(1, '\0').find(c) != std::string::npos) break;
        if (c == '"')
          mode = kDouble;
        else if (c == '\'')
          mode = kSingle;
        else
          word += c;
      } else if (c == '\0') {
        return std::nullopt;
      } else if (mode == kDouble && c == '\\' && at(i + 1) == 'x' && hex(at(i + 2)) && hex(at(i + 3))) {
        word += static_cast<char>(std::stoi(line.substr(i + 2, 2), nullptr, 16));
        i += 3;
      } else if (mode == kDouble && c == '\\' && at(i + 1) != '\0') {
        ++i;
        const size_t known = std::string("nrtba").find(line[i]);
        word += known == std::string::npos ? line[i] : "\n\r\t\b\a"[known];
      } else if (mode == kSingle && c == '\\' && at(i + 1) == '\'') {
        ++i;
        word += '\'';
      } else if (c == (mode == kDouble ? '"' : '\'')) {
        if (at(i + 1) != '\0' && !space(at(i + 1))) return std::nullopt;
        done = true;
      } else {
        word += c;
      }
      ++i;
    }
    words.push_back(word);
  }
}

inline Parsed ReferenceParse(const std::string& text, const Parser::Limits& limits) {
  Parsed parsed;
  const auto fail = [&](const std::string& what) {
    parsed.error = "Protocol error: " + what;
    return parsed;
  };
  // A line from `at` that '\r' and one more byte end; none if it is not there yet.
  const auto line = [&](size_t at) -> std::optional<std::string> {
    const size_t end = text.find('\r', at);
    if (end == std::string::npos || end + 2 > text.size()) return std::nullopt;
    return text.substr(at, end - at);
  };
  const auto too_long = [&](size_t at) {
    return text.find('\r', at) == std::string::npos && text.size() - at > kInlineBytesMax;
  };
  for (;;) {
    size_t at = parsed.used;
    if (at == text.size()) return parsed;
    std::vector<std::string> words;
    if (text[at] != '*') {
      const size_t end = text.find('\n', at);
      if (end == std::string::npos) {
        if (text.size() - at > kInlineBytesMax) return fail("too big inline request");
        return parsed;
      }
      std::string one = text.substr(at, end - at);
      if (one.ends_with("\r")) one.pop_back();
      const auto split = ReferenceSplit(one);
      if (!split) return fail("unbalanced quotes in request");
      words = *split;
      at = end + 1;
    } else {
      if (too_long(at + 1)) return fail("too big mbulk count string");
      const auto count_line = line(at + 1);
      if (!count_line) return parsed;
      const auto count = ReferenceNumber(*count_line);
      if (!count || *count > INT32_MAX) return fail("invalid multibulk length");
      if (*count > 10 && !limits.authenticated) return fail("unauthenticated multibulk length");
      at += 1 + count_line->size() + 2;
      for (long long i = 0; i < *count; ++i) {
        if (at >= text.size()) return parsed;
        if (too_long(at)) return fail("too big bulk count string");
        const auto length_line = line(at);
        if (!length_line) return parsed;
        if (text[at] != '$') return fail(std::string("expected '$', got '").append(1, text[at]).append("'"));
        const auto length = ReferenceNumber(length_line->substr(1));
        if (!length || *length < 0 || *length > limits.bulk_bytes_max) return fail("invalid bulk length");
        if (*length > 16384 && !limits.authenticated) return fail("unauthenticated bulk length");
        at += length_line->size() + 2;
        if (text.size() - at < static_cast<size_t>(*length) + 2) return parsed;
        words.push_back(text.substr(at, static_cast<size_t>(*length)));
        at += static_cast<size_t>(*length) + 2;
      }
    }
    if (!words.empty()) parsed.requests.push_back(words);
    parsed.used = at;
  }
}

}  // namespace zerohop::resp::testing
