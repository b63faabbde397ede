// input.h: bytes that a client sent and that stay with it: of a request that is not complete, or commands that wait.
//
// Most reads bring whole requests: they are parsed in the worker's own buffer, and a client has no memory here.
//
// Little lies on the heap.  What becomes long is mapped, so that it grows without being copied, however long it is, and
// goes in pieces (scraps.h).  Memory that was asked for in advance, and not written to, does not exist.
#pragma once

#include <cstddef>
#include <string_view>

#include "resp/scraps.h"

namespace zerohop::resp {

class Input {
 public:
  explicit Input(Scraps& scraps) : scraps_(scraps) {}
  ~Input() { Free(); }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  bool empty() const { return begin_ == end_; }
  size_t bytes() const { return end_ - begin_; }
  size_t capacity() const { return capacity_; }
  std::string_view view() const { return {data_ + begin_, end_ - begin_}; }

  // False: no memory.
  bool Append(std::string_view bytes);
  // So that `bytes` in all fit, with what is there: what is still to come of a long word is not copied again.
  bool Reserve(size_t bytes) { return bytes <= end_ - begin_ || Room(bytes - (end_ - begin_)) != nullptr; }
  // Room for `bytes` behind what is there; null: no memory.  `Grew` says how many of them came.
  char* Room(size_t bytes);
  size_t room() const { return capacity_ - end_; }
  void Grew(size_t bytes) { end_ += bytes; }
  // The first `bytes` were dealt with.  The rest stays where it is.
  void Drop(size_t bytes) {
    begin_ += bytes;
    if (begin_ == end_)
      Free();
    else if (mapped_)
      FreeHead();
  }
  void Free();

 private:
  static constexpr size_t kMappedBytesMin = size_t{128} << 10;

  bool Grow(size_t capacity);
  void FreeHead();

  Scraps& scraps_;
  char* data_ = nullptr;
  size_t begin_ = 0, end_ = 0, capacity_ = 0;
  bool mapped_ = false;
};

}  // namespace zerohop::resp
