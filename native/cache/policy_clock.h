// policy_clock.h: how fast the policy's clock goes.
//
// It counts requests, in so far as they are of the usual kind: while fewer of them hit than usual (a scan, a crawler, a
// loop over more than fits) it slows down in proportion.  What is worth keeping would otherwise grow old, and give way,
// only because strangers pass by.
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
  // How many of these requests the clock counts, with what is left over from those before.
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

  static constexpr uint32_t kTogether = 16;
  static constexpr double kEnough = 0.9;  // of the usual share of hits
  static constexpr double kSlowest = 1 / 16.0;
  static constexpr double kRecentMin = 64;
  static constexpr double kRecentCapacities = 1 / 8.0;
  static constexpr double kUsualCapacities = 40;

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
