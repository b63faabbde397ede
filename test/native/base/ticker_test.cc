#include "base/ticker.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "check.h"

namespace zerohop {
namespace {

using std::chrono::milliseconds;

// Waits for up to five seconds, as a machine may be busy; true if it came to pass.
template <class Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 5000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return false;
}

bool Awake() { return Ticker::Process().Read() != Ticker::kAsleep; }

// The tick of this moment, at most; what EndTick takes off for lateness is put back.
int32_t TickNow() { return Ticker::Process().EndTick(NowUs()) + static_cast<int32_t>(Ticker::kSlackTicks); }

}  // namespace

// In this order, in one process: whether it was ever woken matters.

TEST(Ticker, LooksAsIfEveryEndWereReachedUntilItIsWoken) {
  const Ticker& ticker = Ticker::Process();
  for (int i = 0; i < 10; ++i) {
    CHECK_EQ(ticker.Read(), Ticker::kAsleep);
    for (const uint64_t in_us : {uint64_t{0}, uint64_t{1000}, uint64_t{3600} * 1000 * 1000, uint64_t{1} << 60}) {
      CHECK(ticker.Read() >= ticker.EndTick(NowUs() + in_us));
    }
    CHECK(ticker.Read() < ticker.EndTick(kNever));
    std::this_thread::sleep_for(milliseconds(1));
  }
}

TEST(Ticker, IsOneForTheProcess) { CHECK(&Ticker::Process() == &Ticker::Process()); }

TEST(Ticker, TellsTheTimeSoonAfterItWasWoken) {
  Ticker::Process().Wake();
  CHECK(Eventually(Awake));
}

TEST(Ticker, NeverRunsAheadOfTheClockNorBackwards) {
  Ticker& ticker = Ticker::Process();
  ticker.Wake();
  CHECK(Eventually(Awake));
  std::this_thread::sleep_for(milliseconds(50));  // past the slack since the process began
  int32_t last = 0;
  for (const uint64_t begun = NowUs(); NowUs() - begun < 200000;) {
    ticker.Wake();
    const int32_t told = ticker.Read();
    if (told == Ticker::kAsleep) continue;
    CHECK(told <= TickNow());
    CHECK(told >= last);
    last = told;
  }
  CHECK(last > 0);
}

TEST(Ticker, AnEndIsNeverMissedByAReaderAndSeldomAskedAboutLongBefore) {
  Ticker& ticker = Ticker::Process();
  ticker.Wake();
  CHECK(Eventually(Awake));
  int late = 0;
  uint64_t early_us = 0;
  constexpr int kEnds = 10;
  for (int i = 0; i < kEnds; ++i) {
    const uint64_t end_us = NowUs() + 40000 + static_cast<uint64_t>(i) * 777;
    const int32_t end = ticker.EndTick(end_us);
    uint64_t asked_us;
    do {
      ticker.Wake();
      asked_us = NowUs();
    } while (ticker.Read() < end && asked_us < end_us + 1000000);
    late += asked_us > end_us;
    early_us += end_us > asked_us ? end_us - asked_us : 0;
  }
  // A machine that is busy with other things delays any thread; in the long run it must be the exception.
  CHECK(late <= kEnds / 2);
  CHECK(early_us <= kEnds * (Ticker::kSlackTicks + 2) * Ticker::kTickUs);
}

TEST(Ticker, ToldEndsAreInOrderAndWithinBounds) {
  const Ticker& ticker = Ticker::Process();
  CHECK_EQ(ticker.EndTick(0), 0);
  CHECK_EQ(ticker.EndTick(kNever), Ticker::kNeverEnds);
  // Too far away for 32 bits, or hostile: looks reached, and native code is asked.
  CHECK_EQ(ticker.EndTick(kNever - 1), 0);
  const uint64_t far_us = NowUs() + uint64_t{102} * 24 * 3600 * 1000 * 1000;
  CHECK_EQ(ticker.EndTick(far_us), 0);
  int32_t last = -1;
  for (uint64_t in_us = 1; in_us < uint64_t{100} * 24 * 3600 * 1000 * 1000; in_us *= 3) {
    const int32_t end = ticker.EndTick(NowUs() + in_us);
    CHECK(end >= last && end <= Ticker::kLastEnd);
    last = end;
  }
  CHECK(last > 0);
}

TEST(Ticker, FallsAsleepWhenNobodyWakesItAndCanBeWokenAgain) {
  Ticker& ticker = Ticker::Process();
  for (int round = 0; round < 2; ++round) {
    ticker.Wake();
    CHECK(Eventually(Awake));
    const uint64_t begun = NowUs();
    CHECK(Eventually([] { return !Awake(); }));
    CHECK(NowUs() - begun >= Ticker::kAwakeUs / 2);  // it was awake for a while before
  }
  ticker.Wake();
  CHECK(Eventually(Awake));
}

TEST(Ticker, CanBeWokenByManyThreadsAtOnce) {
  std::atomic<bool> done{false};
  std::vector<std::thread> wakers;
  for (int t = 0; t < 4; ++t) {
    wakers.emplace_back([&] {
      while (!done.load()) Ticker::Process().Wake();
    });
  }
  CHECK(Eventually(Awake));
  done = true;
  for (std::thread& waker : wakers) waker.join();
}

#if !defined(ZEROHOP_TSAN)
TEST(Ticker, IsReadAsAPlainWord) {
  Ticker::Process().Wake();
  CHECK(Eventually(Awake));
  int32_t word;
  static_assert(Ticker::kWordBytes == sizeof(word));
  std::memcpy(&word, Ticker::Process().word(), sizeof(word));
  CHECK(word > 0 && word <= Ticker::Process().Read());
}
#endif

}  // namespace zerohop
