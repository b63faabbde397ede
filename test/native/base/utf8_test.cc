// utf8_test.cc: what EncodeUtf8 makes of well-formed text is what the standard says; of a lone surrogate, nothing.
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

}  // namespace
}  // namespace zerohop
