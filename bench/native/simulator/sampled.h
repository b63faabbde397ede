// sampled.h: the engine's policy without the engine: entries of unit size, each evicted by itself.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "cache/policy.h"
#include "reference.h"

namespace simulator {

class Sampled {
 public:
  Sampled(uint32_t ids, uint32_t capacity, const zerohop::Policy::Options& options)
      : capacity_(capacity), policy_(options, capacity, capacity), slot_(ids, kNone) {
    ids_.reserve(capacity);
    access_states_.reserve(capacity);
  }

  bool Request(uint32_t id) {
    const uint64_t hash = HashOfId(id);
    const uint32_t slot = slot_[id];
    policy_.Advance(1, slot != kNone);
    if (slot != kNone) {
      const zerohop::AccessState after = policy_.Touch(hash, access_states_[slot]);
      if (after.bits() == access_states_[slot].bits()) return true;
      access_states_[slot] = after;
      if (policy_.Follows(hash)) policy_.Observe(hash, after, policy_.now());
      return true;
    }
    const zerohop::AccessState access_state = policy_.Arrive(hash);
    if (policy_.Follows(hash)) policy_.Observe(hash, access_state, policy_.now());
    if (ids_.size() < capacity_) {
      slot_[id] = static_cast<uint32_t>(ids_.size());
      ids_.push_back(id);
      access_states_.push_back(access_state);
      return false;
    }
    float least;
    const uint32_t victim = Victim(&least);
    if (!policy_.Admits(access_state, least)) return false;
    slot_[ids_[victim]] = kNone;
    ids_[victim] = id;
    access_states_[victim] = access_state;
    slot_[id] = victim;
    return false;
  }

  size_t policy_bytes() const { return policy_.bytes(); }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  // 24 entries, in four places.
  static constexpr uint32_t kPlaces = 4;
  static constexpr uint32_t kAtOnePlace = 6;

  uint32_t Victim(float* least) {
    // Worth and slot in one number, worth first, so that the least is found without a branch: worths are not negative.
    uint64_t found = UINT64_MAX;
    const uint32_t together = std::min(kAtOnePlace, capacity_), now = policy_.now();
    for (uint32_t place = 0; place < kPlaces; ++place) {
      const auto first = static_cast<uint32_t>((zerohop::NextRandom(random_) >> 32) * (capacity_ - together + 1) >> 32);
      for (uint32_t slot = first; slot < first + together; ++slot) {
        const uint64_t worth = std::bit_cast<uint32_t>(policy_.ReuseRate(access_states_[slot], now));
        found = std::min(found, worth << 32 | slot);
      }
    }
    *least = std::bit_cast<float>(static_cast<uint32_t>(found >> 32));
    return static_cast<uint32_t>(found);
  }

  const uint32_t capacity_;
  zerohop::Policy policy_;
  std::vector<uint32_t> slot_, ids_;
  std::vector<zerohop::AccessState> access_states_;
  uint64_t random_ = 0x9e3779b97f4a7c15u;
};

}  // namespace simulator
