#include "cache/index.h"

namespace zerohop {

Index::Index() {
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    shard.slots = std::make_unique<uint64_t[]>(kFirstSlots);
    shard.capacity = kFirstSlots;
  }
  bytes_ = kShards * kFirstSlots * sizeof(uint64_t);
}

void Index::Shard::Place(uint64_t slot) {
  size_t at = Home(slot);
  while (slots[at] != 0) at = Next(at);
  slots[at] = slot;
  ++used;
}

void Index::Shard::Erase(size_t at) {
  // Close the gap: a later slot of the run may move back to it unless its home lies behind the gap.
  size_t gap = at;
  for (size_t next = Next(at); slots[next] != 0; next = Next(next)) {
    const size_t home = Home(slots[next]);
    const bool home_in_between = gap <= next ? (gap < home && home <= next) : (gap < home || home <= next);
    if (home_in_between) continue;
    slots[gap] = slots[next];
    gap = next;
  }
  slots[gap] = 0;
  --used;
}

void Index::Shard::GrowInto(std::unique_ptr<uint64_t[]> bigger, size_t new_capacity) {
  std::unique_ptr<uint64_t[]> old = std::exchange(slots, std::move(bigger));
  const size_t old_capacity = std::exchange(capacity, new_capacity);
  used = 0;
  for (size_t at = 0; at < old_capacity; ++at) {
    if (old[at] != 0) Place(old[at]);
  }
}

bool Index::EnsureRoom(Shard& shard) {
  size_t capacity;
  {
    MutexLock lock(shard.mutex);
    if (!shard.Full()) return true;
    capacity = shard.capacity;
  }
  const size_t wanted = capacity + capacity / 2;
  std::unique_ptr<uint64_t[]> slots(new (std::nothrow) uint64_t[wanted]());
  if (slots == nullptr) return false;
  MutexLock lock(shard.mutex);
  if (shard.capacity == capacity) {  // else someone grew it meanwhile
    shard.GrowInto(std::move(slots), wanted);
    bytes_.fetch_add((wanted - capacity) * sizeof(uint64_t), std::memory_order_relaxed);
  }
  return true;
}

std::optional<uint32_t> Index::UsesOf(uint64_t hash, uint64_t offset) {
  Shard& shard = shards_[ShardOf(hash)];
  MutexLock lock(shard.mutex);
  const size_t at = shard.Locate(TagOf(hash), [offset](uint64_t each) { return each == offset; });
  if (at == kNone) return std::nullopt;
  return Uses(shard.slots[at]);
}

bool Index::Repoint(uint64_t hash, uint64_t from, uint64_t to) {
  Shard& shard = shards_[ShardOf(hash)];
  MutexLock lock(shard.mutex);
  const size_t at = shard.Locate(TagOf(hash), [from](uint64_t each) { return each == from; });
  if (at == kNone) return false;
  shard.slots[at] = Pack(TagOf(hash), to);
  return true;
}

}  // namespace zerohop
