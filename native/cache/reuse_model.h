// reuse_model.h: how soon is an entry of some class and age asked for again?  Learned from the traffic.
//
// The model is told of intervals.  One begins when a key is seen with a class, and ends in one of three ways: the key
// is seen again at some age (reused), the tracker gives it up (lapsed), or it is still followed at the next fit
// (waiting).  From these a fit computes, for each class, the hazard of reuse at each age (the life table of [KM58]).
// From the hazards it computes the reuse rate:
//
//   reuse rate(class, age) = max over T of  P(asked for again within T) / E[time until then, or T]
//
// These are the reuses per tick that the entry's room earns if it is kept for the best time T: Gittins' index [G79] for
// "keep or drop".  Let S be the share that still waits at an age, and X the integral of S.  The reuse rate is the
// steepest slope from the point (X, -S) of the age to the point of a later age.  So it follows from the upper hull of
// the points, which one pass from the end finds.
//
// A class with few intervals borrows from its group (the classes of the same frequency), and a group from all.
//
// Threads  none of its own, except ReuseRate: it reads relaxed atomics that Fit replaces one by one.
// Cost     Reused, Lapsed, Waiting: two loads and a store.  Fit: some 20 us.  ReuseRate: one load from 8 KiB.
// Memory   33 KiB, whatever the cache holds
//
// [KM58] Kaplan & Meier, JASA 53, 1958    [G79] Gittins, J. Royal Statistical Society B 41(2), 1979
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cache/access_state.h"
#include "cache/age_steps.h"

namespace zerohop {

class ReuseModel {
 public:
  static constexpr uint32_t kSteps = AgeSteps::kSteps;
  static constexpr uint32_t kHorizon = AgeSteps::kHorizon;

  // Classes of one group come one after the other.
  struct Shape {
    uint32_t groups;
    uint32_t classes_in_group;
  };
  explicit ReuseModel(Shape shape);

  // An age of kHorizon or more: the key was followed to the end.
  void Reused(uint32_t entry_class, uint32_t age) { Record(reused_, entry_class, age); }
  void Lapsed(uint32_t entry_class, uint32_t age) { Record(lapsed_, entry_class, age); }
  void Waiting(uint32_t entry_class, uint32_t age) { ++waiting_[RowOf(age)][entry_class]; }

  // Computes all reuse rates anew.  Afterwards what was learned counts `retained` times as much as before, and the
  // caller reports the waiting keys again.
  void Fit(float retained);

  // age < AccessState::kAges
  float ReuseRate(uint32_t entry_class, uint32_t age) const {
    return index_[entry_class * kSteps + AgeSteps::StepOf(age)].load(std::memory_order_relaxed);
  }

  // For a policy that knows the rate without learning.
  void SetReuseRate(uint32_t entry_class, uint32_t step, float rate) {
    index_[entry_class * kSteps + step].store(rate, std::memory_order_relaxed);
  }

 private:
  // By step and class, so that a fit computes several classes at once.  The last row: followed to the end.
  using Row = std::array<float, AccessState::kClasses>;
  using Histogram = std::array<Row, kSteps + 1>;

  static uint32_t RowOf(uint32_t age) { return age < kHorizon ? AgeSteps::StepOf(age) : kSteps; }
  void Record(Histogram& histogram, uint32_t entry_class, uint32_t age) {
    ++histogram[RowOf(age)][entry_class];
    news_[entry_class] = true;
  }
  void FitIndex(uint32_t entry_class, const Histogram& gone, const Histogram& area, float beyond);

  const Shape shape_;
  Histogram reused_{}, lapsed_{}, waiting_{};
  std::array<bool, AccessState::kClasses> news_{};  // classes of which something was learned since the last fit
  uint32_t fits_ = 0;
  std::array<std::atomic<float>, AccessState::kClasses * kSteps> index_{};
};

}  // namespace zerohop
