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

// Calls `visit(data, bytes)` for what follows the first `skip` bytes, in order, until it says false.
template <class Visit>
void Output::Each(size_t skip, Visit visit) const {
  const auto part = [&](const char* data, size_t bytes) {
    if (skip >= bytes) {
      skip -= bytes;
      return true;
    }
    const size_t from = skip;
    skip = 0;
    return visit(data + from, bytes - from);
  };
  size_t own = 0;
  for (const Piece& piece : pieces_) {
    if (!part(text_.get() + own, piece.after - own)) return;
    own = piece.after;
    if (!part(reinterpret_cast<const char*>(piece.bytes.data()), piece.bytes.size())) return;
  }
  part(text_.get() + own, size_ - own);
}

size_t Output::Pieces(size_t skip, iovec* out, size_t max) const {
  size_t count = 0;
  Each(skip, [&](const char* data, size_t bytes) {
    out[count++] = {const_cast<char*>(data), bytes};
    return count < max;
  });
  return count;
}

void Output::CopyTo(size_t skip, char* to) const {
  Each(skip, [&](const char* data, size_t bytes) {
    std::memcpy(to, data, bytes);
    to += bytes;
    return true;
  });
}

void Output::Keep() {
  if (pieces_.empty()) return;
  const size_t total = bytes();
  if (total > limit_) return Lose();
  const size_t capacity = std::max(capacity_, total);
  std::unique_ptr<char[]> kept(new char[capacity]);
  CopyTo(0, kept.get());
  text_ = std::move(kept);
  capacity_ = capacity;
  size_ = total;
  borrowed_bytes_ = 0;
  pieces_.clear();
}

}  // namespace zerohop::resp
