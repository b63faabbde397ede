// id_slots.h: finds the rows of integer ids, many at a time, in the index that lib/weights/id-index.ts makes.
//
// A slot is two words: the lower half of an id, and its row + 1; or 0, 0 if the slot is empty.  A key decides which
// slot an id gets, so nobody who chooses ids can choose their slots.  An id lies within kProbesMax slots of its first
// one.  A search that fails ends at an empty slot, or after kProbesMax slots.  The file may hold anything in its slots,
// so a row is checked against the size of the table.
//
// Cost  one cache line of the index an id; the lines of the next ids are prefetched
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace zerohop {

inline constexpr size_t kProbesMax = 128;

struct IdSlots {
  const int32_t* slots;
  unsigned bits;       // 2^bits slots, 1 to 30
  const int32_t* ids;  // two words for each row, the lower one first; read only if `wide`
  uint64_t rows;
  bool wide;  // some id does not fit into its lower half
  uint32_t key[2];
};

// rows[i] is the row of ids[i], or -1.
void FindRows(const IdSlots& index, std::span<const int32_t> ids, int32_t* rows);
void FindRows(const IdSlots& index, std::span<const uint32_t> ids, int32_t* rows);
// A number that is not whole, or beyond 2^53, has no row.
void FindRows(const IdSlots& index, std::span<const double> ids, int32_t* rows);

}  // namespace zerohop
