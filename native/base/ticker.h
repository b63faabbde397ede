// ticker.h: a word in memory that tells the time, so that JavaScript can read it without a call.
//
// A thread of its own counts ticks of 4 ms into the word.  A timer of JavaScript would stand still in a loop that never
// returns, and tests can mock it (D23 in docs/DECISIONS.md).  The thread runs while someone wakes it now and then.
// While it sleeps, the word is kAsleep, which lies beyond every end: each entry looks expired, and the reader asks
// native code. The word has 32 bits, because JavaScript keeps and compares such numbers without allocating.
//
// EndTick allows for kSlackTicks: when an end is nearer than that, the reader asks native code, which knows the exact
// time.
//
// Threads  any.  Lifetime  of the process; the thread is never joined and touches nothing that is destroyed.
// Cost     asleep none; awake 250 wake-ups a second, about 0.1 % of a core.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/clock.h"
#include "base/constants.h"

namespace zerohop {

class Ticker {
 public:
  static constexpr uint64_t kTickUs = 4096;
  static constexpr uint64_t kSlackTicks = 8;          // how late a tick may be.  A choice: 33 ms
  static constexpr uint64_t kAwakeUs = 1000 * 1000;   // after the last call of Wake
  static constexpr int32_t kNeverEnds = INT32_MAX;    // EndTick of kNever
  static constexpr int32_t kAsleep = kNeverEnds - 1;  // the word while the thread sleeps
  static constexpr int32_t kLastEnd = kAsleep - 1;    // 101 days after the process began; later ends look reached

  static Ticker& Process();

  // Keeps the word up to date for a while.  Cheap when it already is.
  void Wake();

  // The tick from which on a reader must ask native code about something that ends at `expires_us`.
  int32_t EndTick(uint64_t expires_us) const;

  // The word; JavaScript reads it through an external buffer.
  std::byte* word() { return reinterpret_cast<std::byte*>(&now_); }
  static constexpr size_t kWordBytes = sizeof(int32_t);
  int32_t Read() const { return now_.load(std::memory_order_relaxed); }

 private:
  Ticker() = default;
  void Run();
  uint64_t TicksAt(uint64_t us) const { return us > born_us_ ? (us - born_us_) / kTickUs : 0; }

  const uint64_t born_us_ = NowUs();
  alignas(kCacheLineBytes) std::atomic<int32_t> now_{kAsleep};
  alignas(kCacheLineBytes) std::atomic<uint64_t> woken_us_{0};
  std::atomic<bool> awake_{false};
  std::mutex mutex_;
  std::condition_variable wanted_;
  bool started_ = false;  // under mutex_
};

static_assert(sizeof(std::atomic<int32_t>) == sizeof(int32_t), "JavaScript reads the plain word");

}  // namespace zerohop
