// id_slots.h: rows by whole numbers, many at a time: the index of lib/weights/id-index.ts, which makes it.
//
// A slot is two words: the lower half of an id, and its row + 1, or 0 where there is none.  The key chooses the slots,
// so that who chooses ids does not choose them.  An id lies within kProbesMax slots of its first one: an id that is not
// there ends at an empty slot, or there.  What is in the slots is believed as far as it gives rows of the table,
// whoever wrote it.
//
// Cost  a line of the index an id; those to come are fetched
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace zerohop {

inline constexpr size_t kProbesMax = 128;

struct IdSlots {
  const int32_t* slots;
  unsigned bits;       // 2^bits slots, 1 to 30
  const int32_t* ids;  // of each row two words, the lower one first; looked at only if some id has an upper half
  uint64_t rows;
  bool wide;  // some id has an upper half
  uint32_t key[2];
};

// rows[i] is the row of ids[i], or -1.
void FindRows(const IdSlots& index, std::span<const int32_t> ids, int32_t* rows);
void FindRows(const IdSlots& index, std::span<const uint32_t> ids, int32_t* rows);
// What is no whole number within 2^53 has no row.
void FindRows(const IdSlots& index, std::span<const double> ids, int32_t* rows);

}  // namespace zerohop
