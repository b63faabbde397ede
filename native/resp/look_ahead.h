// look_ahead.h: the next requests of a connection, read before it is their turn.
//
// A store waits for three lines of memory in turn: the index slot, the entry that it replaces, the version word.  All
// follow from the key.  So several requests are read ahead, and what their keys need is asked for together
// (Cache::FetchForStores).  The hashes of the keys are kept for the stores.
//
// Only whole requests of a few words with short counts are read, as nearly all are.  They are read in one go, which is
// also the quickest way to read one alone.  Everything else is left to the Parser: what is long, cut, wrong, or inline.
// What is read here is below every limit of the Parser, so it would have given the same words.
//
// Threads  one.   Lifetime  the Args borrow the input and this object, until the next Read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "resp/args.h"

namespace zerohop::resp {

class LookAhead {
 public:
  static constexpr size_t kRequestsMax = 16;
  static constexpr size_t kWordsMax = 8;
  static constexpr size_t kWordBytesMax = 9999;  // four digits

  class Request {
   public:
    Args args(std::string_view input) const { return {input.data(), std::span(places_).first(words_)}; }
    size_t words() const { return words_; }
    size_t end() const { return end_; }  // where the next request starts

    // Of the second word, in some keyspace; see Worker.
    uint64_t key_hash = 0;
    bool has_key_hash = false;

   private:
    friend class LookAhead;
    bool Read(std::string_view input, size_t at);

    std::array<Place, kWordsMax> places_;
    uint32_t words_ = 0;
    size_t at_ = 0, end_ = 0;
  };

  // Reads requests from `at` on, until it has kRequestsMax or meets what it leaves to the Parser.
  void Read(std::string_view input, size_t at);
  std::span<Request> requests() { return std::span(requests_).first(count_); }

  // The request that starts at `at`, if it was read.  Requests are asked for in their order.
  const Request* At(size_t at) {
    while (next_ < count_ && requests_[next_].at_ < at) ++next_;
    return next_ < count_ && requests_[next_].at_ == at ? &requests_[next_] : nullptr;
  }
  void Forget() { count_ = next_ = 0; }

 private:
  std::array<Request, kRequestsMax> requests_;
  size_t count_ = 0, next_ = 0;
};

}  // namespace zerohop::resp
