// What the model says must follow from what it was told: checked against the definition, searched through.
#include "cache/reuse_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "cache/age_steps.h"
#include "check.h"

namespace zerohop {
namespace {

constexpr uint32_t kSteps = ReuseModel::kSteps;
constexpr uint32_t kHorizon = ReuseModel::kHorizon;

// So much that what is borrowed and believed beforehand hardly counts.
constexpr int kMuch = 20000;

// The index at the start of each step, of a class whose share that goes on waiting through each step is `stays`: the
// best quotient of reuse and waiting, over all times to wait for that end with a step.
std::array<double, kSteps> BestOf(const std::array<double, kSteps>& stays) {
  std::array<double, kSteps> best{};
  for (uint32_t from = 0; from < kSteps; ++from) {
    double still = 1, waited = 0;
    for (uint32_t step = from; step < kSteps; ++step) {
      const double ticks = AgeSteps::AgeOf(step + 1) - AgeSteps::AgeOf(step);
      waited += (still + still * stays[step]) / 2 * ticks;
      still *= stays[step];
      best[from] = std::max(best[from], (1 - still) / waited);
    }
  }
  return best;
}

// The mean of the index at the start and at the end of a step, which the model tells for it.
double Told(const std::array<double, kSteps>& best, uint32_t step) { return (best[step] + best[step + 1]) / 2; }

// Also the classes of which there are no news: they are fitted now and then.
void FitAll(ReuseModel& model) {
  for (int i = 0; i < 3; ++i) model.Fit(1);
}

bool Near(double seen, double wanted, double share) {
  return std::abs(seen - wanted) <= share * std::max(std::abs(seen), std::abs(wanted));
}

}  // namespace

TEST(AgeSteps, EachAgeLiesInTheStepThatBeginsAtOrBeforeIt) {
  uint32_t last = 0;
  for (uint32_t age = 0; age < AccessState::kAges; ++age) {
    const uint32_t step = AgeSteps::StepOf(age);
    CHECK(step < AgeSteps::kSteps);
    CHECK(step == last || step == last + 1);
    CHECK(AgeSteps::AgeOf(step) <= age);
    CHECK(age < AgeSteps::AgeOf(step + 1) || age >= AgeSteps::kHorizon);
    last = step;
  }
  CHECK_EQ(last, AgeSteps::kSteps - 1);
}

TEST(AgeSteps, BeginAtAgesThatRise) {
  CHECK_EQ(AgeSteps::AgeOf(0), 0u);
  for (uint32_t step = 0; step < AgeSteps::kSteps; ++step) {
    const uint32_t from = AgeSteps::AgeOf(step), to = AgeSteps::AgeOf(step + 1);
    CHECK(from < to);
    CHECK_EQ(AgeSteps::StepOf(from), step);
    CHECK_EQ(AgeSteps::StepOf(to - 1), step);
    CHECK(to - from <= std::max(1u, from / 4));  // as finely as was promised
  }
  CHECK_EQ(AgeSteps::AgeOf(AgeSteps::kSteps), AgeSteps::kHorizon);
}

TEST(ReuseModel, BelievesBeforehandThatTheYoungAreWantedMost) {
  const ReuseModel model({2, 3});
  for (uint32_t each = 0; each < 6; ++each) {
    for (uint32_t age = 1; age < AccessState::kAges; ++age) {
      CHECK(model.ReuseRate(each, age) > 0);
      CHECK(model.ReuseRate(each, age) <= model.ReuseRate(each, age - 1));
      CHECK_EQ(model.ReuseRate(each, age), model.ReuseRate(0, age));
    }
    CHECK(model.ReuseRate(each, 0) > model.ReuseRate(each, kHorizon));
  }
}

TEST(ReuseModel, AClassThatComesBackIsWorthMoreThanOneThatNeverDoes) {
  ReuseModel model({2, 1});
  for (int i = 0; i < kMuch; ++i) {
    model.Reused(0, 40);
    model.Lapsed(1, kHorizon);
  }
  model.Fit(1);
  for (uint32_t age = 0; age <= 40; ++age) CHECK(model.ReuseRate(0, age) > 10 * model.ReuseRate(1, age));
}

TEST(ReuseModel, TheIndexRisesAsTheAgeOfReuseComesNear) {
  ReuseModel model({1, 1});
  constexpr uint32_t kAt = 100;
  for (int i = 0; i < kMuch; ++i) model.Reused(0, kAt);
  model.Fit(1);
  const uint32_t at = AgeSteps::StepOf(kAt);
  for (uint32_t step = 1; step < at; ++step) {
    CHECK(model.ReuseRate(0, AgeSteps::AgeOf(step)) > model.ReuseRate(0, AgeSteps::AgeOf(step - 1)));
  }
  // One reuse for the time until then.
  const double middle = (AgeSteps::AgeOf(at) + AgeSteps::AgeOf(at + 1)) / 2.0;
  CHECK(Near(model.ReuseRate(0, 0), 1 / (middle - 0.5), 0.05));
  CHECK(Near(model.ReuseRate(0, 50), 1 / (middle - (AgeSteps::AgeOf(AgeSteps::StepOf(50)) + 4)), 0.1));
}

TEST(ReuseModel, TheIndexIsTheBestQuotientOfReuseAndWaiting) {
  check::Random random(check::Seed());
  for (int round = 0; round < 20; ++round) {
    // Two thirds of the steps see no reuse at all: so the best time to wait for is nearly any.
    ReuseModel model({1, 1});
    std::array<double, kSteps> stays{};
    double at_risk = 5e6;
    const int shift = static_cast<int>(random.Below(3));
    for (uint32_t step = 0; step < kSteps; ++step) {
      // And none in the last ones: what comes after the horizon would be guessed from them.
      const bool some = (static_cast<int>(step) + shift) % 3 == 0 && step + 8 < kSteps;
      const double share = some ? 0.02 + 0.3 * static_cast<double>(random.Below(100)) / 100 : 0;
      const auto reused = static_cast<uint64_t>(at_risk * share);
      // A float counts one by one up to 2^24.
      for (uint64_t i = 0; i < reused; ++i) model.Reused(0, AgeSteps::AgeOf(step));
      stays[step] = 1 - static_cast<double>(reused) / at_risk;
      at_risk -= static_cast<double>(reused);
    }
    for (uint64_t i = 0; i < static_cast<uint64_t>(at_risk); ++i) model.Lapsed(0, kHorizon);
    model.Fit(1);
    const std::array<double, kSteps> best = BestOf(stays);
    for (uint32_t step = 0; step + 1 < kSteps; ++step) {
      const float told = model.ReuseRate(0, AgeSteps::AgeOf(step));
      const double wanted = Told(best, step);
      CHECK(wanted > 0 ? Near(told, wanted, 0.01) : told < 1e-6);
    }
  }
}

TEST(ReuseModel, WhoIsStillFollowedCountsForAsLongAsItWas) {
  // As many come back at 20 as wait for longer than that: one half.  Those that were given up earlier say nothing of
  // it.
  const auto index = [](bool early) {
    ReuseModel model({1, 1});
    for (int i = 0; i < kMuch; ++i) {
      model.Reused(0, 20);
      if (i % 2 == 0) {
        model.Waiting(0, 200);
      } else {
        model.Lapsed(0, 300);
      }
      if (early) model.Waiting(0, 3);
      if (early) model.Lapsed(0, 5);
    }
    model.Fit(1);
    return model.ReuseRate(0, 10);
  };
  CHECK(Near(index(true), index(false), 0.01));
  CHECK(index(false) > 0.5 / 14 && index(false) < 0.5 / 6);
}

TEST(ReuseModel, WhoWaitsIsToldAnewForEachFit) {
  ReuseModel model({1, 1});
  for (int i = 0; i < kMuch; ++i) {
    model.Reused(0, 4);
    model.Waiting(0, 400);
  }
  model.Fit(1);
  const float with_waiting = model.ReuseRate(0, 0);
  model.Reused(0, 4);
  model.Fit(1);  // nobody waits any more: all of them came back
  CHECK(model.ReuseRate(0, 0) > 1.5f * with_waiting);
}

TEST(ReuseModel, WhatWasLearnedFades) {
  const auto index = [](float retained) {
    ReuseModel model({1, 1});
    for (int i = 0; i < 1000; ++i) model.Lapsed(0, kHorizon);
    model.Fit(retained);
    for (int i = 0; i < 1000; ++i) model.Reused(0, 10);
    model.Fit(retained);
    return model.ReuseRate(0, 0);
  };
  CHECK(index(0.5f) > 1.1f * index(1));
  CHECK(index(0.01f) > 1.1f * index(0.5f));
}

TEST(ReuseModel, AClassOfWhichNothingIsKnownIsTakenToBeLikeItsGroup) {
  ReuseModel model({3, 2});
  for (int i = 0; i < kMuch; ++i) {
    model.Reused(0, 5);         // group 0; nothing of class 1
    model.Lapsed(2, kHorizon);  // group 1; nothing of class 3
  }
  FitAll(model);
  CHECK(Near(model.ReuseRate(1, 0), model.ReuseRate(0, 0), 0.05));
  CHECK(model.ReuseRate(3, 0) < model.ReuseRate(1, 0) / 100);
  // Nothing of its whole group: like all.
  CHECK(model.ReuseRate(4, 0) > model.ReuseRate(3, 0) && model.ReuseRate(4, 0) < model.ReuseRate(1, 0));
  // A few sightings of its own change little, many all.
  for (int i = 0; i < 2; ++i) model.Lapsed(1, kHorizon);
  FitAll(model);
  CHECK(model.ReuseRate(1, 0) > model.ReuseRate(0, 0) / 2);
  for (int i = 0; i < kMuch; ++i) model.Lapsed(1, kHorizon);
  FitAll(model);
  CHECK(model.ReuseRate(1, 0) < model.ReuseRate(0, 0) / 5);
}

TEST(ReuseModel, AWorthThatIsSetStays) {
  ReuseModel model({1, 1});
  model.SetReuseRate(63, 9, 2.5f);
  CHECK_EQ(model.ReuseRate(63, AgeSteps::AgeOf(9)), 2.5f);
  CHECK_EQ(model.ReuseRate(63, AgeSteps::AgeOf(10) - 1), 2.5f);
  CHECK_EQ(model.ReuseRate(63, AgeSteps::AgeOf(10)), 0.0f);
}

}  // namespace zerohop
