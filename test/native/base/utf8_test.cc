// utf8_test.cc: what EncodeUtf8 makes of well-formed text is what the standard says; of a lone surrogate, nothing. What
// WellFormedUtf8 takes for a character is what an independent decoder takes for one.
#include "base/utf8.h"

#include <string>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

// The encoding, or "malformed".
std::string Encoded(const std::u16string& text) {
  std::vector<char> out(text.size() * kUtf8BytesPerUnit + 4, '?');
  const size_t bytes = EncodeUtf8(text.data(), text.size(), out.data());
  return bytes == kMalformed ? "malformed" : std::string(out.data(), bytes);
}

TEST(EncodeUtf8, LeavesAsciiOfAnyLengthAsItIs) {
  for (size_t length = 0; length <= 40; ++length) {
    std::u16string text;
    std::string expected;
    for (size_t i = 0; i < length; ++i) {
      text.push_back(static_cast<char16_t>((i * 37 + length) % 128));
      expected.push_back(static_cast<char>((i * 37 + length) % 128));
    }
    CHECK_EQ(Encoded(text), expected);
  }
}

TEST(EncodeUtf8, WritesEachLengthOfSequenceAtEachPlace) {
  const struct {
    std::u16string text;
    std::string bytes;
  } characters[] = {{u"\u0080", "\xC2\x80"},
                    {u"\u07FF", "\xDF\xBF"},
                    {u"\u0800", "\xE0\xA0\x80"},
                    {u"\uFFFD", "\xEF\xBF\xBD"},
                    {u"\uFFFF", "\xEF\xBF\xBF"},
                    {u"\uD7FF", "\xED\x9F\xBF"},
                    {u"\uE000", "\xEE\x80\x80"},
                    {u"\U00010000", "\xF0\x90\x80\x80"},
                    {u"\U0010FFFF", "\xF4\x8F\xBF\xBF"}};
  for (const auto& [text, bytes] : characters) {
    for (size_t before = 0; before < 9; ++before) {
      for (size_t after = 0; after < 9; ++after) {
        CHECK_EQ(Encoded(std::u16string(before, u'a') + text + std::u16string(after, u'z')),
                 std::string(before, 'a') + bytes + std::string(after, 'z'));
      }
    }
  }
}

TEST(EncodeUtf8, RefusesALoneSurrogateAtEachPlace) {
  const std::u16string high(1, char16_t{0xD800}), low(1, char16_t{0xDC00});
  for (size_t before = 0; before < 9; ++before) {
    for (size_t after = 0; after < 9; ++after) {
      const std::u16string head(before, u'a'), tail(after, u'z');
      CHECK_EQ(Encoded(head + high + tail), std::string("malformed"));
      CHECK_EQ(Encoded(head + low + tail), std::string("malformed"));
      CHECK_EQ(Encoded(head + low + high + tail), std::string("malformed"));
      CHECK_EQ(Encoded(head + high + high + low + tail), std::string("malformed"));
    }
  }
}

TEST(EncodeUtf8, WritesNoByteBehindItsRoom) {
  for (size_t length = 4; length < 30; ++length) {
    const std::u16string text(length, u'a');
    std::vector<char> out(length * kUtf8BytesPerUnit + 1, '?');
    CHECK_EQ(EncodeUtf8(text.data(), length, out.data()), length);
    CHECK_EQ(out[length], '?');
  }
}

// By the definition: the bytes that encode the code point that they decode to.
size_t WellFormedByDefinition(const std::string& text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(text[at + i])); };
    const size_t length = byte(0) < 0x80       ? 1
                          : byte(0) >> 5 == 6  ? 2
                          : byte(0) >> 4 == 14 ? 3
                          : byte(0) >> 3 == 30 ? 4
                                               : 0;
    if (length == 0 || text.size() - at < length) return at;
    uint32_t code = length == 1 ? byte(0) : byte(0) & (0x7fu >> length);
    for (size_t i = 1; i < length; ++i) {
      if (byte(i) >> 6 != 2) return at;
      code = code << 6 | (byte(i) & 0x3f);
    }
    const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (code < least[length - 1] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return at;
    at += length;
  }
  return at;
}

TEST(WellFormedUtf8, AgreesWithTheDefinitionOnEveryBeginningOfACharacter) {
  const std::string others = std::string("\x00\x7f", 2) + "\x80\x8f\x90\x9f\xa0\xbf\xc0\xff";
  std::string text(8 + 4 + 8, 'a');
  for (int first = 0; first < 256; ++first) {
    text[8] = static_cast<char>(first);
    for (int second = 0; second < 256; ++second) {
      text[9] = static_cast<char>(second);
      for (const char third : others) {
        for (const char fourth : others) {
          text[10] = third;
          text[11] = fourth;
          if (WellFormedUtf8(text.data(), text.size()) != WellFormedByDefinition(text)) CHECK_EQ(text, "well-formed");
        }
      }
    }
  }
}

TEST(WellFormedUtf8, TakesNoCharacterThatIsCutByTheEnd) {
  for (const std::string character : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
    for (size_t before = 0; before < 18; ++before) {
      for (size_t bytes = 0; bytes <= character.size(); ++bytes) {
        const std::string text = std::string(before, 'a') + character.substr(0, bytes);
        CHECK_EQ(WellFormedUtf8(text.data(), text.size()), bytes == character.size() ? text.size() : before);
      }
    }
  }
}

}  // namespace
}  // namespace zerohop
