#include "resp/command_times.h"

#include "check.h"

namespace zerohop::resp {

TEST(CommandTimes, TellsEachCommandByItself) {
  CommandTimes times(3);
  times.Record(1, 5, 1);
  times.Record(1, 7, 64);
  times.Record(2, 1000, 1);
  CHECK(times.Of(0) == nullptr);
  REQUIRE(times.Of(1) != nullptr && times.Of(2) != nullptr);
  CHECK_EQ(times.Of(1)->count(), uint64_t{65});
  CHECK_EQ(times.Of(1)->sum(), uint64_t{5000 + 64 * 7000});
  CHECK_EQ(times.Of(2)->count(), uint64_t{1});
  CHECK_EQ(times.Of(2)->CountUpTo(uint64_t{1} << 20), uint64_t{1});  // 1.05 ms
  CHECK_EQ(times.Of(2)->CountUpTo(uint64_t{1} << 18), uint64_t{0});
}

}  // namespace zerohop::resp
