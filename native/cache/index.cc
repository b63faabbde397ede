#include "cache/index.h"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "base/os_memory.h"

namespace zerohop {
namespace {

// Buckets of a shard at first: 8 KiB for all shards.  A choice.
constexpr size_t kFirstBuckets = 2;

// A table of so many bytes or more has whole pages of its own (D10 in docs/DECISIONS.md).
constexpr size_t kMappedBytes = size_t{16} << 10;
static_assert(kMappedBytes % kPageBytes == 0);

// A table grows by a quarter, so a shard that has just grown is still 4/5 x 4/5 full: memory is dear here, and moving a
// slot is cheap (D10).
size_t Larger(size_t buckets) { return buckets + std::max<size_t>(1, buckets / 4); }

}  // namespace

Index::Index(EpochDomain& epochs) : epochs_(epochs) {
  std::array<std::unique_ptr<Table>, kShards> first;
  for (std::unique_ptr<Table>& table : first) {
    table = NewTable(kFirstBuckets);
    if (table == nullptr) throw std::bad_alloc();
  }
  for (size_t shard = 0; shard < kShards; ++shard) {
    shards_[shard].table.store(first[shard].release(), std::memory_order_relaxed);
  }
  bytes_ = kShards * kFirstBuckets * sizeof(Bucket);
}

Index::~Index() {
  for (Shard& shard : shards_) delete shard.table.load(std::memory_order_relaxed);
}

void Index::Release::operator()(Bucket* buckets) const {
  if (mapped) {
    Unmap(buckets, bytes);
  } else {
    ::operator delete (static_cast<void*>(buckets), std::align_val_t{kCacheLineBytes});
  }
}

std::unique_ptr<Index::Table> Index::NewTable(size_t count) {
  const size_t bytes = count * sizeof(Bucket);
  const bool mapped = bytes >= kMappedBytes;
  void* const memory =
      mapped ? MapZerosInHugePages(bytes) : ::operator new (bytes, std::align_val_t{kCacheLineBytes}, std::nothrow);
  if (memory == nullptr) return nullptr;
  auto* const first = static_cast<Bucket*>(memory);
  // A mapping is zero, and so is an empty bucket.
  if (!mapped) std::uninitialized_default_construct_n(first, count);
  std::unique_ptr<Bucket[], Release> buckets(first, {mapped, bytes});
  return std::unique_ptr<Table>(new (std::nothrow) Table{count, std::move(buckets)});
}

void Index::Insert(Table& table, uint64_t slot, uint16_t access_state) {
  for (size_t at = table.Home(Tag(slot));; at = table.Next(at)) {
    Bucket& bucket = table.buckets[at];
    for (size_t i = 0; i < kBucketSlots; ++i) {
      if (bucket.slots[i].load(std::memory_order_relaxed) != 0) continue;
      bucket.access_states[i].store(access_state, std::memory_order_relaxed);
      bucket.slots[i].store(slot, std::memory_order_release);
      return;
    }
    // Before the slot is written: a reader that does not find the key here must look on.
    bucket.passed.store(bucket.passed.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
}

void Index::Shard::Erase(const Place& place) {
  const uint64_t tag = Tag(place.word().load(std::memory_order_relaxed));
  place.word().store(0, std::memory_order_release);
  for (size_t at = place.table->Home(tag); at != place.bucket; at = place.table->Next(at)) {
    std::atomic<uint32_t>& passed = place.table->buckets[at].passed;
    passed.store(passed.load(std::memory_order_relaxed) - 1, std::memory_order_release);
  }
  --used;
}

bool Index::Grow(Shard& shard) noexcept {
  size_t count;
  {
    MutexLock lock(shard.mutex);
    if (!shard.Full()) return true;  // someone else grew it
    count = shard.table.load(std::memory_order_relaxed)->count;
  }
  std::unique_ptr<Table> larger = NewTable(Larger(count));
  if (larger == nullptr) return false;
  std::unique_ptr<Table> old;
  {
    MutexLock lock(shard.mutex);
    Table* const current = shard.table.load(std::memory_order_relaxed);
    if (current->count != count) return true;
    for (size_t at = 0; at < count; ++at) {
      const Bucket& bucket = current->buckets[at];
      for (size_t i = 0; i < kBucketSlots; ++i) {
        const uint64_t slot = bucket.slots[i].load(std::memory_order_relaxed);
        if (slot != 0) Insert(*larger, slot, bucket.access_states[i].load(std::memory_order_relaxed));
      }
    }
    bytes_.fetch_add(larger->bytes(), std::memory_order_relaxed);
    shard.table.store(larger.release(), std::memory_order_release);
    old.reset(current);
  }
  {
    MutexLock lock(outgrown_mutex_);
    old->epoch = epochs_.Advance();
    old->next = std::move(outgrown_);
    outgrown_ = std::move(old);
  }
  Tidy();
  return true;
}

void Index::Tidy() {
  MutexLock lock(outgrown_mutex_);
  if (outgrown_ == nullptr) return;
  const uint64_t oldest = epochs_.OldestReader();
  for (std::unique_ptr<Table>* each = &outgrown_; *each != nullptr;) {
    if ((*each)->epoch > oldest) {
      each = &(*each)->next;
      continue;
    }
    bytes_.fetch_sub((*each)->bytes(), std::memory_order_relaxed);
    std::unique_ptr<Table> gone = std::move(*each);
    *each = std::move(gone->next);
  }
}

void Index::SetOwner(const Session* owner) {
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    shard.owner = owner;
  }
}

void Index::AwaitWriters() {
  for (Shard& shard : shards_) MutexLock lock(shard.mutex);
}

std::optional<AccessState> Index::AccessStateOf(uint64_t hash, uint64_t offset) {
  Shard& shard = shards_[ShardOf(hash)];
  MutexLock lock(shard.mutex);
  const Place place = shard.Locate(TagOf(hash), [offset](uint64_t each) { return each == offset; });
  if (!place) return std::nullopt;
  return AccessState(place.access_state().load(std::memory_order_relaxed));
}

std::optional<AccessState> Index::SeenAccessStateOf(const ReadGuard&, uint64_t hash, uint64_t offset) const {
  const Table& table = *shards_[ShardOf(hash)].table.load(std::memory_order_acquire);
  const uint64_t wanted = Pack(TagOf(hash), offset);
  size_t at = table.Home(TagOf(hash));
  for (size_t looked = 0; looked < table.count; ++looked, at = table.Next(at)) {
    const Bucket& bucket = table.buckets[at];
    for (size_t i = 0; i < kBucketSlots; ++i) {
      if (bucket.slots[i].load(std::memory_order_relaxed) != wanted) continue;
      return AccessState(bucket.access_states[i].load(std::memory_order_relaxed));
    }
    if (bucket.passed.load(std::memory_order_acquire) == 0) break;
  }
  return std::nullopt;
}

}  // namespace zerohop
