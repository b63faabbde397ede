// copy.h: copying where neither end lies in a processor cache.
//
// Lines are prefetched before they are needed, and so are the lines that will be written.  Without that, the next
// locked instruction waits until all stores have their lines.  Prefetching beyond what is mapped does nothing.
#pragma once

#include <cstddef>
#include <cstring>

#include "base/constants.h"

namespace zerohop {

// How far ahead of the line being written: one entry of 4 KiB, so that the next one's lines are there when it begins.
inline constexpr size_t kWriteAheadBytes = 4096;

// Asks for the line that will be written that much later.
inline void FetchToWrite(void* line) { __builtin_prefetch(static_cast<std::byte*>(line) + kWriteAheadBytes, 1); }

// Copies line by line; and asks for the same line of what will be copied `next`.
inline void CopyFetching(std::byte* to, const std::byte* from, size_t bytes, const std::byte* next) {
  size_t at = 0;
  for (; at + kCacheLineBytes <= bytes; at += kCacheLineBytes) {
    __builtin_prefetch(next + at);
    FetchToWrite(to + at);
    std::memcpy(to + at, from + at, kCacheLineBytes);
  }
  if (at < bytes) std::memcpy(to + at, from + at, bytes - at);
}

}  // namespace zerohop
