#include "resp/parser.h"

#include <algorithm>
#include <cstring>

namespace zerohop::resp {
namespace {

// A whole number exactly as Redis's string2ll takes it: no sign but '-', no leading zero, no space.
bool ReadCount(const char* text, size_t bytes, int64_t* value) {
  if (bytes == 1 && text[0] >= '0' && text[0] <= '9') [[likely]] {
    *value = text[0] - '0';
    return true;
  }
  const bool negative = bytes > 0 && text[0] == '-';
  if (negative) ++text, --bytes;
  if (bytes == 0 || bytes > 18 || text[0] < '1' || text[0] > '9') return false;
  int64_t number = 0;
  for (size_t i = 0; i < bytes; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    number = number * 10 + (text[i] - '0');
  }
  *value = negative ? -number : number;
  return true;
}

enum class Line { kWhole, kIncomplete, kTooLong };

// The line that starts at `from`: where its '\r' is.  Two bytes end it; the second is not looked at, as in Redis.
Line FindLine(std::string_view input, size_t from, size_t* end) {
  const size_t left = input.size() - from;
  // The usual line is short: a byte by byte look is over before memchr has begun.
  const char* const text = input.data() + from;
  size_t at = 0;
  const size_t near = std::min<size_t>(left, 12);
  while (at < near && text[at] != '\r') ++at;
  if (at == near && near < left) {
    const void* const found = std::memchr(text + at, '\r', left - at);
    at = found == nullptr ? left : static_cast<size_t>(static_cast<const char*>(found) - text);
  }
  if (at == left) return left > kInlineBytesMax ? Line::kTooLong : Line::kIncomplete;
  if (at + 2 > left) return Line::kIncomplete;
  *end = from + at;
  return Line::kWhole;
}

bool SeparatesWords(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Unescaped(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

}  // namespace

Parser::Outcome Parser::Next(std::string_view input, const Limits& limits, Request* request) {
  if (input.empty()) return Outcome::kIncomplete;
  if (input[0] != '*') [[unlikely]]
    return Inline(input, request);
  return Multibulk(input, limits, request);
}

Parser::Outcome Parser::Fail(std::string_view text) {
  error_.assign("Protocol error: ").append(text);
  return Outcome::kError;
}

Parser::Outcome Parser::Begin(std::string_view input, const Limits& limits) {
  size_t end;
  switch (FindLine(input, 1, &end)) {
    case Line::kTooLong: return Fail("too big mbulk count string");
    case Line::kIncomplete: return Outcome::kIncomplete;
    case Line::kWhole: break;
  }
  int64_t words;
  if (!ReadCount(input.data() + 1, end - 1, &words) || words > kMultibulkMax) return Fail("invalid multibulk length");
  if (words > kUnauthenticatedWordsMax && !limits.authenticated) return Fail("unauthenticated multibulk length");
  begun_ = true;
  words_left_ = std::max<int64_t>(words, 0);
  at_ = end + 2;
  places_.clear();
  return Outcome::kRequest;
}

Parser::Outcome Parser::Multibulk(std::string_view input, const Limits& limits, Request* request) {
  if (!begun_) {
    const Outcome outcome = Begin(input, limits);
    if (outcome != Outcome::kRequest) return outcome;
  }
  while (words_left_ > 0) {
    if (bulk_bytes_ < 0) {
      if (at_ == input.size()) return Outcome::kIncomplete;
      size_t end;
      switch (FindLine(input, at_, &end)) {
        case Line::kTooLong: return Fail("too big bulk count string");
        case Line::kIncomplete: return Outcome::kIncomplete;
        case Line::kWhole: break;
      }
      if (input[at_] != '$') return Fail(std::string("expected '$', got '").append(1, input[at_]).append("'"));
      int64_t bytes;
      if (!ReadCount(input.data() + at_ + 1, end - at_ - 1, &bytes) || bytes < 0 || bytes > limits.bulk_bytes_max) {
        return Fail("invalid bulk length");
      }
      if (bytes > kUnauthenticatedBulkBytesMax && !limits.authenticated) return Fail("unauthenticated bulk length");
      bulk_bytes_ = bytes;
      at_ = end + 2;
    }
    const size_t bytes = static_cast<size_t>(bulk_bytes_);
    if (input.size() - at_ < bytes + 2) return Outcome::kIncomplete;
    if (places_.size() == places_.capacity() && places_.size() >= kManyWords) [[unlikely]]
      ReserveForMany();
    places_.push_back({at_, bytes});
    at_ += bytes + 2;
    bulk_bytes_ = -1;
    --words_left_;
  }
  request->args = Args(input.data(), places_);
  request->bytes = at_;
  begun_ = false;
  at_ = 0;
  return Outcome::kRequest;
}

// Who has sent so many words will send the others, too.  Nothing is copied for them then, and memory that is never
// written to does not exist.
void Parser::ReserveForMany() {
  places_.reserve(places_.size() +
                  std::min(static_cast<size_t>(words_left_), std::max(places_.size(), kManyMoreWords)));
}

Parser::Outcome Parser::Inline(std::string_view input, Request* request) {
  const void* const found = std::memchr(input.data() + at_, '\n', input.size() - at_);
  if (found == nullptr) {
    at_ = input.size();
    return at_ > kInlineBytesMax ? Fail("too big inline request") : Outcome::kIncomplete;
  }
  at_ = 0;
  const size_t end = static_cast<size_t>(static_cast<const char*>(found) - input.data());
  std::string_view line = input.substr(0, end);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (!Split(line)) return Fail("unbalanced quotes in request");
  request->args = Args(unquoted_.data(), places_);
  request->bytes = end + 1;
  return Outcome::kRequest;
}

// The words of a line, quoted as Redis's clients quote them: "…" with escapes, '…' with \' only.
bool Parser::Split(std::string_view line) {
  places_.clear();
  unquoted_.clear();
  // A NUL ends the line, as it ends the string that Redis reads.
  line = line.substr(0, line.find('\0'));
  size_t i = 0;
  for (;;) {
    while (i < line.size() && SeparatesWords(line[i])) ++i;
    if (i >= line.size()) return true;
    const size_t from = unquoted_.size();
    char quote = 0;
    for (;; ++i) {
      if (i >= line.size()) {
        if (quote != 0) return false;
        break;
      }
      const char c = line[i];
      if (quote == 0) {
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') break;
        if (c == '"' || c == '\'')
          quote = c;
        else
          unquoted_ += c;
      } else if (c == quote) {
        // What closes a quote also ends the word.
        ++i;
        if (i < line.size() && !SeparatesWords(line[i])) return false;
        break;
      } else if (c != '\\' || i + 1 >= line.size()) {
        unquoted_ += c;
      } else if (quote == '\'') {
        if (line[i + 1] == '\'') ++i;
        unquoted_ += line[i];
      } else if (line[i + 1] == 'x' && i + 3 < line.size() && HexDigit(line[i + 2]) >= 0 &&
                 HexDigit(line[i + 3]) >= 0) {
        unquoted_ += static_cast<char>(HexDigit(line[i + 2]) * 16 + HexDigit(line[i + 3]));
        i += 3;
      } else {
        ++i;
        unquoted_ += Unescaped(line[i]);
      }
    }
    places_.push_back({from, unquoted_.size() - from});
  }
}

}  // namespace zerohop::resp
