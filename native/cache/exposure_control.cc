#include "cache/exposure_control.h"

#include <algorithm>

namespace zerohop {
namespace {

// One segment in eight is never exposed (D8, D32 in docs/DECISIONS.md): enough for streams, survivors and a few
// victims, however long someone keeps views of all the others.
constexpr uint32_t kReserveShare = 8;
// The least reserve, in segments: the open ones of newcomers and of survivors, the spare one, and a victim.  A larger
// cache adds one, which the index may take when it grows after exposures were granted.  A small cache has a small
// index, and needs each of its segments.
constexpr uint32_t kReserveOfSmall = 4, kReserveOfLarge = 5;
constexpr uint32_t kSegmentsOfSmall = 12;  // fewer segments are a small cache.  A choice
static_assert(kReserveOfLarge < kSegmentsOfSmall, "a large cache can expose something");
// Each scope beyond the first has two open segments.
constexpr uint32_t kOpenOfScope = 2;

// Without prompt buffers, while the cache evicts: one segment in so many may be exposed.  Choices, for a backend that
// no supported Node needs (D20).
constexpr uint32_t kEvictingShare = 2, kLaggingShare = 4;
static_assert(kEvictingShare < kLaggingShare, "fewer while collections lag");

uint32_t Reserve(uint32_t segments, uint32_t scopes) {
  const uint32_t least = segments < kSegmentsOfSmall ? kReserveOfSmall : kReserveOfLarge;
  return std::max(least, segments / kReserveShare) + (scopes > 1 ? kOpenOfScope * (scopes - 1) : 0);
}

}  // namespace

bool ExposureControl::TryExpose(const ReadGuard&, uint32_t index, bool prompt) {
  const Segment& segment = arena_.segment(index);
  // A large value cannot be moved out of the way, so it is shown while it lasts.
  if (segment.cooling.load(std::memory_order_relaxed) && segment.view_at == 0) return false;
  const uint32_t limit = Limit(prompt);
  // An exposed segment is pinned already: one more buffer costs nothing.
  if (segment.exposures.load(std::memory_order_relaxed) == 0 &&
      arena_.exposed_segments() + segment.run_segments > limit) {
    if (prompt) SignalLimit();
    return false;
  }
  return arena_.TryExpose(index, limit);
}

bool ExposureControl::ShouldRelease(uint32_t index) const {
  const Segment& segment = arena_.segment(index);
  return segment.cooling.load(std::memory_order_relaxed) ||
         segment.state.load(std::memory_order_acquire) == SegmentState::kRetired;
}

uint32_t ExposureControl::Limit(bool prompt) const {
  const uint32_t segments = arena_.usable_segments();
  const uint32_t reserve = Reserve(segments, scopes_.load(std::memory_order_relaxed));
  if (segments <= reserve) return 0;
  if (prompt || !evicting()) return segments - reserve;
  const uint32_t lag = lag_.load(std::memory_order_relaxed);
  const uint32_t usual = segments / kEvictingShare;
  return std::min(segments - reserve, std::max(segments / kLaggingShare, usual - std::min(usual, lag / 2)));
}

void ExposureControl::Notify() {
  notice_.fetch_add(1, std::memory_order_release);
  announce_();
}

void ExposureControl::StartEvicting() {
  if (evicting_.exchange(true, std::memory_order_relaxed)) return;
  version_words_.AllChanged();
  Notify();  // buffers are held less strongly from now on
}

void ExposureControl::SignalLimit() {
  // Read first: a lookup that is refused an exposure comes here every time.
  if (at_limit_.load(std::memory_order_relaxed) || at_limit_.exchange(true, std::memory_order_relaxed)) return;
  version_words_.AllChanged();
  // Buffers that were held until now are old.
  collection_need_.store(CollectionNeed::kWhole, std::memory_order_relaxed);
  Notify();
}

void ExposureControl::Reset() {
  evicting_.store(false, std::memory_order_relaxed);
  at_limit_.store(false, std::memory_order_relaxed);
  CollectionDone();
  lag_.store(0, std::memory_order_relaxed);
}

void ExposureControl::GroupCools(uint32_t exposed, uint32_t given_up, uint32_t window) {
  lag_.store(exposed + given_up, std::memory_order_relaxed);
  if (exposed > 0) {
    Notify();
    collection_need_.store(CollectionNeed::kYoung, std::memory_order_relaxed);
  }
  if (given_up >= window / 2) collection_need_.store(CollectionNeed::kWhole, std::memory_order_relaxed);
}

}  // namespace zerohop
