// zeroed_array.h: a large array of zeros.  Its memory comes page by page as it is touched, and goes as it is truncated.
// From 2 MiB on, the pages are huge where the system has them.
//
// Filling a table of megabytes with zeros takes milliseconds, most of them page faults; so does giving it back in one
// go.  Who must not stall does neither.
//
// Threads    as std::vector.
// Ownership  its elements are whatever zeros mean to T: no constructor or destructor runs.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "base/constants.h"
#include "base/os_memory.h"

namespace zerohop {

template <class T>
class ZeroedArray {
  static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= kPageBytes);

 public:
  ZeroedArray() = default;
  // Throws std::bad_alloc.
  explicit ZeroedArray(size_t count)
      : at_(static_cast<T*>(MapZerosInHugePages(AlignUp(count * sizeof(T), kPieceBytes)))), count_(count) {
    if (at_ == nullptr) throw std::bad_alloc();
  }
  ZeroedArray(ZeroedArray&& other) noexcept
      : at_(std::exchange(other.at_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  ZeroedArray& operator=(ZeroedArray&& other) noexcept {
    std::swap(at_, other.at_);
    std::swap(count_, other.count_);
    return *this;
  }
  ZeroedArray(const ZeroedArray&) = delete;
  ZeroedArray& operator=(const ZeroedArray&) = delete;
  ~ZeroedArray() { Truncate(0); }

  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  size_t bytes() const { return count_ * sizeof(T); }
  T& operator[](size_t index) { return at_[index]; }
  const T& operator[](size_t index) const { return at_[index]; }

  // Only the first `count` elements stay.  REQUIRES: count <= size().
  void Truncate(size_t count) {
    const size_t kept = AlignUp(count * sizeof(T), kPieceBytes), had = AlignUp(bytes(), kPieceBytes);
    if (had > kept) Unmap(reinterpret_cast<std::byte*>(at_) + kept, had - kept);
    count_ = count;
    if (count == 0) at_ = nullptr;
  }

 private:
  static constexpr size_t kPieceBytes = size_t{64} << 10;  // what is mapped and unmapped: whole pages on any system

  T* at_ = nullptr;
  size_t count_ = 0;
};

}  // namespace zerohop
