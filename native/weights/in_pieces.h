// in_pieces.h: work over pieces of a file by several threads, each with memory of its own; the first failure ends it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/status.h"

namespace zerohop {

// A page: what reads past the page cache ask of memory and of places in a file.
inline constexpr size_t kPieceAlign = 4096;

// Calls `work(piece, memory)` once for each piece below `pieces`, from at most `threads` threads (at least 1) at a
// time; `memory` is `memory_bytes`, aligned to kPieceAlign.  Fewer threads where the system has no more of them.
// Returns the first failure, kNoMemory if there is none for any thread.
Status InPieces(uint64_t pieces, unsigned threads, size_t memory_bytes,
                const std::function<Status(uint64_t piece, std::byte* memory)>& work);

}  // namespace zerohop
