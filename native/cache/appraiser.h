// appraiser.h: what an entry is worth, and how much that must be.
//
//   worth      the entry's reuse rate (policy.h) times its cost, divided by its bytes
//   threshold  an entry stays when its segment is emptied if it is worth more than this
//   entry fee  with admission, a newcomer is stored if it is worth at least this
//
// The victim selector estimates the last two from samples of the index, and sets them.
//
// Threads  any.  No locks: the two levels are relaxed atomics, so a reader may see one old and one new.
#pragma once

#include <atomic>
#include <cstdint>

#include "cache/arena.h"
#include "cache/entry.h"
#include "cache/shared_policy.h"

namespace zerohop {

class Appraiser {
 public:
  // `weigh_cost_and_bytes`: see CacheOptions.
  Appraiser(const Arena& arena, const SharedPolicy& policy, bool weigh_cost_and_bytes)
      : arena_(arena), policy_(policy), weigh_cost_and_bytes_(weigh_cost_and_bytes) {}

  float WorthOf(AccessState access_state, uint64_t at, const Entry& entry) const {
    return policy_.ReuseRate(access_state) * WeightOf(CostOf(arena_.bytes(), at, entry.header), entry.layout.end - at);
  }
  // What a reuse rate is multiplied by.
  float WeightOf(float cost, uint64_t bytes) const {
    return weigh_cost_and_bytes_ ? (cost > 0 ? cost : kCostUnsaid) / static_cast<float>(bytes) : 1;
  }

  float threshold() const { return threshold_.load(std::memory_order_relaxed); }
  float entry_fee() const { return entry_fee_.load(std::memory_order_relaxed); }
  void SetLevels(float threshold, float entry_fee) {
    threshold_.store(threshold, std::memory_order_relaxed);
    entry_fee_.store(entry_fee, std::memory_order_relaxed);
  }

 private:
  // What an entry costs, in ms, if the user did not say it (D44 in docs/DECISIONS.md).  A choice: any number does while
  // no entry has a cost.
  static constexpr float kCostUnsaid = 1;
  static_assert(kCostUnsaid > 0, "else such entries would be worth nothing");

  const Arena& arena_;
  const SharedPolicy& policy_;
  const bool weigh_cost_and_bytes_;
  std::atomic<float> threshold_{0};
  std::atomic<float> entry_fee_{0};
};

}  // namespace zerohop
