// args.h: the words of one request, as places in the bytes that arrived.
//
// Places are offsets, so they stay right when the bytes move to another buffer.  args[0] is the command's name.
//
// Lifetime  Args borrows both the bytes and the places: valid until the command returns.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "cache/cache.h"

namespace zerohop::resp {

struct Place {
  size_t at;
  size_t bytes;
};

class Args {
 public:
  Args() = default;
  Args(const char* base, std::span<const Place> places) : base_(base), places_(places) {}

  size_t size() const { return places_.size(); }
  std::string_view operator[](size_t index) const { return {base_ + places_[index].at, places_[index].bytes}; }
  // The same, as the engine takes keys and values.
  Bytes AsBytes(size_t index) const {
    return {reinterpret_cast<const std::byte*>(base_ + places_[index].at), places_[index].bytes};
  }
  // Without the first `count` words.
  Args From(size_t count) const { return {base_, places_.subspan(count)}; }
  // Of all words together.
  size_t TotalBytes() const {
    size_t total = 0;
    for (const Place& place : places_) total += place.bytes;
    return total;
  }

 private:
  const char* base_ = nullptr;
  std::span<const Place> places_;
};

}  // namespace zerohop::resp
