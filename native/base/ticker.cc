#include "base/ticker.h"

#include <chrono>
#include <limits>
#include <system_error>
#include <thread>

#include "base/clock.h"

namespace zerohop {

Ticker& Ticker::Process() {
  static Ticker* const ticker = new Ticker();  // never destroyed: its thread runs to the end
  return *ticker;
}

Ticker::Ticker() : now_(std::numeric_limits<double>::infinity()) {}

void Ticker::Wake() {
  woken_us_.store(CoarseNowUs(), std::memory_order_relaxed);
  if (awake_.load(std::memory_order_acquire)) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (!started_) {
    try {
      std::thread([this] { Run(); }).detach();
    } catch (const std::system_error&) {
      return;  // no thread to be had: the word stays infinite, and everyone asks native code
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
      now_.store(static_cast<double>(NowUs()), std::memory_order_relaxed);
      std::this_thread::sleep_for(std::chrono::microseconds(kPeriodUs));
    }
    now_.store(std::numeric_limits<double>::infinity(), std::memory_order_relaxed);
    awake_.store(false, std::memory_order_release);
  }
}

}  // namespace zerohop
