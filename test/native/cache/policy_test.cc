#include "cache/policy.h"

#include "cache/index.h"
#include "check.h"

namespace zerohop {
namespace {
constexpr size_t kSegment = 1000;  // half of it may survive
}

static_assert(Policy::kUsesMax == Index::kUsesMax, "the policy ranks by what the index counts");

TEST(Policy, KeepsEverythingThatWasUsedWhenItFits) { CHECK_EQ(Policy::Threshold({400, 200, 200, 100}, kSegment), 1u); }

TEST(Policy, NeverKeepsWhatWasNotUsed) {
  CHECK_EQ(Policy::Threshold({0, 0, 0, 0}, kSegment), 1u);
  CHECK(!Policy::Keep(0, Policy::Threshold({1, 0, 0, 0}, kSegment), 0, 1, kSegment));
}

TEST(Policy, AsksForMoreUsesWhenTooMuchWasUsed) {
  CHECK_EQ(Policy::Threshold({0, 300, 200, 100}, kSegment), 2u);
  CHECK_EQ(Policy::Threshold({0, 0, 450, 100}, kSegment), 3u);
}

TEST(Policy, ReachesItsShareExactly) { CHECK_EQ(Policy::Threshold({500, 100, 200, 200}, kSegment), 1u); }

TEST(Policy, CutsAtItsShareWhenEvenTheMostUsedAreTooMany) {
  CHECK_EQ(Policy::Threshold({0, 0, 0, 900}, kSegment), Policy::kUsesMax);
  CHECK(Policy::Keep(3, 3, 400, 100, kSegment));
  CHECK(!Policy::Keep(3, 3, 401, 100, kSegment));
}

}  // namespace zerohop
