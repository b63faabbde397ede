// text_slots.h: a row by a text id: the index of lib/weights/id-index.ts, which makes it.
//
// A slot is two words: a hash of the id's UTF-8, and its row + 1, or 0 where there is none.  The ids lie back to back,
// with the end of each.  A key chooses the hashes, so that nobody who chooses ids can make them collide.  All of this
// may lie in a mapped file that somebody writes to: any content gives a row of the table or none, within kProbesMax
// steps.  A file that is cut faults (fault_guard.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "weights/id_slots.h"

namespace zerohop {

struct TextSlots {
  const int32_t* slots;
  unsigned bits;  // 2^bits slots, 1 to 30
  std::span<const std::byte> texts;
  std::span<const double> ends;  // of each row
  uint32_t key[2];
};

// The row of `id`, or -1.
int32_t FindRow(const TextSlots& index, std::span<const std::byte> id);

}  // namespace zerohop
