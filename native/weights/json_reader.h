// json_reader.h: JSON [RFC8259] pulled piece by piece out of bytes that nobody vouches for.
//
// Strict: what two readers understand differently is how one file shows them two things.  UTF-8 throughout, no name
// twice in an object (after un-escaping: \u0061 is a), no lone surrogate, no number with sign, fraction or exponent
// where an integer is asked for; also in what is skipped.
//
//   std::string_view name;
//   reader.BeginObject();
//   while (reader.NextName(&name)) { … one value: ReadString, ReadInteger, Skip, or Begin… and Next… until it ends … }
//   reader.End();
//   if (reader.failed()) return reader.refusal();
//
// After the first refusal every call returns false and changes nothing: loops end, and one look at the end is enough.
//
// Cost  time and memory proportional to the text, but for sorting.  16 bytes a name are kept until its object ends;
//       names are compared by a hash, under a key that the file's author cannot know.  No recursion.
//
// [RFC8259] The JavaScript Object Notation (JSON) Data Interchange Format, 2017
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "weights/tensor.h"

namespace zerohop {

// Text of a file as a message may show it: in quotes, cut where it is long, control characters written out.
std::string Quoted(std::string_view text);

class JsonReader {
 public:
  static constexpr size_t kTextBytesMax = UINT32_MAX;  // places are kept in 32 bits
  static constexpr size_t kDepthMax = 16;              // a header needs 3; the rest is for what is skipped

  // What a text is refused with that is no UTF-8, or no JSON of the expected form.
  struct Codes {
    const char* utf8;
    const char* json;
  };

  // BORROWS the text, which begins at the file's byte `base`.  REQUIRES: at most kTextBytesMax.
  JsonReader(std::span<const std::byte> text, uint64_t base, Codes codes);

  bool BeginObject();
  bool BeginArray();
  // The next member's name, or element, of the object, or array, begun last; false at its end, which is left behind.
  // The name is valid until another name or string is read.
  bool NextName(std::string_view* name);
  bool NextElement();

  bool ReadString(std::string_view* text);  // valid until another name or string is read
  bool ReadInteger(uint64_t* number);
  bool Skip();  // a value, whatever it is
  bool End();   // nothing but white space is left

  char Peek();        // the first character of the next token; NUL at the end
  uint64_t offset();  // of the next token, in the file

  // Ends the reading for a reason of the caller's.  Returns false.
  bool Refuse(const char* code, uint64_t offset, std::string message);
  bool failed() const { return failed_; }
  const Refusal& refusal() const { return refusal_; }

 private:
  struct Name {
    uint64_t hash;
    uint32_t at;  // its opening quote
  };
  struct Level {
    size_t names_begin;  // in names_
    char close;          // '}' or ']'
    bool empty;          // so far
  };

  char Here() const { return cursor_ < text_.size() ? text_[cursor_] : '\0'; }
  void SkipSpace();
  bool Take(char character);
  bool TakeDigits();
  bool TakeNumber();
  bool TakeLiteral(std::string_view literal);
  bool TakeEscape();
  bool TakeUnicodeEscape();
  bool TakeUnit(char16_t* unit);

  bool Begin(char open, char close, const char* what);
  bool Next();
  bool Leave();
  bool SkipOne();
  std::string TextAt(uint32_t at);

  bool Expected(const char* what);  // refuses
  bool RefuseAt(size_t at, std::string message) { return Refuse(codes_.json, base_ + at, std::move(message)); }

  const std::string_view text_;
  const uint64_t base_;
  const Codes codes_;
  const HashKey hash_key_ = ProcessHashKey();
  size_t cursor_ = 0;
  std::array<Level, kDepthMax> levels_;
  size_t depth_ = 0;
  std::vector<Name> names_;  // of all objects that are open, the outermost first
  std::string unescaped_;    // the last string, if it had escapes
  bool failed_ = false;
  Refusal refusal_;
};

}  // namespace zerohop
