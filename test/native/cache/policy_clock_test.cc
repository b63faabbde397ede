// What the policy's clock makes of requests that hit less than usual.
#include "cache/policy_clock.h"

#include <cstddef>
#include <cstdint>

#include "check.h"

namespace zerohop {
namespace {

constexpr size_t kCapacity = 1000;

// How many of `requests` are counted, told in batches of 10 with so many hits each.
uint32_t Counted(PolicyClock& clock, uint32_t requests, uint32_t hits_of_ten, size_t capacity = kCapacity) {
  uint32_t counted = 0;
  for (uint32_t i = 0; i < requests; i += 10) counted += clock.Count(10, hits_of_ten, capacity);
  return counted;
}

}  // namespace

TEST(PolicyClock, CountsAllWhileAsManyHitAsUsual) {
  for (const uint32_t hits : {0u, 1u, 5u, 10u}) {
    PolicyClock clock;
    CHECK_EQ(Counted(clock, 100 * kCapacity, hits), 100 * kCapacity);
  }
  PolicyClock better;
  Counted(better, 10 * kCapacity, 3);
  CHECK_EQ(Counted(better, 10 * kCapacity, 8), 10 * kCapacity);
}

TEST(PolicyClock, SlowsToASixteenthWhileNothingHits) {
  PolicyClock clock;
  Counted(clock, 50 * kCapacity, 8);
  Counted(clock, kCapacity, 0);  // it takes a little while to notice
  const uint32_t counted = Counted(clock, 16 * kCapacity, 0);
  CHECK(counted >= kCapacity && counted < kCapacity * 11 / 10);
}

TEST(PolicyClock, SlowsInProportion) {
  PolicyClock clock;
  Counted(clock, 50 * kCapacity, 8);
  Counted(clock, kCapacity, 4);
  // Half of the usual hits: a little more than half, since nine tenths would do.
  const uint32_t counted = Counted(clock, kCapacity, 4);
  CHECK(counted > kCapacity * 52 / 100 && counted < kCapacity * 62 / 100);
}

TEST(PolicyClock, IsAtOnceAsBeforeWhenTheUsualComesBack) {
  PolicyClock clock;
  Counted(clock, 50 * kCapacity, 8);
  Counted(clock, 100 * kCapacity, 0);
  Counted(clock, kCapacity, 8);
  CHECK_EQ(Counted(clock, kCapacity, 8), kCapacity);
}

TEST(PolicyClock, TakesForUsualInTheEndWhatGoesOn) {
  PolicyClock clock;
  Counted(clock, 50 * kCapacity, 8);
  Counted(clock, 400 * kCapacity, 2);
  CHECK_EQ(Counted(clock, kCapacity, 2), kCapacity);
}

TEST(PolicyClock, IsSoundForTheLeastCapacity) {
  PolicyClock clock;
  CHECK_EQ(Counted(clock, 1000, 10, 1), 1000u);
  const uint32_t counted = Counted(clock, 100, 0, 1);
  CHECK(counted > 0 && counted <= 100);
}

}  // namespace zerohop
