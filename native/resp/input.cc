#include "resp/input.h"

#include <algorithm>

namespace zerohop::resp {

// `realloc` moves pages of a large block, and copies nothing.
char* Input::Room(size_t bytes) {
  // Room for nothing needs no memory.
  if (bytes == 0 && data_ == nullptr) return const_cast<char*>("");
  // Where it moves less than what it makes free: whoever holds much and sends little costs no time.
  if (begin_ > 0 && begin_ >= end_ - begin_ && capacity_ - end_ < bytes) {
    std::memmove(data_, data_ + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (capacity_ - end_ < bytes) {
    // By half at least, so that what comes in small pieces is not copied for each.
    const size_t capacity = std::max(end_ + bytes, capacity_ + capacity_ / 2);
    char* const grown = static_cast<char*>(std::realloc(data_, capacity));
    if (grown == nullptr) return nullptr;
    data_ = grown;
    capacity_ = capacity;
  }
  return data_ + end_;
}

bool Input::Append(std::string_view bytes) {
  char* const room = Room(bytes.size());
  if (room == nullptr) return false;
  std::memcpy(room, bytes.data(), bytes.size());
  Grew(bytes.size());
  return true;
}

}  // namespace zerohop::resp
