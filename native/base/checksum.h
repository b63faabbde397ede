// checksum.h: a 32-bit checksum of a value, to notice that JavaScript wrote through a view.
//
// It must be cheap enough for every `set`.  It needs no strength against an adversary: whoever can write to a view can
// also write to the checksum.  As in XXH3 [Collet 2019], eight lanes of 32 x 32 -> 64 bit products are summed, with
// keys that change from line to line.  Every input bit reaches the result, and so does its place.
//
// It is computed with the widest vectors of the processor, chosen at run time.  The result is the same with any.
// Cost  4 KiB from the first-level cache: about 60 ns with AVX-512, 100 ns with AVX2.  A copy waits for memory longer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zerohop {

uint32_t Checksum(const void* data, size_t bytes);

// Copies, and returns the checksum of what was written.  Each word is read once, so the checksum is right even if
// another thread writes to `from` meanwhile.
uint32_t CopyAndChecksum(void* to, const void* from, size_t bytes);

// The same with vectors of at most so many bytes (16, 32, 64), or without any (8): for tests.
uint32_t ChecksumWith(int vector_bytes, void* to, const void* from, size_t bytes);

}  // namespace zerohop
