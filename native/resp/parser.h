// parser.h: requests out of the bytes of a connection, however they were cut.
//
//   *2\r\n$3\r\nGET\r\n$1\r\nk\r\n     a multibulk request: any bytes in its words
//   SET k "two words"\r\n             an inline request: words between spaces, quoted as in a shell
//
// A Parser remembers how far it has come in a request that is not complete, so that no byte is looked at twice however
// slowly they come.  Nothing is believed before it is there: `*1000000` alone takes no memory.
//
// Threads  one.   Errors  Redis's own words; the connection is of no use after one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resp/args.h"

namespace zerohop::resp {

inline constexpr size_t kInlineBytesMax = size_t{64} << 10;     // of an inline request, and of a line that counts
inline constexpr int64_t kMultibulkMax = INT32_MAX;             // words of one request
inline constexpr int64_t kUnauthenticatedWordsMax = 10;         // before AUTH
inline constexpr int64_t kUnauthenticatedBulkBytesMax = 16384;  // before AUTH

class Parser {
 public:
  struct Limits {
    int64_t bulk_bytes_max;
    bool authenticated;
  };
  enum class Outcome { kIncomplete, kRequest, kError };
  struct Request {
    Args args;         // empty: a blank line, or `*0`; nothing to run
    size_t bytes = 0;  // how long it was; the next request begins after it
  };

  // Reads one request from `input`, which starts where the request starts.  After kIncomplete: call again with the same
  // bytes and more behind them.  The Args borrow `input` and this Parser until the next call.
  Outcome Next(std::string_view input, const Limits& limits, Request* request);

  // Forgets a request that is not complete: the next call starts with it once more.
  void Restart() {
    begun_ = false;
    bulk_bytes_ = -1;
    at_ = 0;
  }

  // No request was begun: the next call starts with one.
  bool idle() const { return !begun_ && at_ == 0; }

  // After kError: what to tell the client, without "ERR ".
  const std::string& error() const { return error_; }
  // After kIncomplete: how many bytes the request needs at least before it can go on; 0 if that is not known.
  size_t BytesWanted() const { return bulk_bytes_ >= 0 ? at_ + static_cast<size_t>(bulk_bytes_) + 2 : 0; }
  // Words that are there already, and how many were announced; for CLIENT LIST.
  size_t words_read() const { return places_.size(); }

  // The memory that a large request left behind is given back.
  void Shrink() {
    if (places_.capacity() > kKeptPlaces) places_.clear(), places_.shrink_to_fit();
    if (unquoted_.capacity() > kKeptBytes) unquoted_.clear(), unquoted_.shrink_to_fit();
  }

 private:
  static constexpr size_t kKeptPlaces = 64;
  static constexpr size_t kManyWords = 4096;
  static constexpr size_t kManyMoreWords = size_t{1} << 20;
  static constexpr size_t kKeptBytes = 4096;

  Outcome Inline(std::string_view input, Request* request);
  Outcome Multibulk(std::string_view input, const Limits& limits, Request* request);
  Outcome Begin(std::string_view input, const Limits& limits);
  Outcome Fail(std::string_view text);
  bool Split(std::string_view line);
  void ReserveForMany();

  bool begun_ = false;  // the line with the count of words was read
  int64_t words_left_ = 0;
  int64_t bulk_bytes_ = -1;  // of the word that is being read; -1: its length is not known yet
  size_t at_ = 0;            // how far in the request everything was read
  std::vector<Place> places_;
  std::string unquoted_;  // the words of an inline request
  std::string error_;
};

}  // namespace zerohop::resp
