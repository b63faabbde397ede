// copy.h: copying where neither end lies in a processor cache.
//
// The lines that will be read, and those that will be written, are prefetched.  Without that, the next locked
// instruction waits until all stores have their lines (D31 in docs/DECISIONS.md).  Prefetching beyond what is mapped
// does nothing.
#pragma once

#include <cstddef>
#include <cstring>

#include "base/constants.h"

namespace zerohop {

// Bytes ahead of the line that is written: one entry of 4 KiB, so the lines of the next entry are there when it begins.
inline constexpr size_t kWriteAheadBytes = 4096;

// Prefetches the line that will be written so many bytes later.
inline void FetchToWrite(void* line) { __builtin_prefetch(static_cast<std::byte*>(line) + kWriteAheadBytes, 1); }

// Copies line by line, and prefetches the same line of what will be copied next.
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
