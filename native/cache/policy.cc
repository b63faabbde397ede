#include "cache/policy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <new>
#include <utility>

namespace zerohop {
namespace {

// Dnn: docs/DECISIONS.md has the measurement.

// Requests until the first fit.  A choice: an early fit is soon replaced by a better one.
constexpr uint64_t kFirstFit = 50;
// An early fit follows when 1/10 more requests are known (D40: +0.001).  Later fits are half a capacity apart, a
// choice, and never closer than Options::fit_requests_min.
constexpr uint64_t kEarlyShare = 10;
static_assert(kFirstFit > 0 && kEarlyShare > 1, "fits come less and less often");
// Fits are at least so many requests apart while nothing is evicted: a fit costs as much as 2 000 touches (D90).
constexpr uint64_t kRelaxedFit = 16384;
// Requests that are looked at together: the clock, the sketch and the tracker need not be kept up at each one (D45).
constexpr uint32_t kTogether = 16;
// Capacities after which what was learned counts half (D40: 20 and 40 and 100 are about as good, 5 is not).
constexpr double kHalfLife = 40;

// Requests that are added to an age before its logarithm is taken.  A choice: with 2, the youngest entry has ln 2.
constexpr double kYoungest = 2;
static_assert(kYoungest > 1, "the logarithm, by which a score is divided, is positive");
// One hit in so many counts as an addition to the sketch, because most hits are within a tick of the one before (D47).
constexpr uint32_t kHitsOfAddition = 4;
static_assert(kHitsOfAddition > 0);
// With `aging`, the counts of the score policy are halved once in so many capacities of requests, as in Caffeine's
// TinyLFU.
constexpr double kScoreHalving = 10;
// A new sketch knows nothing old: for this share of the time after which it is halved, nothing is halved.  A choice.
constexpr double kFreshShare = 1 / 4.0;
static_assert(kFreshShare < 1, "counts age before the sketch is as old as they may get");

}  // namespace

Policy::Policy(const Options& options, size_t capacity, size_t entries)
    : options_(options), fit_requests_(kFirstFit), tracker_(TrackerBytes(entries)) {
  if (kind() == Kind::kScore) wide_ = std::make_unique<WideSketch>();
  Expect(capacity);
  room_ = entries;
  sketches_.push_back(std::make_unique<FrequencySketch>(SketchBytes(entries)));
  sketch_.store(sketches_.back().get(), std::memory_order_release);
  if (kind() == Kind::kLearned) halve_due_ = -static_cast<double>(sketches_.back()->blocks()) * kFreshShare;
}

size_t Policy::SketchBytes(size_t entries) const {
  if (kind() == Kind::kScore) return 0;
  return std::max(options_.sketch_bytes_min, static_cast<size_t>(options_.sketch_bytes * static_cast<double>(entries)));
}

size_t Policy::TrackerBytes(size_t entries) const {
  if (kind() == Kind::kScore) return 0;
  return std::max(options_.tracker_bytes_min,
                  static_cast<size_t>(options_.tracker_bytes * static_cast<double>(entries)));
}

void Policy::Expect(size_t capacity) {
  capacity_ = std::max<size_t>(1, capacity);
  const uint32_t before = tick_requests_;
  tick_requests_ = static_cast<uint32_t>(std::clamp<size_t>(capacity_ / kTicksInCapacity, 1, UINT32_MAX / 2));
  together_ = std::min(kTogether, tick_requests_);
  if (kind() == Kind::kScore && tick_requests_ != before) Score();
}

// Fills the table of kScore with frequency / ln(age).  Only the length of a tick can change it.
void Policy::Score() {
  for (uint32_t of = 0; of < AccessState::kClasses; ++of) {
    for (uint32_t step = 0; step < AgeSteps::kSteps; ++step) {
      const double ticks = (AgeSteps::AgeOf(step) + AgeSteps::AgeOf(step + 1) - 1) / 2.0;
      const double requests = ticks * tick_requests_;
      model_.SetReuseRate(of, step, static_cast<float>(CountOfClass(of) / std::log(requests + kYoungest)));
    }
  }
}

uint32_t Policy::FrequencyOf(AccessState access_state) const {
  constexpr std::array<uint8_t, kFrequencyBands> kLeast = {1, 2, 3, 5, 8, 12};
  static_assert(FrequencyBand(kLeast[1] - 1) == 0 && FrequencyBand(kLeast[1]) == 1 && FrequencyBand(kLeast[2]) == 2 &&
                    FrequencyBand(kLeast[3]) == 3 && FrequencyBand(kLeast[4]) == 4 && FrequencyBand(kLeast[5]) == 5,
                "each is the least count of its band");
  const uint32_t of = access_state.entry_class();
  if (kind() == Kind::kScore) return CountOfClass(of);
  return kLeast[std::min(of / kGapBands, kFrequencyBands - 1)];
}

float Policy::GapOf(AccessState access_state) const {
  constexpr std::array<float, kGapBands> kMost = {
      0, 1 / 16.0f, 1 / 4.0f, 1, 4, 16, std::numeric_limits<float>::infinity()};
  static_assert(GapBand(kTicksInCapacity / 16 - 1) == 1 && GapBand(kTicksInCapacity / 16) == 2 &&
                    GapBand(kTicksInCapacity / 4) == 3 && GapBand(kTicksInCapacity) == 4 &&
                    GapBand(4 * kTicksInCapacity) == 5 && GapBand(16 * kTicksInCapacity) == 6,
                "each is the largest gap of its band");
  static_assert(16 * kTicksInCapacity < AccessState::kAges, "the stamp tells the largest gap");
  return kind() == Kind::kScore ? 0 : kMost[access_state.entry_class() % kGapBands];
}

size_t Policy::GrownSketchBytes(size_t entries) const {
  size_t bytes = sketches_.back()->bytes();
  while (bytes < SketchBytes(entries)) bytes *= 2;
  return bytes;
}

bool Policy::Grow(size_t entries) noexcept {
  const FrequencySketch& current = *sketches_.back();
  const size_t bytes = GrownSketchBytes(entries);
  try {
    std::unique_ptr<FrequencySketch> larger;
    if (bytes > current.bytes()) {
      larger = std::make_unique<FrequencySketch>(bytes);
      sketches_.reserve(2);
    }
    if (TrackerBytes(entries) > tracker_.bytes()) tracker_.Grow(TrackerBytes(entries));
    larger_ = std::move(larger);
  } catch (const std::bad_alloc&) {
    return false;
  }
  larger_blocks_ = 0;
  room_ = entries;
  return true;
}

// What is counted in blocks that were copied already is lost: of the requests of one growth, and seldom seen again.
bool Policy::GrowOn() {
  if (larger_ == nullptr) {
    tracker_.EndOutgrown(kStepBytes / kCacheLineBytes, now(), model_);
    return false;
  }
  const size_t from = larger_blocks_;
  larger_blocks_ = std::min(larger_->blocks(), from + kStepBytes / kCacheLineBytes);
  larger_->CopyFrom(*sketches_.back(), from, larger_blocks_);
  if (larger_blocks_ < larger_->blocks()) return false;
  sketches_.push_back(std::move(larger_));
  sketch_.store(sketches_.back().get(), std::memory_order_release);
  return true;
}

void Policy::ForgetOutgrown() {
  FrequencySketch& outgrown = *sketches_.front();
  outgrown.Truncate(outgrown.blocks() - std::min(outgrown.blocks(), kStepBytes / kCacheLineBytes));
  if (outgrown.blocks() == 0) sketches_.erase(sketches_.begin());
}

size_t Policy::bytes() const {
  size_t bytes = tracker_.bytes() + (wide_ ? WideSketch::bytes() : 0) + (larger_ ? larger_->bytes() : 0);
  for (const auto& sketch : sketches_) bytes += sketch->bytes();
  return bytes;
}

void Policy::Pass() {
  const uint32_t passed = std::exchange(new_requests_, 0);
  const uint32_t passed_hits = std::exchange(new_hits_, 0);
  in_tick_ += kind() == Kind::kLearned ? clock_.Count(passed, passed_hits, capacity_) : passed;
  if (in_tick_ >= tick_requests_) {
    now_.store(now() + in_tick_ / tick_requests_, std::memory_order_relaxed);
    in_tick_ %= tick_requests_;
  }
  // A hit counts as 1/kHitsOfAddition of an addition, any other request as one.
  unaged_ += kind() == Kind::kLearned ? passed * kHitsOfAddition - passed_hits * (kHitsOfAddition - 1)
                                      : passed * kHitsOfAddition;
  if (const uint32_t additions = unaged_ / kHitsOfAddition; additions >= std::max(tick_requests_, kTogether)) {
    AgeSketch(additions);
    unaged_ %= kHitsOfAddition;
  }
  unswept_ += passed;
  if (unswept_ >= kTogether && kind() == Kind::kLearned) Sweep();
}

// Sweeps as much of the tracker as corresponds to the requests since the last sweep; fits when all of it was swept.
void Policy::Sweep() {
  requests_ += unswept_;
  sweep_due_ += static_cast<double>(tracker_.buckets()) * static_cast<double>(std::exchange(unswept_, 0)) /
                static_cast<double>(fit_requests_);
  const auto buckets = static_cast<size_t>(sweep_due_);
  sweep_due_ -= static_cast<double>(buckets);
  if (tracker_.Sweep(buckets, now(), model_)) Fit();
}

// Halves the share of the sketch that corresponds to so many additions.
void Policy::AgeSketch(uint32_t additions) {
  const double passed = additions / static_cast<double>(capacity_);
  if (kind() == Kind::kScore) {
    if (!options_.aging) return;
    halve_due_ += static_cast<double>(WideSketch::counters()) * std::min(passed / kScoreHalving, 1.0);
    const auto counters = static_cast<size_t>(halve_due_);
    wide_->Halve(counters);
    halve_due_ -= static_cast<double>(counters);
    return;
  }
  FrequencySketch& sketch = *sketches_.back();
  const double share = passed / static_cast<double>(kHalvingCapacities);
  halve_due_ += static_cast<double>(sketch.blocks()) * std::min(share, 1.0);
  if (halve_due_ < 1 || larger_ != nullptr) return;
  const auto blocks = static_cast<size_t>(halve_due_);
  sketch.HalveBlocks(blocks);
  halve_due_ -= static_cast<double>(blocks);
}

void Policy::Fit() {
  const auto since = static_cast<double>(requests_ - last_fit_) / static_cast<double>(capacity_);
  model_.Fit(static_cast<float>(std::pow(0.5, since / kHalfLife)));
  last_fit_ = requests_;
  sweep_due_ = 0;
  PlanFit();
}

void Policy::PlanFit() {
  const uint64_t steady = std::max<uint64_t>(options_.fit_requests_min, capacity_ / 2);  // kEarlyShare
  fit_requests_ =
      relaxed_ ? std::max(steady, kRelaxedFit) : std::min(steady, std::max(kFirstFit, requests_ / kEarlyShare));
}

}  // namespace zerohop
