// text_memory.h: memory into which a batch of texts is read.  It is kept from call to call: malloc gives memory of this
// size back to the system at once, and then each 4 KiB cost a page fault again, several times what hashing them costs.
//
// Memory   as much as the longest batch, and at most kKeptBytes of each kind after a call
// Threads  one
#pragma once

#include <cstddef>
#include <memory>

namespace zerohop::binding {

class TextMemory {
 public:
  static constexpr size_t kKeptBytes = size_t{512} << 10;  // a choice: all that batches of short texts need

  // Valid until the next call of the same function, or of Trim.
  char16_t* Units(size_t count) { return units_.Of(count); }
  std::byte* Messages(size_t bytes) { return messages_.Of(bytes); }
  // Gives back what a long text took.
  void Trim() {
    units_.Trim();
    messages_.Trim();
  }

 private:
  template <class T>
  class Room {
   public:
    T* Of(size_t count) {
      if (count > count_) {
        Drop();  // first: it counts nothing if `new` throws, and both are not there at once
        at_.reset(new T[count]);
        count_ = count;
      }
      return at_.get();
    }
    void Trim() {
      if (count_ * sizeof(T) > kKeptBytes) Drop();
    }

   private:
    void Drop() {
      at_.reset();
      count_ = 0;
    }

    std::unique_ptr<T[]> at_;
    size_t count_ = 0;
  };

  Room<char16_t> units_;
  Room<std::byte> messages_;
};

}  // namespace zerohop::binding
