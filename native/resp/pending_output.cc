#include "resp/pending_output.h"

#include <algorithm>
#include <cstring>

namespace zerohop::resp {

// Room for `bytes` in the last chunk, or in a new one.
char* PendingOutput::Room(size_t bytes) {
  if (chunks_.empty() || chunks_.back().capacity - chunks_.back().size < bytes) {
    const size_t capacity = std::max(kChunkBytes, bytes);
    chunks_.push_back({std::unique_ptr<char[]>(new char[capacity]), 0, capacity});
    own_bytes_ += capacity;
  }
  Chunk& chunk = chunks_.back();
  char* const room = chunk.data.get() + chunk.size;
  if (chunk.size > 0 && !pieces_.empty() && pieces_.back().own)
    pieces_.back().size += bytes;
  else
    pieces_.push_back({room, bytes, true, {}, {}});
  chunk.size += bytes;
  bytes_ += bytes;
  return room;
}

void PendingOutput::Append(std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(Room(bytes.size()), bytes.data(), bytes.size());
}

void PendingOutput::Append(const SharedTextRef& text) {
  const std::string& bytes = text->text();
  if (bytes.size() < kSharedBytesMin) return Append(std::string_view(bytes));
  pieces_.push_back({bytes.data(), bytes.size(), false, text, {}});
  bytes_ += bytes.size();
  shared_bytes_ += bytes.size();
}

bool PendingOutput::Append(Output& out, size_t skip) {
  out.PinRest(skip);
  size_t copied = 0;
  out.Each(skip, [&](const char* data, size_t bytes, Output::Piece* piece) {
    if (piece != nullptr && piece->kept()) {
      if (piece->shared != nullptr) shared_bytes_ += bytes;
      pieces_.push_back({data, bytes, false, std::move(piece->shared), std::move(piece->pin)});
      bytes_ += bytes;
      return true;
    }
    if (piece != nullptr) copied += bytes;
    if (copied > kCopiedBytesMax) return false;
    Append(std::string_view(data, bytes));
    return true;
  });
  return copied <= kCopiedBytesMax;
}

size_t PendingOutput::Pieces(size_t bytes, iovec* out, size_t max) const {
  size_t count = 0;
  size_t skip = sent_;
  for (const Piece& piece : pieces_) {
    if (count == max || bytes == 0) break;
    const size_t some = std::min(piece.size - skip, bytes);
    out[count++] = {const_cast<char*>(piece.data) + skip, some};
    bytes -= some;
    skip = 0;
  }
  return count;
}

void PendingOutput::Drop(size_t bytes) {
  bytes_ -= bytes;
  sent_ += bytes;
  while (!pieces_.empty() && sent_ >= pieces_.front().size) {
    const Piece& first = pieces_.front();
    sent_ -= first.size;
    if (first.shared) shared_bytes_ -= first.size;
    if (first.own) chunk_sent_ += first.size;
    pieces_.pop_front();
  }
  // More may be put into the last chunk.
  while (!chunks_.empty() && chunk_sent_ >= chunks_.front().size && (chunks_.size() > 1 || pieces_.empty())) {
    chunk_sent_ -= chunks_.front().size;
    own_bytes_ -= chunks_.front().capacity;
    chunks_.pop_front();
  }
}

void PendingOutput::Clear() {
  pieces_.clear();
  chunks_.clear();
  sent_ = chunk_sent_ = bytes_ = own_bytes_ = shared_bytes_ = 0;
}

}  // namespace zerohop::resp
