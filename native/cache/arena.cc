#include "cache/arena.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

namespace zerohop {

namespace {

// An arena of so many bytes lies in huge pages even if its segments are smaller than one.  One that is in memory though
// only some of its segments are in use is then a 32nd of the arena at most (D94 in docs/DECISIONS.md).
constexpr size_t kHugeFrom = 32 * kHugePageBytes;

}  // namespace

Result<Arena*> Arena::Create(size_t bytes, size_t segment_bytes, MappingKind kind) {
  const auto count = static_cast<uint32_t>(bytes / segment_bytes);
  const size_t alignment = bytes < kHugeFrom ? segment_bytes : std::max(segment_bytes, kHugePageBytes);
  Result<Mapping> mapping = Mapping::Reserve(size_t{count} * segment_bytes, alignment, kind);
  if (!mapping.ok()) return mapping.status();
  return new Arena(std::move(mapping.value()), segment_bytes, count);
}

Arena::Arena(Mapping mapping, size_t segment_bytes, uint32_t count)
    : mapping_(std::move(mapping)),
      segment_bytes_(segment_bytes),
      segment_shift_(std::countr_zero(segment_bytes)),
      segments_(count),
      committed_(count, false) {
  free_.reserve(count);
  retired_.reserve(count);
  for (uint32_t index = count; index-- > 0;) free_.push_back(index);
}

void Arena::Unref() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

uint32_t Arena::TakeableLocked(uint32_t spare) const {
  const size_t kept = spare + withheld_.load(std::memory_order_relaxed);
  return free_.size() > kept ? static_cast<uint32_t>(free_.size() - kept) : 0;
}

uint32_t Arena::Takeable(uint32_t spare) {
  MutexLock lock(mutex_);
  return TakeableLocked(spare);
}

void Arena::Open(uint32_t index, uint32_t run) {
  Segment& head = segments_[index];
  head.run_segments = run;
  head.used_bytes = 0;
  head.appended.store(0, std::memory_order_relaxed);
  head.view_at = 0;
  head.view_bytes = static_cast<uint32_t>(segment_bytes_);
  head.cooling.store(false, std::memory_order_relaxed);
  head.tainted.store(false, std::memory_order_relaxed);
  head.generation.fetch_add(1, std::memory_order_relaxed);
  head.state.store(SegmentState::kOpen, std::memory_order_release);
  for (uint32_t tail = index + 1; tail < index + run; ++tail) {
    segments_[tail].state.store(SegmentState::kRunTail, std::memory_order_release);
  }
  for (uint32_t each = index; each < index + run; ++each) {
    committed_count_ += !committed_[each];
    warm_ -= committed_[each];
    committed_[each] = true;
  }
  warm_least_ = std::min(warm_least_, warm_);
  Trim();
}

// Gives pages of free segments back until at most as many segments are in memory as are usable.
void Arena::Trim() {
  const uint32_t usable = usable_segments();
  if (committed_count_ > usable) DecommitColdest(committed_count_ - usable);
}

uint32_t Arena::DecommitColdest(size_t count) {
  uint32_t given_back = 0;
  for (const uint32_t index : free_) {
    if (given_back == count) break;
    if (!committed_[index]) continue;
    mapping_.Decommit(StartOf(index), segment_bytes_);
    committed_[index] = false;
    segments_[index].left_by = Segment::kNobody;
    ++given_back;
  }
  committed_count_ -= given_back;
  warm_ -= given_back;
  warm_least_ = std::min(warm_least_, warm_);
  return given_back;
}

void Arena::Withhold(uint32_t count) {
  if (count == withheld_.load(std::memory_order_relaxed)) return;  // nearly always
  MutexLock lock(mutex_);
  withheld_.store(count, std::memory_order_relaxed);
  Trim();
}

std::optional<uint32_t> Arena::TakeFree(uint32_t spare) {
  MutexLock lock(mutex_);
  if (TakeableLocked(spare) == 0) return std::nullopt;
  const uint32_t index = free_.back();
  free_.pop_back();
  Open(index, 1);
  return index;
}

std::optional<uint32_t> Arena::TakeRun(uint32_t count, uint32_t spare) {
  MutexLock lock(mutex_);
  if (TakeableLocked(spare) < count) return std::nullopt;
  const std::optional<uint32_t> first = FindRun(count);
  if (!first) return std::nullopt;
  free_.erase(std::remove_if(free_.begin(), free_.end(),
                             [&](uint32_t each) { return each >= *first && each < *first + count; }),
              free_.end());
  Open(*first, count);
  return first;
}

// The first run whose pages are all in memory.  Without one, the first run.
std::optional<uint32_t> Arena::FindRun(uint32_t count) const {
  std::optional<uint32_t> first;
  uint32_t free = 0, warm = 0;  // how many there are in a row
  for (uint32_t index = 0; index < segment_count(); ++index) {
    const bool is_free = segments_[index].state.load(std::memory_order_relaxed) == SegmentState::kFree;
    free = is_free ? free + 1 : 0;
    warm = is_free && committed_[index] ? warm + 1 : 0;
    if (warm >= count) return index + 1 - count;
    if (free >= count && !first) first = index + 1 - count;
  }
  return first;
}

void Arena::Own(uint32_t index, uint16_t scope) {
  segments_[index].scope = scope;
  for (uint32_t each = index; each < index + segments_[index].run_segments; ++each) {
    const uint16_t left_by = std::exchange(segments_[each].left_by, scope);
    if (left_by == scope || left_by == Segment::kNobody) continue;
    std::memset(bytes() + StartOf(each), 0, segment_bytes_);
  }
}

bool Arena::Unseen(const Segment& segment, uint64_t oldest_reader) {
  return segment.writers.load(std::memory_order_acquire) == 0 &&
         segment.live_entries.load(std::memory_order_acquire) == 0 && segment.retired_epoch <= oldest_reader &&
         segment.exposures.load(std::memory_order_acquire) == 0;
}

void Arena::Retire(uint32_t index, bool decommit) {
  segments_[index].state.store(SegmentState::kRetired, std::memory_order_release);
  MutexLock lock(mutex_);
  retired_.push_back({index, decommit});
}

void Arena::Free(uint32_t index, bool decommit) {
  const uint32_t run = segments_[index].run_segments;
  if (decommit) mapping_.Decommit(StartOf(index), size_t{run} * segment_bytes_);
  for (uint32_t each = index; each < index + run; ++each) {
    segments_[each].state.store(SegmentState::kFree, std::memory_order_release);
    segments_[each].run_segments = 1;
    if (decommit) {
      committed_count_ -= committed_[each];
      committed_[each] = false;
      segments_[each].left_by = Segment::kNobody;
    }
    warm_ += committed_[each];
    free_.push_back(each);
  }
  Trim();
}

bool Arena::TryExpose(uint32_t index, uint32_t limit) {
  Segment& segment = segments_[index];
  if (segment.exposures.fetch_add(1, std::memory_order_acq_rel) == 0) {
    const uint32_t before = exposed_.fetch_add(segment.run_segments, std::memory_order_relaxed);
    if (before + segment.run_segments > limit) {
      Ref();  // Unexpose gives back what a full exposure took
      Unexpose(index);
      return false;
    }
  }
  Ref();
  return true;
}

void Arena::Unexpose(uint32_t index) {
  Segment& segment = segments_[index];
  // While this exposure is counted, the segment is not freed, so its length stays.
  const uint32_t run = segment.run_segments;
  if (segment.exposures.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    exposed_.fetch_sub(run, std::memory_order_relaxed);
    unexposed_.fetch_add(1, std::memory_order_release);
    if (closed_.load(std::memory_order_acquire)) mapping_.Decommit(StartOf(index), size_t{run} * segment_bytes_);
  }
  Unref();
}

uint32_t Arena::DecommitFree() {
  MutexLock lock(mutex_);
  return DecommitColdest(free_.size());
}

uint32_t Arena::DecommitUnneeded() {
  MutexLock lock(mutex_);
  const uint32_t given_back = DecommitColdest(warm_least_);
  warm_least_ = warm_;
  return given_back;
}

void Arena::Close() {
  closed_.store(true, std::memory_order_release);
  MutexLock lock(mutex_);
  for (uint32_t index = 0; index < segment_count();) {
    const uint32_t run = segments_[index].run_segments;
    // If the last exposure goes between the store above and this check, the pages are given back twice.  That is
    // harmless.
    if (segments_[index].exposures.load(std::memory_order_acquire) == 0 && committed_[index]) {
      mapping_.Decommit(StartOf(index), size_t{run} * segment_bytes_);
    }
    index += run;
  }
}

uint32_t Arena::free_segments() {
  MutexLock lock(mutex_);
  return static_cast<uint32_t>(free_.size());
}

uint32_t Arena::committed_segments() {
  MutexLock lock(mutex_);
  return committed_count_;
}

uint32_t Arena::retired_segments() {
  MutexLock lock(mutex_);
  uint32_t count = 0;
  for (const Retired& one : retired_) count += segments_[one.index].run_segments;
  return count;
}

}  // namespace zerohop
