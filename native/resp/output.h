// output.h: the bytes that go out to one client in one turn: own ones, and borrowed ones between them.
//
// A worker has one Output and uses it for one client after the other.  Own bytes are appended to one buffer that is
// never given back; a large value is not copied there, but noted as a *borrowed* piece of the cache's memory, and sent
// from where it lies.  So is a *shared* piece, which is held outside anyway.
//
// Limit     a reply of more than `limit` bytes of its own is *lost*: what was put is forgotten, and the client is to be
//           closed.  So no request makes us take memory without end.
// Lifetime  borrowed pieces are valid while the turn's ReadGuard lives (worker.h): before it ends they are sent, pinned
//           (pin.h) or copied.
// Threads   the worker's.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "resp/pin.h"
#include "resp/shared_text.h"

namespace zerohop::resp {

class Output {
 public:
  // Without a cache nothing is pinned.
  explicit Output(size_t limit = SIZE_MAX, const Cache* cache = nullptr)
      : cache_(cache), limit_(limit), text_(new char[kFirstBytes]), capacity_(kFirstBytes) {}

  // Room for `bytes`; call `Advance` with how many were written.
  char* Room(size_t bytes) {
    if (capacity_ - size_ < bytes) [[unlikely]]
      Grow(bytes);
    return text_.get() + size_;
  }
  void Advance(size_t bytes) { size_ += bytes; }
  void Put(std::string_view bytes) {
    std::memcpy(Room(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void Borrow(Bytes bytes) {
    pieces_.push_back({size_, bytes, {}, {}});
    borrowed_bytes_ += bytes.size();
  }
  // Bytes that are held anyway.
  void Share(const SharedTextRef& text) {
    const std::string& bytes = text->text();
    pieces_.push_back({size_, {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, {}, text});
    borrowed_bytes_ += bytes.size();
  }

  bool empty() const { return size_ == 0 && pieces_.empty(); }
  size_t bytes() const { return size_ + borrowed_bytes_; }
  size_t borrowed_bytes() const { return borrowed_bytes_; }
  void Clear();

  // What was put since there were so many bytes is forgotten.
  void Rewind(size_t bytes);

  // Something was, since the last Clear.
  bool lost() const { return lost_; }
  void Lose();

  // Borrowed pieces become pinned or own ones.  REQUIRES: the guard that they were found under.
  void Keep();
  // What is left after the first `skip` bytes, for sendmsg: at most `max` pieces of at most `bytes` in all.  Returns
  // how many pieces.
  size_t Pieces(size_t skip, size_t bytes, iovec* out, size_t max) const;

  // Pins what is borrowed of that which follows the first `skip` bytes, unless that is little, or cannot be.
  // REQUIRES: as Keep.
  void PinRest(size_t skip);
  // What lies elsewhere: it is kept there by one of the two, or else by the guard.
  struct Piece {
    size_t after;  // so many own bytes
    Bytes bytes;
    Pin pin;
    SharedTextRef shared;
    bool kept() const { return shared != nullptr || pin; }
  };
  // Calls `visit(data, bytes, piece)` for what follows the first `skip` bytes, in order, until it says false.  `piece`
  // is null for own bytes; what keeps it may be taken.
  template <class Visit>
  void Each(size_t skip, Visit visit) {
    EachOf(*this, skip, visit);
  }

 private:
  static constexpr size_t kFirstBytes = size_t{64} << 10;
  static constexpr size_t kKeptBytes = size_t{1} << 20;
  static constexpr size_t kPinnedBytesMin = size_t{64} << 10;  // less is copied sooner

  void Grow(size_t bytes);
  template <class Self, class Visit>
  static void EachOf(Self& self, size_t skip, Visit visit);

  const Cache* const cache_;
  const size_t limit_;
  std::unique_ptr<char[]> text_;
  size_t size_ = 0, capacity_;
  size_t borrowed_bytes_ = 0;
  std::vector<Piece> pieces_;
  bool lost_ = false;
};

template <class Self, class Visit>
void Output::EachOf(Self& self, size_t skip, Visit visit) {
  const auto part = [&](const char* data, size_t bytes, auto* piece) {
    if (skip >= bytes) {
      skip -= bytes;
      return true;
    }
    const size_t from = skip;
    skip = 0;
    return visit(data + from, bytes - from, piece);
  };
  size_t own = 0;
  decltype(&self.pieces_[0]) none = nullptr;
  for (auto& piece : self.pieces_) {
    if (!part(self.text_.get() + own, piece.after - own, none)) return;
    own = piece.after;
    if (!part(reinterpret_cast<const char*>(piece.bytes.data()), piece.bytes.size(), &piece)) return;
  }
  part(self.text_.get() + own, self.size_ - own, none);
}

}  // namespace zerohop::resp
