// json_reader.h: reads JSON [RFC8259] piece by piece, out of bytes that nobody vouches for.
//
// It is strict, because a file that two readers understand differently can deceive one of them.  The text must be
// UTF-8. An object must not have a name twice (after un-escaping: \u0061 is a).  There must be no lone surrogate.  An
// integer must have no sign, fraction or exponent.  This holds also for what is skipped.
//
//   std::string_view name;
//   reader.BeginObject();
//   while (reader.NextName(&name)) { … one value: ReadString, ReadInteger, Skip, or Begin… and Next… until it ends … }
//   reader.End();
//   if (reader.failed()) return reader.refusal();
//
// After the first refusal every call returns false and changes nothing.  So loops end, and one check at the end is
// enough.
//
// Cost  time and memory are proportional to the text, apart from sorting names.  16 bytes a name are kept until its
// object
//       ends.  Names are compared by a hash under a key that the file's author cannot know.  No recursion.
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

// Text of a file, for a message: in quotes, cut if it is long, with control characters written out.
std::string Quoted(std::string_view text);

class JsonReader {
 public:
  static constexpr size_t kTextBytesMax = UINT32_MAX;  // places are kept in 32 bits
  static constexpr size_t kDepthMax = 16;              // a choice: a header needs 3, the rest is for what is skipped

  // The codes with which a text is refused that is not UTF-8, or not JSON of the expected form.
  struct Codes {
    const char* utf8;
    const char* json;
  };

  // BORROWS the text, which begins at byte `base` of the file.  REQUIRES: at most kTextBytesMax.
  JsonReader(std::span<const std::byte> text, uint64_t base, Codes codes);

  bool BeginObject();
  bool BeginArray();
  // The next member of the innermost object, or the next element of the innermost array.  False: it has ended, and is
  // left.  The name is valid until another name or string is read.
  bool NextName(std::string_view* name);
  bool NextElement();

  bool ReadString(std::string_view* text);  // valid until another name or string is read
  bool ReadInteger(uint64_t* number);
  bool Skip();  // a value, whatever it is
  bool End();   // the text ends: nothing but white space is left

  char Peek();        // the first character of the next token; NUL at the end
  uint64_t offset();  // of the next token, in the file

  // Ends the reading for a reason of the caller.  Returns false.
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
