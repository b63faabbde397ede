// age_steps.h: ages in ticks, grouped into steps: one by one below 8, then 4 steps an octave.
//
// 4 steps an octave gain 0.002 over 2; 8 gain nothing more (D40 in docs/DECISIONS.md).
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "cache/access_state.h"

namespace zerohop {

class AgeSteps {
 public:
  // Ticks: ages from here on are all alike.  Half of what a stamp can tell: an age wraps around only after as long
  // again.
  static constexpr uint32_t kHorizon = AccessState::kAges / 2;
  static constexpr uint32_t kSteps = 8 + 6 * 4;

  // age < AccessState::kAges
  static uint32_t StepOf(uint32_t age) { return kStepOf[age]; }

  // The youngest age of a step; that of kSteps is the horizon.
  static constexpr uint32_t AgeOf(uint32_t step) {
    if (step < kFine) return step;
    return (kInOctave + (step - kFine) % kInOctave) << ((step - kFine) / kInOctave + kFineBits - kInOctaveBits);
  }

 private:
  static constexpr uint32_t kFineBits = 3, kFine = 1u << kFineBits;
  static constexpr uint32_t kInOctaveBits = 2, kInOctave = 1u << kInOctaveBits;

  // A table of 1 KiB, because every reuse rate is read through it.
  static const std::array<uint8_t, AccessState::kAges> kStepOf;
};
static_assert(AgeSteps::AgeOf(AgeSteps::kSteps) == AgeSteps::kHorizon, "the steps cover every age below the horizon");

inline constexpr std::array<uint8_t, AccessState::kAges> AgeSteps::kStepOf = [] {
  std::array<uint8_t, AccessState::kAges> steps{};
  uint32_t step = 0;
  for (uint32_t age = 0; age < AccessState::kAges; ++age) {
    if (step + 1 < kSteps && AgeOf(step + 1) <= age) ++step;
    steps[age] = static_cast<uint8_t>(step);
  }
  return steps;
}();

}  // namespace zerohop
