#include "cache/reuse_model.h"

#include <algorithm>
#include <cmath>

namespace zerohop {
namespace {

// The numbers below are choices.  D40 in docs/DECISIONS.md measured the model as a whole, not each of them.

// Intervals.  A class counts as if so many more had been seen that behave like its group; a group, like all.  Large
// enough that a handful of intervals decides nothing, small enough that a common class speaks for itself.
constexpr float kBorrowed = 8;

// What is believed before anything was seen: the chance of reuse falls with age, as it does nearly everywhere.  The
// belief counts as so many reuses, so traffic soon outweighs it.  Its hazard falls with this power of the age.
constexpr float kPriorSeen = 3;
constexpr float kPriorPower = 0.1f;
static_assert(kBorrowed > 0 && kPriorSeen > 0, "they are divided by when nothing was seen");
static_assert(0 < kPriorPower && kPriorPower < 1, "a hazard lies between 0 and 1, and falls with age");

// A hazard is never certain.
constexpr float kHazardMax = 0.999f;
static_assert(kHazardMax < 1, "the integral of the share that waits stays positive");

// Beyond the last age the hazard is taken to be this share of the last one: nothing was seen there.
constexpr float kTailShare = 0.5f;
static_assert(0 < kTailShare && kTailShare <= 1, "the hazard falls with age");

// A class without news is fitted anew once in so many fits, to save time: it changes only with what it borrows.
constexpr uint32_t kFitsOfEvery = 3;

// The hazard of each step, by that belief.
std::array<float, ReuseModel::kSteps> PriorHazards() {
  std::array<float, ReuseModel::kSteps> prior;
  for (uint32_t step = 0; step < ReuseModel::kSteps; ++step) {
    const auto from = static_cast<float>(AgeSteps::AgeOf(step)), to = static_cast<float>(AgeSteps::AgeOf(step + 1));
    prior[step] = 1 - std::pow((from + 1) / (to + 1), kPriorPower);
  }
  return prior;
}

}  // namespace

ReuseModel::ReuseModel(Shape shape) : shape_(shape) { Fit(1); }

void ReuseModel::Fit(float retained) {
  static const std::array<float, kSteps> kPrior = PriorHazards();
  const uint32_t classes = shape_.groups * shape_.classes_in_group;
  // `at_risk`: intervals that reached the step; those that were left within it (lapsed or waiting) count half.
  // `gone`: 1 - S, and `area`: the integral of S, at the start of each step.
  Histogram at_risk, gone, area;
  Row beyond{};
  for (uint32_t each = 0; each < classes; ++each) beyond[each] = lapsed_[kSteps][each] + waiting_[kSteps][each];
  for (uint32_t step = kSteps; step-- > 0;) {
    for (uint32_t each = 0; each < classes; ++each) {
      const float left = lapsed_[step][each] + waiting_[step][each];
      at_risk[step][each] = beyond[each] + reused_[step][each] + left / 2;
      beyond[each] += reused_[step][each] + left;
    }
  }
  // `believed`: how much of the belief has come true.  `unknown`: how much of it could have failed without anybody
  // seeing it; no hazard is below that share of the belief.  Otherwise an age that few have reached would look better
  // than one that many have reached, only because nothing is known of it (D42).
  float reused = 0, expected = 0;
  for (uint32_t step = 0; step < kSteps; ++step) {
    for (uint32_t each = 0; each < classes; ++each) {
      reused += reused_[step][each];
      expected += at_risk[step][each] * kPrior[step];
    }
  }
  const float believed = (reused + kPriorSeen) / (expected + kPriorSeen),
              unknown = kPriorSeen / (expected + kPriorSeen);
  gone[0].fill(0);
  area[0].fill(0);
  Row rate{};  // of the last step, per tick
  for (uint32_t step = 0; step < kSteps; ++step) {
    Row reused_in_group{}, at_risk_in_group{};
    float reused_in_all = 0, at_risk_in_all = 0;
    for (uint32_t group = 0, each = 0; group < shape_.groups; ++group) {
      for (const uint32_t end = each + shape_.classes_in_group; each < end; ++each) {
        reused_in_group[group] += reused_[step][each];
        at_risk_in_group[group] += at_risk[step][each];
      }
      reused_in_all += reused_in_group[group];
      at_risk_in_all += at_risk_in_group[group];
    }
    const float in_all = (reused_in_all + kPriorSeen * kPrior[step] * believed) / (at_risk_in_all + kPriorSeen);
    Row borrowed;
    for (uint32_t group = 0, each = 0; group < shape_.groups; ++group) {
      const float in_group = (reused_in_group[group] + kBorrowed * in_all) / (at_risk_in_group[group] + kBorrowed);
      for (const uint32_t end = each + shape_.classes_in_group; each < end; ++each) borrowed[each] = in_group;
    }
    const auto ticks = static_cast<float>(AgeSteps::AgeOf(step + 1) - AgeSteps::AgeOf(step));
    for (uint32_t each = 0; each < classes; ++each) {
      const float own = (reused_[step][each] + kBorrowed * borrowed[each]) / (at_risk[step][each] + kBorrowed);
      const float hazard = std::clamp(own, kPrior[step] * unknown, kHazardMax);
      const float waited = 1 - gone[step][each];
      gone[step + 1][each] = gone[step][each] + waited * hazard;
      area[step + 1][each] = area[step][each] + waited * (1 - hazard / 2) * ticks;
      rate[each] = hazard / ticks;
    }
  }
  const bool every = fits_++ % kFitsOfEvery == 0;
  for (uint32_t each = 0; each < classes; ++each) {
    if (every || news_[each]) FitIndex(each, gone, area, rate[each] * kTailShare);
    news_[each] = false;
  }
  for (uint32_t step = 0; step <= kSteps; ++step) {
    for (uint32_t each = 0; each < classes; ++each) {
      reused_[step][each] *= retained;
      lapsed_[step][each] *= retained;
      waiting_[step][each] = 0;
    }
  }
}

// The upper hull of the points (area, gone), from the last one on.  The slope from a corner to the next one is the
// reuse rate there.
void ReuseModel::FitIndex(uint32_t entry_class, const Histogram& gone, const Histogram& area, float beyond) {
  struct Point {
    float x, y;
  };
  std::array<Point, kSteps + 1> hull;  // corners so far, the youngest age last
  uint32_t corners = 0;
  hull[corners++] = {area[kSteps][entry_class], gone[kSteps][entry_class]};
  float next = beyond;  // the reuse rate at the end of the step
  for (uint32_t step = kSteps; step-- > 0;) {
    const Point here{area[step][entry_class], gone[step][entry_class]};
    while (corners >= 2) {
      const Point near = hull[corners - 1], far = hull[corners - 2];
      // The near corner stays if the slope to it is steeper.  Compared without dividing: x grows.
      if ((far.y - here.y) * (near.x - here.x) < (near.y - here.y) * (far.x - here.x)) break;
      --corners;
    }
    const Point best = hull[corners - 1];
    const float slope = best.x > here.x ? (best.y - here.y) / (best.x - here.x) : 0;
    const float index = corners == 1 ? std::max(slope, beyond) : slope;
    SetReuseRate(entry_class, step, (index + next) / 2);
    next = index;
    hull[corners++] = here;
  }
}

}  // namespace zerohop
