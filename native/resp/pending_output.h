// pending_output.h: bytes that a client's socket did not take yet.
//
// Chunks of the heap, in order.  Empty for every client that reads its replies.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string_view>

#include "resp/output.h"

namespace zerohop::resp {

class PendingOutput {
 public:
  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }  // not sent yet
  size_t chunks() const { return chunks_.size(); }
  size_t memory() const { return memory_; }  // taken by them

  void Append(std::string_view bytes);
  // What is left of `out` after its first `skip` bytes.
  void Append(const Output& out, size_t skip);
  size_t Pieces(iovec* out, size_t max) const;
  void Drop(size_t bytes);  // they were sent
  void Clear();

 private:
  static constexpr size_t kChunkBytes = size_t{16} << 10;
  struct Chunk {
    std::unique_ptr<char[]> data;
    size_t size, capacity;
  };
  char* Room(size_t bytes);

  std::deque<Chunk> chunks_;
  size_t sent_ = 0;  // of the first
  size_t bytes_ = 0, memory_ = 0;
};

}  // namespace zerohop::resp
