// text_slots.h: finds the row of a text id, in the index that lib/weights/id-index.ts makes.
//
// A slot is two words: a hash of the id's UTF-8, and its row + 1; or 0, 0 if the slot is empty.  The ids lie back to
// back; a list has the end of each.  The hash has a key, so nobody who chooses ids can make them collide.
//
// All of this may lie in a mapped file to which somebody writes.  Whatever it contains, a search gives a row of the
// table or none, within kProbesMax steps.  A file that is cut faults (fault_guard.h).
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
