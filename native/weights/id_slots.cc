#include "weights/id_slots.h"

#include <algorithm>

namespace zerohop {
namespace {

constexpr size_t kAhead = 16;  // ids.  A little more than the misses that a processor has at a time

struct Halves {
  uint32_t low, high;
  bool whole = true;
};

Halves HalvesOf(int32_t id) { return {static_cast<uint32_t>(id), id < 0 ? ~uint32_t{0} : 0}; }
Halves HalvesOf(uint32_t id) { return {id, 0}; }
Halves HalvesOf(double id) {
  constexpr double kSafe = 9007199254740991.0;
  if (!(id >= -kSafe && id <= kSafe)) return {0, 0, false};
  const auto whole = static_cast<int64_t>(id);
  const auto bits = static_cast<uint64_t>(whole);
  return {static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32), static_cast<double>(whole) == id};
}

uint32_t Mixed(uint32_t word, uint32_t key) {
  word = (word ^ word >> 16) * 0x7feb352d + key;
  word = (word ^ word >> 15) * 0x846ca68b;
  return word ^ word >> 16;
}

size_t FirstSlot(const IdSlots& index, const Halves& id) {
  uint32_t hash = Mixed(id.low ^ index.key[0], index.key[1]);
  if (id.high != 0) hash = Mixed(hash ^ id.high, index.key[1]);
  return hash >> (32 - index.bits);
}

int32_t FindRow(const IdSlots& index, const Halves& id) {
  if (!id.whole || (id.high != 0 && !index.wide)) return -1;
  const size_t mask = (size_t{1} << index.bits) - 1;
  size_t slot = FirstSlot(index, id);
  for (size_t probes = 0; probes < kProbesMax; ++probes, slot = (slot + 1) & mask) {
    const int32_t row = index.slots[2 * slot + 1];
    if (row <= 0) return -1;
    if (static_cast<uint32_t>(index.slots[2 * slot]) != id.low || static_cast<uint64_t>(row) > index.rows) continue;
    if (!index.wide || static_cast<uint32_t>(index.ids[2 * (size_t{static_cast<uint32_t>(row)} - 1) + 1]) == id.high) {
      return row - 1;
    }
  }
  return -1;
}

template <class Id>
void FindAll(const IdSlots& index, std::span<const Id> ids, int32_t* rows) {
  const auto fetch = [&](size_t i) { __builtin_prefetch(index.slots + 2 * FirstSlot(index, HalvesOf(ids[i]))); };
  for (size_t i = 0; i < std::min(kAhead, ids.size()); ++i) fetch(i);
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i + kAhead < ids.size()) fetch(i + kAhead);
    rows[i] = FindRow(index, HalvesOf(ids[i]));
  }
}

}  // namespace

void FindRows(const IdSlots& index, std::span<const int32_t> ids, int32_t* rows) { FindAll(index, ids, rows); }
void FindRows(const IdSlots& index, std::span<const uint32_t> ids, int32_t* rows) { FindAll(index, ids, rows); }
void FindRows(const IdSlots& index, std::span<const double> ids, int32_t* rows) { FindAll(index, ids, rows); }

}  // namespace zerohop
