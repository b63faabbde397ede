// checksum.h: a 32-bit checksum of a value, to notice that JavaScript wrote through a view.
//
// It must be cheap enough to be paid at every set (4 KiB in under 100 ns) and needs no strength against an adversary:
// whoever can write to a view can write to the checksum too.  Eight lanes of folded 64 x 64 -> 128 bit products keep
// the multiplier busy; every input bit reaches the result.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zerohop {

uint32_t Checksum(const void* data, size_t bytes);

// Copies, and returns the checksum of what was written: each word is read once, so it holds also if another thread
// writes to `from` meanwhile.  Costs hardly more than the copy, which waits for memory.
uint32_t CopyAndChecksum(void* to, const void* from, size_t bytes);

}  // namespace zerohop
