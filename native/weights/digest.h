// digest.h: what a file of weights contains, in 32 bytes: a Merkle tree of SHA3-256 over leaves of 1 MiB
// (docs/WEIGHTS.md specifies it).  A leaf is hashed behind a zero byte, two nodes behind a one; a node without a
// neighbour moves up as it is.
//
// The file is read, not its pages: what was cut is an error and no fault.  Leaves are hashed several at a time.
//
// Cost  on one thread of a processor with AVX2 some 1 s for a GB, where it is in memory
#pragma once

#include <cstdint>
#include <functional>

#include "base/status.h"
#include "fingerprint/sha3.h"
#include "weights/mapped_file.h"

namespace zerohop {

inline constexpr uint64_t kLeafBytes = uint64_t{1} << 20;

// `threads` at least 1.  `go_on(bytes)` is asked now and then, from any of them, with what was hashed since; false ends
// it with kClosed.
Result<Digest> DigestOfFile(const MappedFile& file, unsigned threads, const std::function<bool(uint64_t)>& go_on);

}  // namespace zerohop
