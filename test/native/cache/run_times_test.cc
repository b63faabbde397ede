#include "cache/run_times.h"

#include <thread>
#include <vector>

#include "check.h"

namespace zerohop {

TEST(RunTimes, HasAHistogramForEachKeyspaceWhoseModelRan) {
  RunTimes times;
  CHECK(times.Of(0) == nullptr);
  times.Record(7, 1000);
  times.Record(7, 3000);
  times.Record(Spaces::kSpacesMax - 1, 5);
  CHECK(times.Of(6) == nullptr);
  REQUIRE(times.Of(7) != nullptr && times.Of(Spaces::kSpacesMax - 1) != nullptr);
  CHECK_EQ(times.Of(7)->count(), uint64_t{2});
  CHECK_EQ(times.Of(7)->sum(), uint64_t{4000});
}

TEST(RunTimes, LoseNothingWhenSeveralThreadsAreTheFirst) {
  RunTimes times;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (uint16_t space = 0; space < 64; ++space) times.Record(space, 10);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint16_t space = 0; space < 64; ++space) CHECK_EQ(times.Of(space)->count(), uint64_t{4});
}

}  // namespace zerohop
