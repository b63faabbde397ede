// pending_output.h: bytes that a client's socket did not take yet.  Empty for every client that reads its replies.
//
//   own      chunks of the heap
//   shared   messages that go to many clients (shared_text.h)
//   pinned   values where they lie in the cache (pin.h)
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string_view>

#include "resp/output.h"
#include "resp/shared_text.h"

namespace zerohop::resp {

class PendingOutput {
 public:
  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }  // not sent yet
  size_t chunks() const { return pieces_.size(); }
  size_t memory() const { return own_bytes_; }           // of the heap, taken by them alone
  size_t shared_bytes() const { return shared_bytes_; }  // of the heap, taken with others

  void Append(std::string_view bytes);
  void Append(const SharedTextRef& text);
  // What is left of `out` after its first `skip` bytes; takes its pins.  False: much of it could not be pinned, and a
  // part is missing now.
  bool Append(Output& out, size_t skip);
  // At most `max` pieces of at most `bytes` in all.
  size_t Pieces(size_t bytes, iovec* out, size_t max) const;
  void Drop(size_t bytes);  // they were sent
  void Clear();

  static constexpr size_t kCopiedBytesMax = size_t{32} << 20;  // of values that a turn could not pin

 private:
  static constexpr size_t kChunkBytes = size_t{16} << 10;
  static constexpr size_t kSharedBytesMin = 512;  // a shorter message is copied: a piece takes about 50 bytes
  struct Piece {
    const char* data;
    size_t size;
    bool own;  // in a chunk
    SharedTextRef shared;
    Pin pin;
  };
  // Own bytes, in their order; its pieces lie side by side, or have others' between them.
  struct Chunk {
    std::unique_ptr<char[]> data;
    size_t size, capacity;
  };
  char* Room(size_t bytes);

  std::deque<Piece> pieces_;
  std::deque<Chunk> chunks_;
  size_t sent_ = 0;        // of the first piece
  size_t chunk_sent_ = 0;  // of the first chunk, in whole pieces
  size_t bytes_ = 0, own_bytes_ = 0, shared_bytes_ = 0;
};

}  // namespace zerohop::resp
