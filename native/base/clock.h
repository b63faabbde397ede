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

// Whether the time has come, to the microsecond.  Cost: that of the coarse clock, unless the time is near.
inline bool HasCome(uint64_t time_us) {
  constexpr uint64_t kCoarseLagMaxUs = 100000;  // the timer interrupt moves the coarse clock: ten of the slowest
  if (time_us == kNever || time_us > CoarseNowUs() + kCoarseLagMaxUs) [[likely]]
    return false;
  return time_us <= NowUs();
}

}  // namespace zerohop
