// access_state.h: what the policy keeps of an entry, in 16 bits beside the entry's place in the index.
//
//   15 ...... 10 | 9 ............ 0
//   class        | stamp            when it was last asked for, in ticks of the policy's clock, modulo 1 024
//
// The class says what was known of the entry when it was last asked for: how often, and how long before.  From class
// and age the policy tells what the entry is worth.
#pragma once

#include <cstdint>

namespace zerohop {

class AccessState {
 public:
  static constexpr uint32_t kClassBits = 6;
  static constexpr uint32_t kStampBits = 10;
  static constexpr uint32_t kClasses = 1u << kClassBits;
  static constexpr uint32_t kAges = 1u << kStampBits;  // an entry that is older seems so much younger

  constexpr AccessState() = default;
  constexpr explicit AccessState(uint16_t bits) : bits_(bits) {}
  constexpr AccessState(uint32_t entry_class, uint32_t now)
      : bits_(static_cast<uint16_t>(entry_class << kStampBits | (now & (kAges - 1)))) {}

  constexpr uint32_t entry_class() const { return bits_ >> kStampBits; }
  constexpr uint32_t Age(uint32_t now) const { return (now - bits_) & (kAges - 1); }
  constexpr uint16_t bits() const { return bits_; }

 private:
  uint16_t bits_ = 0;
};

}  // namespace zerohop
