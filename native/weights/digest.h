// digest.h: what a file of weights, or a part of it, contains, in 32 bytes: a Merkle tree of SHA3-256 over leaves of 1
// MiB (docs/WEIGHTS.md specifies it).  A leaf is hashed behind a zero byte, two nodes behind a one; a node without a
// neighbour moves up as it is.
//
// The file is read, not its pages, so a file that was cut is an error and no fault.  Several leaves are hashed at a
// time.
//
// Cost  on one thread of a processor with AVX2 some 1 s for a GB, where it is in memory
#pragma once

#include <cstdint>
#include <span>

#include "fingerprint/sha3.h"
#include "weights/load.h"
#include "weights/mapped_file.h"

namespace zerohop {

inline constexpr uint64_t kLeafBytes = uint64_t{1} << 20;

// Of bytes in memory, by one thread.
Digest DigestOfBytes(std::span<const std::byte> bytes);

// The same of a part of a file.  `threads` at least 1.  No bytes at all are one leaf.
Result<Digest> DigestOfFile(const MappedFile& file, FileRange range, unsigned threads, const GoOn& go_on);

}  // namespace zerohop
