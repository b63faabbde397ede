#include "resp/pending_output.h"

#include <algorithm>
#include <cstring>

namespace zerohop::resp {

// Room for `bytes` in the last chunk, or in a new one.
char* PendingOutput::Room(size_t bytes) {
  if (chunks_.empty() || chunks_.back().capacity - chunks_.back().size < bytes) {
    const size_t capacity = std::max(kChunkBytes, bytes);
    chunks_.push_back({std::unique_ptr<char[]>(new char[capacity]), 0, capacity});
    memory_ += capacity;
  }
  Chunk& last = chunks_.back();
  char* const room = last.data.get() + last.size;
  last.size += bytes;
  bytes_ += bytes;
  return room;
}

void PendingOutput::Append(std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(Room(bytes.size()), bytes.data(), bytes.size());
}

void PendingOutput::Append(const Output& out, size_t skip) {
  const size_t bytes = out.bytes() - skip;
  if (bytes > 0) out.CopyTo(skip, Room(bytes));
}

size_t PendingOutput::Pieces(iovec* out, size_t max) const {
  size_t count = 0;
  size_t skip = sent_;
  for (const Chunk& chunk : chunks_) {
    if (count == max) break;
    out[count++] = {chunk.data.get() + skip, chunk.size - skip};
    skip = 0;
  }
  return count;
}

void PendingOutput::Drop(size_t bytes) {
  bytes_ -= bytes;
  sent_ += bytes;
  while (!chunks_.empty() && sent_ >= chunks_.front().size) {
    sent_ -= chunks_.front().size;
    memory_ -= chunks_.front().capacity;
    chunks_.pop_front();
  }
}

void PendingOutput::Clear() {
  chunks_.clear();
  sent_ = bytes_ = memory_ = 0;
}

}  // namespace zerohop::resp
