// ticker.h: a word in memory that tells the time, so that JavaScript can read it without a call.
//
// A thread of its own writes base/clock.h's microseconds into the word, as a double, every few milliseconds: a timer of
// JavaScript's would stand still in a loop that never returns, and can be mocked.  The thread runs while someone wakes it
// now and then; asleep, the word is infinity, so that every expiry looks reached and the reader asks native code.
//
// A reader allows for kSlackUs: nearer than that to an expiry it asks native code too, which knows the exact time.
//
// Threads  any.  Lifetime  of the process; the thread is never joined and touches nothing that is destroyed.
// Cost     asleep none; awake 250 wake-ups a second, about 0.1 % of a core.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "base/constants.h"

namespace zerohop {

class Ticker {
 public:
  static constexpr uint64_t kPeriodUs = 4000;
  static constexpr uint64_t kSlackUs = 32000;       // how late a tick may be without anyone noticing
  static constexpr uint64_t kAwakeUs = 1000 * 1000;  // after the last call of Wake

  static Ticker& Process();

  // Keeps the word up to date for a while.  Cheap when it already is.
  void Wake();

  // The word; JavaScript reads it through an external buffer.
  std::byte* word() { return reinterpret_cast<std::byte*>(&now_); }
  static constexpr size_t kWordBytes = sizeof(double);
  double Read() const { return now_.load(std::memory_order_relaxed); }

 private:
  Ticker();
  void Run();

  alignas(kCacheLineBytes) std::atomic<double> now_;
  alignas(kCacheLineBytes) std::atomic<uint64_t> woken_us_{0};
  std::atomic<bool> awake_{false};
  std::mutex mutex_;
  std::condition_variable wanted_;
  bool started_ = false;  // under mutex_
};

static_assert(std::atomic<double>::is_always_lock_free && sizeof(std::atomic<double>) == sizeof(double),
              "JavaScript reads the plain word");
static_assert(Ticker::kSlackUs > 4 * Ticker::kPeriodUs, "a tick may be late");

}  // namespace zerohop
