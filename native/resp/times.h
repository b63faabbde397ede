// times.h: when an entry ends, as commands say it: seconds or milliseconds, from now or of Unix time.
//
// An end that was given is told back to the millisecond (server.h).  One beyond the year 580 000 is told back as
// another.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "resp/server.h"

namespace zerohop::resp {

inline int64_t UnixNowMs(const Server& server) { return server.UnixMs(NowUs()); }

// The cache's time for a Unix time: at least 1, which is long ago.
inline uint64_t EndAt(const Server& server, int64_t unix_ms) {
  constexpr int64_t kLatestMs = UINT64_MAX / 1000 - 1;
  unix_ms = std::min(unix_ms, kLatestMs);
  if (unix_ms <= 0 || static_cast<uint64_t>(unix_ms) * 1000 <= server.unix_offset_us()) return 1;
  return server.ClockUs(unix_ms);
}

}  // namespace zerohop::resp
