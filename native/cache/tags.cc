#include "cache/tags.h"

#include <algorithm>
#include <bit>
#include <new>

#include "base/os_memory.h"
#include "base/reserve.h"

namespace zerohop {
namespace {

// Bytes of a chunk of links.  Choices: a chunk is about 1/1 024 of the cache, so mapping one costs little of it, and a
// large cache does not have too many mappings.
constexpr size_t kChunksToACache = 1024;
constexpr size_t kChunkBytesMin = size_t{16} << 10;
constexpr size_t kChunkBytesMax = size_t{16} << 20;
static_assert(kChunkBytesMin % kPageBytes == 0, "a chunk is mapped by whole pages");

// Makes the hash key of tags another one than that of keys.
constexpr uint64_t kTagHashes = 0x7461677374616773u;

}  // namespace

Tags::Tags(HashKey key, size_t max_bytes)
    : key_{key.k0 ^ kTagHashes, key.k1},
      chunk_bytes_(std::clamp(std::bit_floor(max_bytes / kChunksToACache), kChunkBytesMin, kChunkBytesMax)),
      chunk_slots_(static_cast<uint32_t>(chunk_bytes_ / sizeof(Slot))),
      chunk_shift_(std::countr_zero(chunk_slots_)) {}

Tags::~Tags() {
  MutexLock lock(mutex_);
  for (const Chunk& chunk : chunks_) {
    if (chunk.slots != nullptr) ::zerohop::Unmap(chunk.slots, chunk_bytes_);
  }
}

Tags::Tag Tags::TagOf(uint16_t incarnation, std::string_view name) const {
  return HashInSpace(key_, incarnation, name.data(), name.size());
}

size_t Tags::slots() const {
  MutexLock lock(mutex_);
  return chunks_.size() * chunk_slots_;
}

size_t Tags::used() const {
  MutexLock lock(mutex_);
  return used_;
}

// ---- Buckets, as many as links in use

uint32_t Tags::BucketOf(Tag tag) const {
  const uint64_t half = std::bit_floor(used_);
  const uint64_t wide = tag & (2 * half - 1);
  return static_cast<uint32_t>(wide < used_ ? wide : tag & (half - 1));
}

uint32_t* Tags::FindGroup(Tag tag) {
  uint32_t* at = &At(BucketOf(tag)).bucket;
  while (*at != kNone && At(*at).tag != tag) at = &At(*at).group;
  return at;
}

// Adds a bucket.  It takes its groups out of the bucket that has held them so far.
void Tags::SplitBucket() {
  const uint32_t added = used_++;
  At(added).bucket = kNone;
  if (added == 0) return;
  for (uint32_t* at = &At(added - std::bit_floor(added)).bucket; *at != kNone;) {
    const uint32_t group = *at;
    if (BucketOf(At(group).tag) != added) {
      at = &At(group).group;
      continue;
    }
    *at = At(group).group;
    At(group).group = At(added).bucket;
    At(added).bucket = group;
  }
}

void Tags::MergeBucket() {
  const uint32_t gone = --used_;
  if (gone == 0) return;
  uint32_t* at = &At(gone - std::bit_floor(gone)).bucket;
  while (*at != kNone) at = &At(*at).group;
  *at = At(gone).bucket;
}

// ---- Slots

// REQUIRES: used_ < capacity_.
uint32_t Tags::TakeOne() {
  while (chunks_[first_free_].slots == nullptr || chunks_[first_free_].used == chunk_slots_) ++first_free_;
  Chunk& chunk = chunks_[first_free_];
  ++chunk.used;
  const auto first = static_cast<uint32_t>(first_free_ << chunk_shift_);
  uint32_t id = chunk.free;
  if (id == kNone) {
    id = first + chunk.fresh++;
  } else {
    chunk.free = At(id).next;
  }
  At(id).previous = kTaken;
  SplitBucket();
  return id;
}

void Tags::GiveBack(uint32_t id) {
  MergeBucket();
  const size_t number = id >> chunk_shift_;
  Chunk& chunk = chunks_[number];
  At(id).previous = kFree;
  At(id).next = chunk.free;
  chunk.free = id;
  first_free_ = std::min(first_free_, number);
  // A chunk has become empty, or the last bucket of one has gone.
  if (--chunk.used == 0 || (used_ & (chunk_slots_ - 1)) == 0) Unmap();
}

// Gives empty chunks back, the highest first.  One is kept, so that taking and giving back one link does not map each
// time.
void Tags::Unmap() {
  const size_t buckets = (size_t{used_} + chunk_slots_ - 1) >> chunk_shift_;  // chunks that hold some
  for (size_t number = chunks_.size(); number-- > buckets;) {
    Chunk& chunk = chunks_[number];
    if (chunk.slots == nullptr || chunk.used != 0) continue;
    if (capacity_ - used_ < 2 * chunk_slots_) break;
    ::zerohop::Unmap(chunk.slots, chunk_bytes_);
    chunk = Chunk();
    capacity_ -= chunk_slots_;
    mapped_.fetch_sub(chunk_bytes_, std::memory_order_relaxed);
  }
  while (!chunks_.empty() && chunks_.back().slots == nullptr) chunks_.pop_back();
  first_free_ = std::min(first_free_, chunks_.size());
}

bool Tags::MapChunk() noexcept {
  MutexLock lock(mutex_);
  // In the lowest gap, because the next buckets lie there.
  size_t number = 0;
  while (number < chunks_.size() && chunks_[number].slots != nullptr) ++number;
  if ((number + 1) << chunk_shift_ > kSlotsMax) return false;
  if (number == chunks_.size()) {
    try {
      EnsureRoom(chunks_, number + 1);
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  void* const memory = MapZeros(chunk_bytes_);
  if (memory == nullptr) return false;
  if (number == chunks_.size()) chunks_.emplace_back();
  chunks_[number].slots = static_cast<Slot*>(memory);
  first_free_ = std::min(first_free_, number);
  capacity_ += chunk_slots_;
  mapped_.fetch_add(chunk_bytes_, std::memory_order_relaxed);
  return true;
}

// ---- Links

bool Tags::Mapped(size_t id) const {
  const size_t number = id >> chunk_shift_;
  return number < chunks_.size() && chunks_[number].slots != nullptr;
}

bool Tags::Chained(uint32_t id) const {
  return Mapped(id) && (id & (chunk_slots_ - 1)) < chunks_[id >> chunk_shift_].fresh && At(id).previous < kTaken;
}

bool Tags::Is(const Link& link) const {
  return Chained(link.id) && At(link.id).hash == link.hash && At(link.id).tag == link.tag;
}

bool Tags::Take(std::span<const Tag> tags, uint64_t hash, std::span<uint32_t> ids) noexcept {
  MutexLock lock(mutex_);
  if (tags.empty()) return true;
  // There must be slots for the links, and for the buckets that come with them, which lie in the lowest slots.
  if (capacity_ - used_ < tags.size() || !Mapped(used_ + tags.size() - 1)) return false;
  for (size_t i = 0; i < tags.size(); ++i) {
    ids[i] = TakeOne();
    Slot& slot = At(ids[i]);
    slot.hash = hash;
    slot.tag = tags[i];
  }
  return true;
}

void Tags::Chain(TagIds ids) noexcept {
  MutexLock lock(mutex_);
  for (const uint32_t id : ids) {
    Slot& slot = At(id);
    uint32_t* const group = FindGroup(slot.tag);
    if (*group == kNone) {
      slot.next = slot.previous = id;
      slot.group = kNone;
      *group = id;
      continue;
    }
    const uint32_t first = *group, second = At(first).next;
    slot.previous = first;
    slot.next = second;
    At(second).previous = id;
    At(first).next = id;
  }
}

void Tags::Unchain(uint32_t id) {
  Slot& slot = At(id);
  const bool alone = slot.next == id;
  if (apart_ == id) apart_ = alone ? kNone : slot.next;
  // If it is the first link of its group, the next one takes its place.
  uint32_t* const group = FindGroup(slot.tag);
  if (*group == id) {
    *group = alone ? slot.group : slot.next;
    if (!alone) At(slot.next).group = slot.group;
  }
  At(slot.previous).next = slot.next;
  At(slot.next).previous = slot.previous;
}

void Tags::Release(TagIds ids) noexcept {
  MutexLock lock(mutex_);
  for (const uint32_t id : ids) GiveBack(id);
}

void Tags::Drop(TagIds ids, uint64_t hash) noexcept {
  if (ids.empty()) return;
  MutexLock lock(mutex_);
  for (const uint32_t id : ids) {
    if (!Chained(id) || At(id).hash != hash) continue;
    Unchain(id);
    GiveBack(id);
  }
}

size_t Tags::TagsOfLinks(TagIds ids, uint64_t hash, std::span<Tag> tags) const noexcept {
  MutexLock lock(mutex_);
  size_t count = 0;
  for (const uint32_t id : ids) {
    if (Chained(id) && At(id).hash == hash) tags[count++] = At(id).tag;
  }
  return count;
}

void Tags::Drop(const Link& link) noexcept {
  MutexLock lock(mutex_);
  if (!Is(link)) return;
  Unchain(link.id);
  GiveBack(link.id);
}

bool Tags::Has(const Link& link) const noexcept {
  MutexLock lock(mutex_);
  return Is(link);
}

void Tags::SetApart(Tag tag) noexcept {
  MutexLock lock(mutex_);
  apart_ = kNone;
  if (used_ == 0) return;
  uint32_t* const group = FindGroup(tag);
  apart_ = *group;
  if (apart_ != kNone) *group = At(apart_).group;
}

size_t Tags::Apart(std::span<Link> links) const noexcept {
  MutexLock lock(mutex_);
  size_t count = 0;
  if (apart_ == kNone) return 0;
  uint32_t id = apart_;
  do {
    const Slot& slot = At(id);
    links[count++] = {id, slot.tag, slot.hash};
    id = slot.next;
  } while (id != apart_ && count < links.size());
  return count;
}

size_t Tags::Look(uint32_t* from, size_t slots, std::span<Link> links) const noexcept {
  MutexLock lock(mutex_);
  const auto end = static_cast<uint32_t>(chunks_.size() << chunk_shift_);
  size_t count = 0;
  if (*from >= end) *from = 0;
  for (; slots > 0 && *from < end && count < links.size(); --slots, ++*from) {
    if (Chained(*from)) links[count++] = {*from, At(*from).tag, At(*from).hash};
  }
  return count;
}

}  // namespace zerohop
