#include "base/process_fence.h"

#include <atomic>
#include <climits>
#include <cstdint>
#include <thread>

#include "base/clock.h"
#include "check.h"

namespace zerohop {

TEST(ProcessFence, IsThereOrNotAlwaysTheSame) {
  const bool available = ProcessFenceAvailable();
  for (int i = 0; i < 10; ++i) CHECK_EQ(ProcessFenceAvailable(), available);
  if (available) ProcessFence();
}

// The litmus test of store buffering: each side writes its own word and reads the other's.  With a fence on one side
// only by a plain instruction order, and on the other by the process fence, they cannot both read the old value.
TEST(ProcessFence, OrdersAnotherThreadsPlainStoreBeforeItsLaterLoad) {
  if (!ProcessFenceAvailable()) return;  // under the thread sanitizer too: EpochDomain uses locked instructions then
  alignas(64) std::atomic<int> mine{0};
  alignas(64) std::atomic<int> yours{0};
  alignas(64) std::atomic<int> round{0};
  alignas(64) std::atomic<int> answered{0};
  static constexpr int kRounds = 20000;
  int seen_by_other = 0;
  std::thread other([&] {
    for (int i = 1; i <= kRounds; ++i) {
      while (round.load(std::memory_order_acquire) < i) {
      }
      if (round.load(std::memory_order_relaxed) == INT_MAX) return;
      yours.store(i, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
      seen_by_other = mine.load(std::memory_order_relaxed);
      answered.store(i, std::memory_order_release);
    }
  });
  int both_missed = 0;
  const uint64_t end_us = NowUs() + 500000;  // a busy machine may give the two threads one core
  for (int i = 1; i <= kRounds && NowUs() < end_us; ++i) {
    round.store(i, std::memory_order_release);
    for (int wait = 0; wait < i % 64; ++wait) std::atomic_signal_fence(std::memory_order_seq_cst);
    mine.store(i, std::memory_order_relaxed);
    ProcessFence();
    const int seen = yours.load(std::memory_order_relaxed);
    while (answered.load(std::memory_order_acquire) != i) std::this_thread::yield();
    both_missed += seen != i && seen_by_other != i;
  }
  round.store(INT_MAX, std::memory_order_release);
  other.join();
  CHECK_EQ(both_missed, 0);
}

}  // namespace zerohop
