// age_steps.h: ages in ticks, told apart as finely as their nature asks for: one by one below 8, then 4 steps an
// octave.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "cache/access_state.h"

namespace zerohop {

class AgeSteps {
 public:
  static constexpr uint32_t kHorizon = AccessState::kAges / 2;  // ages from here on are all alike
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

  // A table, because every worth is read through it; 1 KiB.
  static const std::array<uint8_t, AccessState::kAges> kStepOf;
};
static_assert(AgeSteps::AgeOf(AgeSteps::kSteps) == AgeSteps::kHorizon);

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
