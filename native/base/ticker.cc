#include "base/ticker.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>

namespace zerohop {

Ticker& Ticker::Process() {
  static Ticker* const ticker = new Ticker();  // never destroyed: its thread runs to the end
  return *ticker;
}

int32_t Ticker::EndTick(uint64_t expires_us) const {
  if (expires_us == kNever) return kNeverEnds;
  const uint64_t tick = TicksAt(expires_us);
  if (tick > kLastEnd) return 0;  // too far away for a tick
  return static_cast<int32_t>(tick > kSlackTicks ? tick - kSlackTicks : 0);
}

void Ticker::Wake() {
  woken_us_.store(CoarseNowUs(), std::memory_order_relaxed);
  if (awake_.load(std::memory_order_acquire)) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (!started_) {
    try {
      std::thread([this] { Run(); }).detach();
    } catch (const std::exception&) {
      return;  // no thread, or no memory for one: readers go on asking native code
    }
    started_ = true;
  }
  awake_.store(true, std::memory_order_release);
  wanted_.notify_one();
}

void Ticker::Run() {
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wanted_.wait(lock, [this] { return awake_.load(std::memory_order_acquire); });
    }
    while (CoarseNowUs() < woken_us_.load(std::memory_order_relaxed) + kAwakeUs) {
      now_.store(static_cast<int32_t>(std::min<uint64_t>(TicksAt(NowUs()), kAsleep)), std::memory_order_relaxed);
      std::this_thread::sleep_for(std::chrono::microseconds(kTickUs));
    }
    now_.store(kAsleep, std::memory_order_relaxed);
    awake_.store(false, std::memory_order_release);
  }
}

}  // namespace zerohop
