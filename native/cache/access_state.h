// access_state.h: what the policy remembers of an entry, in 16 bits beside the entry's place in the index.
//
//   15 ...... 10 | 9 ............ 0
//   class        | stamp            the tick of the last request, modulo 1 024
//
// The class combines a band of frequency with a band of gap, as they were at the last request.  Class and age give the
// reuse rate.
#pragma once

#include <cstdint>

namespace zerohop {

class AccessState {
 public:
  static constexpr uint32_t kClassBits = 6;   // for 42 classes (policy.h)
  static constexpr uint32_t kStampBits = 10;  // as good as exact times; 8 bits are not (D41 in docs/DECISIONS.md)
  static_assert(kClassBits + kStampBits == 16, "the layout above");
  static constexpr uint32_t kClasses = 1u << kClassBits;
  static constexpr uint32_t kAges = 1u << kStampBits;  // ticks; ages wrap around here, so an older entry looks younger

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
