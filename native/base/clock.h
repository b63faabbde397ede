// clock.h: microseconds that only move forward, whatever is done to the time of day.
//
// It counts from the system's start (CLOCK_MONOTONIC), so it is the same in every thread and cache of the process.
//
// Cost  about 25 ns.  The coarse clock takes 5 ns, and is up to some milliseconds behind (D30 in docs/DECISIONS.md).
#pragma once

#include <cstdint>
#include <ctime>

namespace zerohop {

inline constexpr uint64_t kNever = UINT64_MAX;  // a time that does not come

inline uint64_t ReadClockUs(clockid_t clock) {
  timespec now;
  ::clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

inline uint64_t NowUs() { return ReadClockUs(CLOCK_MONOTONIC); }

#if defined(CLOCK_MONOTONIC_COARSE)
inline uint64_t CoarseNowUs() { return ReadClockUs(CLOCK_MONOTONIC_COARSE); }
#else
inline uint64_t CoarseNowUs() { return NowUs(); }
#endif

// Whether times have come, to the microsecond.  Many of them are asked for in a short while, and the coarse clock is
// read once.  Cost of the first one: that of the coarse clock.  Of each, if it is near: that of the exact one.
class Moment {
 public:
  [[gnu::always_inline]] bool HasCome(uint64_t time_us) {
    constexpr uint64_t kCoarseLagMaxUs = 100000;  // the timer interrupt moves the coarse clock: ten of the slowest
    if (time_us == kNever) [[likely]]
      return false;
    if (coarse_us_ == 0) coarse_us_ = CoarseNowUs();
    if (time_us > coarse_us_ + kCoarseLagMaxUs) [[likely]]
      return false;
    return time_us <= NowUs();
  }

 private:
  uint64_t coarse_us_ = 0;  // not read yet
};

inline bool HasCome(uint64_t time_us) { return Moment().HasCome(time_us); }

}  // namespace zerohop
