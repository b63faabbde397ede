#include "resp/input.h"

namespace zerohop::resp {

// `realloc` moves pages of a large block, and copies nothing.
char* Input::Room(size_t bytes) {
  if (begin_ > 0 && capacity_ - end_ < bytes) {
    std::memmove(data_, data_ + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (capacity_ - end_ < bytes) {
    char* const grown = static_cast<char*>(std::realloc(data_, end_ + bytes));
    if (grown == nullptr) return nullptr;
    data_ = grown;
    capacity_ = end_ + bytes;
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

bool Input::Assign(std::string_view bytes) {
  begin_ = end_ = 0;
  return Append(bytes);
}

}  // namespace zerohop::resp
