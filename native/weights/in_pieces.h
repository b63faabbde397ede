// in_pieces.h: several threads work on the pieces of a file, each with memory of its own.  The first failure ends the
// work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/status.h"

namespace zerohop {

// A page: reads past the page cache need memory and places in a file that are aligned to it.
inline constexpr size_t kPieceAlign = 4096;

// Calls `work(piece, memory)` once for each piece below `pieces`, on at most `threads` threads (at least 1), or on
// fewer if the system gives no more.  `memory` has `memory_bytes`, aligned to kPieceAlign.  Returns the first failure;
// kNoMemory if no thread got memory.
Status InPieces(uint64_t pieces, unsigned threads, size_t memory_bytes,
                const std::function<Status(uint64_t piece, std::byte* memory)>& work);

}  // namespace zerohop
