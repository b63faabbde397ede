// digest.h: the content of a file of weights, or of a part of it, in 32 bytes: the root of a Merkle tree of SHA3-256
// over leaves of 1 MiB.  docs/WEIGHTS.md specifies it to the byte.
//
// The file is read, not its pages, so a file that was cut is an error and no fault.  Several leaves are hashed side by
// side.
//
// Cost  about 1 s for a GB that is in memory, on one thread of a processor with AVX2
#pragma once

#include <cstdint>
#include <span>

#include "fingerprint/sha3.h"
#include "weights/load.h"
#include "weights/mapped_file.h"

namespace zerohop {

inline constexpr uint64_t kLeafBytes = uint64_t{1} << 20;

// The digest of bytes in memory, by one thread.
Digest DigestOfBytes(std::span<const std::byte> bytes);

// The digest of a part of a file.  A part without bytes is one leaf.  REQUIRES: `threads` is at least 1
Result<Digest> DigestOfFile(const MappedFile& file, FileRange range, unsigned threads, const GoOn& go_on);

}  // namespace zerohop
