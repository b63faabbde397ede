// output.h: the bytes that go out to one client in one pass: own ones, and borrowed ones between them.
//
// A worker has one Output and uses it for one client after the other.  Own bytes are appended to one buffer that is
// never given back; a large value is not copied there, but noted as a *borrowed* piece of the cache's memory, and sent
// from where it lies.
//
// Limit     a reply of more than `limit` bytes of its own is *lost*: what was put is forgotten, and the client is to be
//           closed.  So no request makes us take memory without end.
// Lifetime  borrowed pieces are valid while the pass's ReadGuard lives (worker.h): before it ends they are sent or
//           copied (`Keep`).
// Threads   the worker's.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "cache/cache.h"

namespace zerohop::resp {

class Output {
 public:
  explicit Output(size_t limit = SIZE_MAX) : limit_(limit), text_(new char[kFirstBytes]), capacity_(kFirstBytes) {}

  // Room for `bytes`; call `Advance` with how many were written.
  char* Room(size_t bytes) {
    if (capacity_ - size_ < bytes) [[unlikely]]
      Grow(bytes);
    return text_.get() + size_;
  }
  void Advance(size_t bytes) { size_ += bytes; }
  void Put(std::string_view bytes) {
    std::memcpy(Room(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void Borrow(Bytes bytes) {
    pieces_.push_back({size_, bytes});
    borrowed_bytes_ += bytes.size();
  }

  bool empty() const { return size_ == 0 && pieces_.empty(); }
  size_t bytes() const { return size_ + borrowed_bytes_; }
  size_t borrowed_bytes() const { return borrowed_bytes_; }
  void Clear();

  // What was put since there were so many bytes is forgotten.
  void Rewind(size_t bytes);

  // Something was, since the last Clear.
  bool lost() const { return lost_; }
  void Lose();

  // Borrowed pieces become own ones.
  void Keep();
  // What is left after the first `skip` bytes, for sendmsg; at most `max` pieces.  Returns how many.
  size_t Pieces(size_t skip, iovec* out, size_t max) const;
  // The same as one string.  `to` has room for bytes() - skip.
  void CopyTo(size_t skip, char* to) const;

 private:
  static constexpr size_t kFirstBytes = size_t{64} << 10;
  static constexpr size_t kKeptBytes = size_t{1} << 20;
  struct Piece {
    size_t after;  // so many own bytes
    Bytes bytes;
  };

  void Grow(size_t bytes);
  template <class Visit>
  void Each(size_t skip, Visit visit) const;

  const size_t limit_;
  std::unique_ptr<char[]> text_;
  size_t size_ = 0, capacity_;
  size_t borrowed_bytes_ = 0;
  std::vector<Piece> pieces_;
  bool lost_ = false;
};

}  // namespace zerohop::resp
