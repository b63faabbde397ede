// reply.h: what a command answers, in the words of RESP2 or RESP3.
//
// A command appends its answer; the frame of an array or map comes before its elements.  What RESP2 lacks is said as
// Redis says it there: a map as a flat array, a double as a bulk string, true as 1, null as $-1.
//
//   reply.Array(2); reply.Bulk("a"); reply.Integer(1);
//   reply.Error("WRONGPASS invalid username-password pair or user is disabled.");     the code is the first word
//
// Whether the client hears it (CLIENT REPLY OFF) is the dispatcher's affair: it takes the answer back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "resp/output.h"

namespace zerohop::resp {

class ErrorCounts;

// A bulk string, for a message that is put together before it is known whom it goes to.
inline void AppendBulk(std::string_view bytes, std::string* to) {
  to->append("$").append(std::to_string(bytes.size())).append("\r\n").append(bytes).append("\r\n");
}

class Reply {
 public:
  // `errors` may be null: then nothing is counted.
  Reply(Output& out, int protocol, ErrorCounts* errors) : out_(out), protocol_(protocol), errors_(errors) {}

  int protocol() const { return protocol_; }
  void set_protocol(int protocol) { protocol_ = protocol; }  // HELLO
  Output& out() { return out_; }
  uint64_t errors() const { return error_count_; }  // so far

  void Ok() { out_.Put("+OK\r\n"); }
  void Simple(std::string_view text);
  // Line ends in the text become spaces: one reply stays one reply.
  void Error(std::string_view text);
  void Integer(int64_t value) { Head(':', value); }
  void Bulk(std::string_view bytes);
  void Bulk(Bytes bytes) { Bulk(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())); }
  // A value where it lies in the cache: sent from there if it is long.  REQUIRES: found under the pass's guard
  // (Context::Guard), not one of your own.
  void Value(Bytes bytes);
  void BulkInteger(int64_t value);  // the number as a bulk string
  void Null() { out_.Put(protocol_ == 2 ? "$-1\r\n" : "_\r\n"); }
  void NullArray() { out_.Put(protocol_ == 2 ? "*-1\r\n" : "_\r\n"); }
  void Array(size_t count) { Head('*', static_cast<int64_t>(count)); }
  void Map(size_t pairs) { protocol_ == 2 ? Array(pairs * 2) : Head('%', static_cast<int64_t>(pairs)); }
  void Set(size_t count) { Head(protocol_ == 2 ? '*' : '~', static_cast<int64_t>(count)); }
  void Push(size_t count) { Head(protocol_ == 2 ? '*' : '>', static_cast<int64_t>(count)); }
  void Double(double value);
  void Boolean(bool value) { out_.Put(protocol_ == 2 ? (value ? ":1\r\n" : ":0\r\n") : (value ? "#t\r\n" : "#f\r\n")); }
  // `format` has three letters: "txt", "mkd".
  void Verbatim(std::string_view text, std::string_view format);

  // Errors that many commands have.
  void SyntaxError() { Error("ERR syntax error"); }
  void NotAnInteger() { Error("ERR value is not an integer or out of range"); }

  static constexpr size_t kBorrowedBytesMin = 2048;  // below, a copy costs less than another piece to send

 private:
  void Head(char type, int64_t value);

  Output& out_;
  int protocol_;
  ErrorCounts* const errors_;
  uint64_t error_count_ = 0;
};

}  // namespace zerohop::resp
