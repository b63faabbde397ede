// input.h: bytes of a request that is not complete, kept until the rest has come.
//
// Most reads bring whole requests: they are parsed in the worker's own buffer, and a client has no memory here.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace zerohop::resp {

class Input {
 public:
  Input() = default;
  ~Input() { std::free(data_); }
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
  // The first `bytes` were dealt with.  The memory goes with the last one.
  void Drop(size_t bytes) {
    begin_ += bytes;
    if (begin_ == end_) Free();
  }
  void Free() {
    std::free(data_);
    data_ = nullptr;
    begin_ = end_ = capacity_ = 0;
  }

 private:
  char* data_ = nullptr;
  size_t begin_ = 0, end_ = 0, capacity_ = 0;
};

}  // namespace zerohop::resp
