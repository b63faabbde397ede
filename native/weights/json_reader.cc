#include "weights/json_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/utf8.h"

namespace zerohop {
namespace {

constexpr size_t kQuotedBytesMax = 80;

constexpr bool IsDigit(char character) { return character >= '0' && character <= '9'; }
constexpr bool IsControl(char character) { return static_cast<unsigned char>(character) < 0x20 || character == 0x7f; }

std::string HexByte(char byte) {
  constexpr char kHexDigits[] = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(byte);
  return {kHexDigits[value >> 4], kHexDigits[value & 15]};
}

}  // namespace

std::string Quoted(std::string_view text) {
  const size_t shown = std::min(text.size(), kQuotedBytesMax);
  std::string out = "'";
  for (const char each : text.substr(0, WellFormedUtf8(text.data(), shown))) {
    out += IsControl(each) ? "\\x" + HexByte(each) : std::string(1, each);
  }
  return out + (shown < text.size() ? "…'" : "'");
}

JsonReader::JsonReader(std::span<const std::byte> text, uint64_t base, Codes codes)
    : text_(reinterpret_cast<const char*>(text.data()), text.size()), base_(base), codes_(codes) {
  const size_t well_formed = WellFormedUtf8(text_.data(), text_.size());
  if (well_formed == text_.size()) return;
  Refuse(codes_.utf8, base_ + well_formed, "expected UTF-8, found byte 0x" + HexByte(text_[well_formed]));
}

bool JsonReader::Refuse(const char* code, uint64_t offset, std::string message) {
  if (failed_) return false;
  failed_ = true;
  refusal_ = {code, std::move(message), offset};
  return false;
}

bool JsonReader::Expected(const char* what) {
  const char here = Here();
  std::string found = "the end";
  if (cursor_ < text_.size()) {
    const bool printable = !IsControl(here) && static_cast<unsigned char>(here) < 0x80;
    found = printable ? std::string{'\'', here, '\''} : "byte 0x" + HexByte(here);
  }
  return RefuseAt(cursor_, std::string("expected ") + what + ", found " + found);
}

void JsonReader::SkipSpace() {
  while (Here() == ' ' || Here() == '\n' || Here() == '\r' || Here() == '\t') ++cursor_;
}

char JsonReader::Peek() {
  SkipSpace();
  return Here();
}

uint64_t JsonReader::offset() {
  SkipSpace();
  return base_ + cursor_;
}

bool JsonReader::Take(char character) {
  if (Here() != character || cursor_ == text_.size()) return false;
  ++cursor_;
  return true;
}

// --- objects and arrays

bool JsonReader::BeginObject() { return Begin('{', '}', "an object"); }
bool JsonReader::BeginArray() { return Begin('[', ']', "an array"); }

bool JsonReader::Begin(char open, char close, const char* what) {
  if (failed_) return false;
  if (Peek() != open) return Expected(what);
  if (depth_ == kDepthMax) {
    return RefuseAt(cursor_, "expected values nested at most " + std::to_string(kDepthMax) + " deep");
  }
  ++cursor_;
  levels_[depth_++] = {names_.size(), close, true};
  return true;
}

// Goes to the next member or element.  False: there is none.
bool JsonReader::Next() {
  if (failed_) return false;
  Level& level = levels_[depth_ - 1];
  SkipSpace();
  if (Take(level.close)) return Leave();
  if (!std::exchange(level.empty, false) && !Take(',')) {
    return Expected(level.close == '}' ? "',' or '}'" : "',' or ']'");
  }
  SkipSpace();
  return true;
}

bool JsonReader::NextElement() { return Next(); }

bool JsonReader::NextName(std::string_view* name) {
  if (!Next()) return false;
  const size_t at = cursor_;
  if (!ReadString(name)) return false;
  SkipSpace();
  if (!Take(':')) return Expected("':'");
  names_.push_back({SipHash13(hash_key_, name->data(), name->size()), static_cast<uint32_t>(at)});
  return true;
}

// Leaves the innermost level, and compares the names of an object.  Returns false: the level has no more members.
bool JsonReader::Leave() {
  const auto begin = names_.begin() + static_cast<std::ptrdiff_t>(levels_[--depth_].names_begin);
  std::sort(begin, names_.end(), [](const Name& one, const Name& other) {
    return one.hash != other.hash ? one.hash < other.hash : one.at < other.at;
  });
  // Tells the first one in the file, whatever the order of the hashes.  Comparing neighbours is enough: another name of
  // the same hash stands between two equal ones only if the author knew the key.
  const Name* repeated = nullptr;
  for (auto name = begin; name != names_.end() && name + 1 != names_.end(); ++name) {
    const Name& next = name[1];
    if (name->hash != next.hash || (repeated != nullptr && repeated->at < next.at)) continue;
    if (TextAt(name->at) == TextAt(next.at)) repeated = &next;
  }
  if (repeated != nullptr) {
    Refuse("ERR_WEIGHTS_DUPLICATE", base_ + repeated->at,
           "expected each name once in an object, found " + Quoted(TextAt(repeated->at)) + " again");
  }
  names_.erase(begin, names_.end());
  return false;
}

// --- values

bool JsonReader::ReadString(std::string_view* text) {
  if (failed_) return false;
  if (Peek() != '"') return Expected("a string");
  size_t begin = ++cursor_;  // of the part that is not un-escaped yet
  bool escaped = false;
  for (;;) {
    while (Here() != '"' && Here() != '\\' && static_cast<unsigned char>(Here()) >= 0x20) ++cursor_;
    if (Here() == '"') break;
    if (Here() != '\\') return Expected(cursor_ < text_.size() ? "no control character" : "'\"'");
    if (!std::exchange(escaped, true)) unescaped_.clear();
    unescaped_.append(text_, begin, cursor_ - begin);
    if (!TakeEscape()) return false;
    begin = cursor_;
  }
  *text = text_.substr(begin, cursor_ - begin);
  if (escaped) *text = unescaped_.append(*text);
  ++cursor_;
  return true;
}

bool JsonReader::TakeEscape() {
  constexpr std::string_view kEscapes = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  ++cursor_;
  if (Here() == 'u') return TakeUnicodeEscape();
  const size_t which = kEscapes.find(Here());
  if (cursor_ == text_.size() || which == std::string_view::npos) return Expected("an escape");
  ++cursor_;
  unescaped_ += kMeanings[which];
  return true;
}

bool JsonReader::TakeUnicodeEscape() {
  const size_t at = cursor_ - 1;
  char16_t units[2];
  size_t count = 1;
  if (!TakeUnit(&units[0])) return false;
  if ((units[0] & 0xfc00) == 0xd800 && text_.substr(cursor_, 2) == "\\u") {
    ++cursor_;
    count = 2;
    if (!TakeUnit(&units[1])) return false;
  }
  char encoded[2 * kUtf8BytesPerUnit];
  const size_t bytes = EncodeAnyUtf8(units, count, encoded);
  if (bytes == kMalformed) return RefuseAt(at, "expected surrogates in pairs, found one alone");
  unescaped_.append(encoded, bytes);
  return true;
}

// After a backslash: u and four digits.
bool JsonReader::TakeUnit(char16_t* unit) {
  ++cursor_;
  const std::string_view digits = text_.substr(cursor_, 4);
  uint16_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  cursor_ += static_cast<size_t>(end - digits.data());
  if (error != std::errc() || end != digits.data() + 4) return Expected("four hexadecimal digits");
  *unit = value;
  return true;
}

// The name whose opening quote is at `at`.  It was read before, so it is well-formed.
std::string JsonReader::TextAt(uint32_t at) {
  const size_t here = std::exchange(cursor_, at);
  std::string_view text;
  ReadString(&text);
  cursor_ = here;
  return std::string(text);
}

bool JsonReader::ReadInteger(uint64_t* number) {
  if (failed_) return false;
  if (!IsDigit(Peek())) return Expected("an integer, not negative");
  const size_t at = cursor_;
  const auto [end, error] = std::from_chars(text_.data() + at, text_.data() + text_.size(), *number);
  cursor_ = static_cast<size_t>(end - text_.data());
  if (text_[at] == '0' && cursor_ > at + 1) return RefuseAt(at, "expected an integer without leading zeros");
  if (error != std::errc())
    return RefuseAt(at, "expected an integer below 2^64, found one of " + std::to_string(cursor_ - at) + " digits");
  if (Here() == '.' || Here() == 'e' || Here() == 'E') return Expected("an integer");
  return true;
}

bool JsonReader::TakeDigits() {
  if (!IsDigit(Here())) return Expected("a digit");
  while (IsDigit(Here())) ++cursor_;
  return true;
}

bool JsonReader::TakeNumber() {
  Take('-');
  if (!Take('0') && !TakeDigits()) return false;
  if (Take('.') && !TakeDigits()) return false;
  if (!Take('e') && !Take('E')) return true;
  if (!Take('+')) Take('-');
  return TakeDigits();
}

bool JsonReader::TakeLiteral(std::string_view literal) {
  if (text_.substr(cursor_, literal.size()) != literal) return Expected("a value");
  cursor_ += literal.size();
  return true;
}

bool JsonReader::Skip() {
  if (failed_) return false;
  const size_t outer = depth_;
  std::string_view ignored;
  SkipOne();
  while (!failed_ && depth_ > outer) {
    const bool more = levels_[depth_ - 1].close == '}' ? NextName(&ignored) : NextElement();
    if (more) SkipOne();
  }
  return !failed_;
}

// A value, or the beginning of one that holds others.
bool JsonReader::SkipOne() {
  std::string_view ignored;
  switch (Peek()) {
    case '{': return BeginObject();
    case '[': return BeginArray();
    case '"': return ReadString(&ignored);
    case 't': return TakeLiteral("true");
    case 'f': return TakeLiteral("false");
    case 'n': return TakeLiteral("null");
    default: return IsDigit(Here()) || Here() == '-' ? TakeNumber() : Expected("a value");
  }
}

bool JsonReader::End() {
  if (failed_) return false;
  SkipSpace();
  return cursor_ == text_.size() || Expected("the end");
}

}  // namespace zerohop
