// reuse_model.h: how soon is an entry of some class and age asked for again?  Learned from the traffic.
//
// It is fed with intervals that begin when a key is seen with a class.  The key is seen again at some age (reused), or
// not for as long as it is followed (lapsed), or it is still followed (waiting).  From these comes, for each class, the
// hazard of reuse at each age (the life table of [KM58]), and from that an index:
//
//   index(class, age) = max over T of  P(asked for again within T) / E[time until then, or T]
//
// the reuses per tick that the entry's room earns if it is kept for the best time: Gittins' index [G79] for "keep or
// drop".  With S the share still waiting at an age, and X the integral of S, that is the steepest slope from the point
// (X, -S) of the age to one of a later age: the upper hull of the points, found in one pass from the end.
//
// A class with few intervals borrows from its group (the classes of the same frequency), and a group from all.
//
// Threads  none of its own, but Index, which reads relaxed atomics that Fit replaces one by one.
// Cost     Reused, Lapsed, Waiting: two loads and a store.  Fit: some 20 us.  Index: one load of 8 KiB.
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

  // An age of kHorizon or more: followed to the end.
  void Reused(uint32_t entry_class, uint32_t age) { Record(reused_, entry_class, age); }
  void Lapsed(uint32_t entry_class, uint32_t age) { Record(lapsed_, entry_class, age); }
  void Waiting(uint32_t entry_class, uint32_t age) { ++waiting_[RowOf(age)][entry_class]; }

  // Computes the index again.  After that, what was learned counts `retained` times as much as before, and the waiting
  // keys must be reported again.
  void Fit(float retained);

  // age < AccessState::kAges
  float ReuseRate(uint32_t entry_class, uint32_t age) const {
    return index_[entry_class * kSteps + AgeSteps::StepOf(age)].load(std::memory_order_relaxed);
  }

  // For a policy that knows the worth without learning.
  void SetReuseRate(uint32_t entry_class, uint32_t step, float worth) {
    index_[entry_class * kSteps + step].store(worth, std::memory_order_relaxed);
  }

 private:
  // By step and class, so that a fit does several classes at once; the last row: followed to the end.
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
  std::array<bool, AccessState::kClasses> news_{};  // of which classes anything was learned since the last fit
  uint32_t fits_ = 0;
  std::array<std::atomic<float>, AccessState::kClasses * kSteps> index_{};
};

}  // namespace zerohop
