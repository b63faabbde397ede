// copy.h: copying where neither end lies in a processor cache.
//
// The lines that will be read are prefetched, and where it pays those that will be written.  Prefetching beyond what is
// mapped does nothing.  The processor decides at the start how: with AVX2 where it has that, otherwise line by line as
// the compiler copies a line.
#pragma once

#include <array>
#include <cstddef>

#include "base/constants.h"

namespace zerohop {

// Bytes ahead of the line that is written: one entry of 4 KiB, so the lines of the next entry are there when it begins.
inline constexpr size_t kWriteAheadBytes = 4096;

// Prefetches the line that will be written so many bytes later.  Without that, the next locked instruction waits until
// all stores have their lines (D31 in docs/DECISIONS.md).
inline void FetchToWrite(void* line) { __builtin_prefetch(static_cast<std::byte*>(line) + kWriteAheadBytes, 1); }

// Copies line by line, and prefetches the same line of what will be copied next.
void CopyFetching(std::byte* to, const std::byte* from, size_t bytes, const std::byte* next);
// The same, and calls FetchToWrite for each line: for one copy among other work.  Many copies into one array are 3 %
// slower with it, because the processor sees by itself where they go (D91).
void CopyFetchingBoth(std::byte* to, const std::byte* from, size_t bytes, const std::byte* next);

// For tests: every way of this processor; null after the last.
using Copy = void (*)(std::byte* to, const std::byte* from, size_t bytes, const std::byte* next);
struct CopyWays {
  std::array<Copy, 2> fetching, fetching_both;
};
CopyWays AllCopyWays();

}  // namespace zerohop
