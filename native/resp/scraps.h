// scraps.h: mapped memory that nobody uses any more, on its way back to the system, a piece at a time.
//
// Unmapping costs up to 2.5 µs a page in a virtual machine: 5 ms for a value of 8 MB that a client sent.  Whoever is
// done with such memory adds it here; the worker gives a part back at the end of each wake-up.
//
// Threads  the worker's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/os_memory.h"

namespace zerohop::resp {

class Scraps {
 public:
  Scraps() = default;
  ~Scraps() {
    while (!empty()) GiveBackSome();
  }
  Scraps(const Scraps&) = delete;
  Scraps& operator=(const Scraps&) = delete;

  bool empty() const { return scraps_.empty(); }
  // Little is given back at once.
  void Add(char* at, size_t bytes) {
    if (bytes <= kPieceBytes) return Unmap(at, bytes);
    scraps_.push_back({at, bytes});
  }
  // REQUIRES: !empty().
  void GiveBackSome() {
    Scrap& last = scraps_.back();
    const size_t some = std::min(last.bytes, kPieceBytes);
    last.bytes -= some;
    Unmap(last.at + last.bytes, some);
    if (last.bytes == 0) scraps_.pop_back();
  }

  static constexpr size_t kPieceBytes = size_t{256} << 10;

 private:
  struct Scrap {
    char* at;
    size_t bytes;  // of whole pages
  };
  std::vector<Scrap> scraps_;
};

}  // namespace zerohop::resp
