#include "resp/output.h"

#include <algorithm>

namespace zerohop::resp {

void Output::Grow(size_t bytes) {
  // Pieces lie between the own bytes: without one part of them the rest means nothing.
  if (size_ + bytes > limit_) Lose();
  const size_t capacity = std::max(size_ == 0 ? kFirstBytes : capacity_ * 2, size_ + bytes);
  std::unique_ptr<char[]> grown(new char[capacity]);
  std::memcpy(grown.get(), text_.get(), size_);
  text_ = std::move(grown);
  capacity_ = capacity;
}

void Output::Rewind(size_t bytes) {
  if (bytes >= this->bytes()) return;
  while (!pieces_.empty() && pieces_.back().after + borrowed_bytes_ - pieces_.back().bytes.size() >= bytes) {
    borrowed_bytes_ -= pieces_.back().bytes.size();
    pieces_.pop_back();
  }
  size_ = bytes - borrowed_bytes_;
}

void Output::Lose() {
  Clear();
  lost_ = true;
}

void Output::Clear() {
  lost_ = false;
  size_ = 0;
  borrowed_bytes_ = 0;
  pieces_.clear();
  if (capacity_ > kKeptBytes) [[unlikely]] {
    text_.reset(new char[kFirstBytes]);
    capacity_ = kFirstBytes;
  }
}

size_t Output::Pieces(size_t skip, size_t bytes, iovec* out, size_t max) const {
  if (pieces_.empty()) [[likely]] {
    out[0] = {text_.get() + skip, std::min(size_ - skip, bytes)};
    return 1;
  }
  size_t count = 0;
  EachOf(*this, skip, [&](const char* data, size_t there, const Piece*) {
    const size_t some = std::min(there, bytes);
    out[count++] = {const_cast<char*>(data), some};
    bytes -= some;
    return count < max && bytes > 0;
  });
  return count;
}

void Output::PinRest(size_t skip) {
  if (cache_ == nullptr || bytes() - skip < kPinnedBytesMin) return;
  size_t borrowed = 0;
  for (Piece& piece : pieces_) {
    borrowed += piece.bytes.size();
    if (!piece.kept() && piece.after + borrowed > skip) piece.pin = Pin::Of(*cache_, piece.bytes);
  }
}

void Output::Keep() {
  PinRest(0);
  size_t copied = 0;
  for (const Piece& piece : pieces_) copied += piece.kept() ? 0 : piece.bytes.size();
  if (copied == 0) return;
  if (size_ + copied > limit_) return Lose();
  const size_t capacity = std::max(capacity_, size_ + copied);
  std::unique_ptr<char[]> kept(new char[capacity]);
  std::vector<Piece> kept_pieces;
  size_t from = 0, to = 0;
  const auto copy = [&](const void* data, size_t bytes) {
    std::memcpy(kept.get() + to, data, bytes);
    to += bytes;
  };
  for (Piece& piece : pieces_) {
    copy(text_.get() + from, piece.after - from);
    from = piece.after;
    if (piece.kept()) {
      kept_pieces.push_back({to, piece.bytes, std::move(piece.pin), std::move(piece.shared)});
    } else {
      copy(piece.bytes.data(), piece.bytes.size());
    }
  }
  copy(text_.get() + from, size_ - from);
  text_ = std::move(kept);
  capacity_ = capacity;
  size_ = to;
  borrowed_bytes_ -= copied;
  pieces_ = std::move(kept_pieces);
}

}  // namespace zerohop::resp
