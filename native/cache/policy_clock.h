// policy_clock.h: how fast the policy's time passes.
//
// The clock counts requests.  While fewer of them hit than usual (a scan, a crawler, a loop over more than fits) it
// slows down in proportion.  Otherwise entries worth keeping would age, and be evicted, only because strangers pass by.
//
// Threads  none of its own
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace zerohop {

class PolicyClock {
 public:
  // How many of these requests the clock counts, with the fraction that earlier calls left over.
  uint32_t Count(uint32_t requests, uint32_t hits, size_t capacity) {
    requests_ += requests;
    hits_ += hits;
    if (requests_ >= kTogether) Look(static_cast<double>(capacity));
    left_ += requests * speed_;
    const auto whole = static_cast<uint32_t>(left_);
    left_ -= whole;
    return whole;
  }

 private:
  void Look(double capacity) {
    const double number = std::exchange(requests_, 0), share = std::exchange(hits_, 0) / number;
    recent_.Add(share, number, kRecentMin + kRecentCapacities * capacity);
    const double enough = kEnough * usual_.share;
    speed_ = recent_.share >= enough ? 1 : std::max(kSlowest, recent_.share / enough);
    usual_.Add(share, number * speed_, kRecentMin + kUsualCapacities * capacity);
  }

  // D45 and D46 in docs/DECISIONS.md measured these over traces, except the two for "recent".  Those are choices: short
  // enough to see a scan soon, long enough that chance does not slow the clock.
  static constexpr uint32_t kTogether = 16;             // requests between two looks (D45)
  static constexpr double kEnough = 0.9;                // of the usual share of hits: the clock runs at full speed
  static constexpr double kSlowest = 1 / 16.0;          // of full speed
  static constexpr double kRecentMin = 64;              // requests
  static constexpr double kRecentCapacities = 1 / 8.0;  // capacities of requests that "recent" looks back on
  static constexpr double kUsualCapacities = 40;        // capacities of requests that "usual" looks back on
  static_assert(kSlowest > 0 && kSlowest < 1 && kEnough < 1, "the clock slows down and never stops");
  static_assert(kRecentCapacities < kUsualCapacities && kTogether < kRecentMin, "recent is shorter than usual");

  // Of hits, over about the last `window` requests.
  struct Mean {
    double share = 0, known = 0;
    void Add(double more, double requests, double window) {
      known = std::min(known + requests, window);
      share += (more - share) * std::min(1.0, requests / known);
    }
  };
  Mean recent_, usual_;
  uint32_t requests_ = 0, hits_ = 0;  // since the last look
  double speed_ = 1;
  double left_ = 0;  // less than a request
};

}  // namespace zerohop
