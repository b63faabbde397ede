// What the policy's clock makes of requests that hit less than usual.
#include "cache/pace.h"

#include <cstddef>
#include <cstdint>

#include "check.h"

namespace zerohop {
namespace {

constexpr size_t kCapacity = 1000;

// How many of `requests` are counted, told in batches of 10 with so many hits each.
uint32_t Counted(Pace& pace, uint32_t requests, uint32_t hits_of_ten, size_t capacity = kCapacity) {
  uint32_t counted = 0;
  for (uint32_t i = 0; i < requests; i += 10) counted += pace.Count(10, hits_of_ten, capacity);
  return counted;
}

}  // namespace

TEST(Pace, CountsAllWhileAsManyHitAsUsual) {
  for (const uint32_t hits : {0u, 1u, 5u, 10u}) {
    Pace pace;
    CHECK_EQ(Counted(pace, 100 * kCapacity, hits), 100 * kCapacity);
  }
  Pace better;
  Counted(better, 10 * kCapacity, 3);
  CHECK_EQ(Counted(better, 10 * kCapacity, 8), 10 * kCapacity);
}

TEST(Pace, SlowsToASixteenthWhileNothingHits) {
  Pace pace;
  Counted(pace, 50 * kCapacity, 8);
  Counted(pace, kCapacity, 0);  // it takes a little while to notice
  const uint32_t counted = Counted(pace, 16 * kCapacity, 0);
  CHECK(counted >= kCapacity && counted < kCapacity * 11 / 10);
}

TEST(Pace, SlowsInProportion) {
  Pace pace;
  Counted(pace, 50 * kCapacity, 8);
  Counted(pace, kCapacity, 4);
  // Half of the usual hits: a little more than half, since nine tenths would do.
  const uint32_t counted = Counted(pace, kCapacity, 4);
  CHECK(counted > kCapacity * 52 / 100 && counted < kCapacity * 62 / 100);
}

TEST(Pace, IsAtOnceAsBeforeWhenTheUsualComesBack) {
  Pace pace;
  Counted(pace, 50 * kCapacity, 8);
  Counted(pace, 100 * kCapacity, 0);
  Counted(pace, kCapacity, 8);
  CHECK_EQ(Counted(pace, kCapacity, 8), kCapacity);
}

TEST(Pace, TakesForUsualInTheEndWhatGoesOn) {
  Pace pace;
  Counted(pace, 50 * kCapacity, 8);
  Counted(pace, 400 * kCapacity, 2);
  CHECK_EQ(Counted(pace, kCapacity, 2), kCapacity);
}

TEST(Pace, IsSoundForTheLeastCapacity) {
  Pace pace;
  CHECK_EQ(Counted(pace, 1000, 10, 1), 1000u);
  const uint32_t counted = Counted(pace, 100, 0, 1);
  CHECK(counted > 0 && counted <= 100);
}

}  // namespace zerohop
