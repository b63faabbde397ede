#include "resp/input.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/constants.h"
#include "base/os_memory.h"

namespace zerohop::resp {

char* Input::Room(size_t bytes) {
  // Room for nothing needs no memory.
  if (bytes == 0 && data_ == nullptr) return const_cast<char*>("");
  // Where it moves less than what it makes free: whoever holds much and sends little costs no time.
  if (!mapped_ && begin_ > 0 && begin_ >= end_ - begin_ && capacity_ - end_ < bytes) {
    std::memmove(data_, data_ + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  // By half at least, so that what comes in small pieces does not grow for each.
  if (capacity_ - end_ < bytes && !Grow(std::max(end_ + bytes, capacity_ + capacity_ / 2))) return nullptr;
  return data_ + end_;
}

bool Input::Grow(size_t capacity) {
  if (!mapped_ && capacity < kMappedBytesMin) {
    void* const grown = std::realloc(data_, capacity);
    if (grown == nullptr) return false;
    data_ = static_cast<char*>(grown);
    capacity_ = capacity;
    return true;
  }
  capacity = AlignUp(capacity, kPageBytes);
  void* const grown = mapped_ ? Remap(data_, capacity_, capacity) : MapZeros(capacity);
  if (grown == nullptr) return false;
  if (!mapped_) {
    if (end_ > 0) std::memcpy(grown, data_, end_);
    std::free(data_);
  }
  data_ = static_cast<char*>(grown);
  capacity_ = capacity;
  mapped_ = true;
  return true;
}

// What a turn has run at most, and the whole pages of a request that was longer.
void Input::FreeHead() {
  if (begin_ < Scraps::kPieceBytes) return;
  const size_t head = begin_ / kPageBytes * kPageBytes;
  scraps_.Add(data_, head);
  data_ += head;
  begin_ -= head;
  end_ -= head;
  capacity_ -= head;
}

void Input::Free() {
  if (mapped_)
    scraps_.Add(data_, capacity_);
  else
    std::free(data_);
  data_ = nullptr;
  begin_ = end_ = capacity_ = 0;
  mapped_ = false;
}

bool Input::Append(std::string_view bytes) {
  char* const room = Room(bytes.size());
  if (room == nullptr) return false;
  std::memcpy(room, bytes.data(), bytes.size());
  Grew(bytes.size());
  return true;
}

}  // namespace zerohop::resp
