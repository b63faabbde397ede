#include "base/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

// The oracle: the values themselves, sorted.
class Sorted {
 public:
  explicit Sorted(std::vector<uint64_t> values) : values_(std::move(values)) {
    std::sort(values_.begin(), values_.end());
  }

  uint64_t Quantile(double share) const {
    const auto rank = static_cast<size_t>(std::max(1.0, std::ceil(share * static_cast<double>(values_.size()))));
    return values_[rank - 1];
  }
  uint64_t CountUpTo(uint64_t limit) const {
    return static_cast<uint64_t>(std::upper_bound(values_.begin(), values_.end(), limit) - values_.begin());
  }

 private:
  std::vector<uint64_t> values_;
};

std::vector<uint64_t> LogUniform(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> exponent(0, 41);
  std::vector<uint64_t> values;
  for (size_t i = 0; i < count; ++i) values.push_back(static_cast<uint64_t>(std::exp2(exponent(random))));
  return values;
}

TEST(Histogram, AQuantileIsNeverTooLowAndAtMostAThirtySecondTooHigh) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const auto histogram = std::make_unique<Histogram>();
    const std::vector<uint64_t> values = LogUniform(5000, seed);
    for (const uint64_t value : values) histogram->Record(value);
    const Sorted sorted(values);
    for (const double share : {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const uint64_t exact = sorted.Quantile(share), told = histogram->Quantile(share);
      CHECK(told >= exact);
      CHECK(told - exact <= exact / 32 + 1);
    }
  }
}

TEST(Histogram, CountsUpToAPowerOfTwoAreExact) {
  const auto histogram = std::make_unique<Histogram>();
  std::vector<uint64_t> values = LogUniform(5000, 9);
  for (unsigned power = 0; power <= 41; ++power) {  // the edges themselves, and their neighbours
    const uint64_t edge = uint64_t{1} << power;
    for (const uint64_t value : {edge - 1, edge, edge + 1}) values.push_back(std::min(value, Histogram::kLargest));
  }
  uint64_t sum = 0;
  for (const uint64_t value : values) histogram->Record(value), sum += value;
  const Sorted sorted(values);
  for (unsigned power = 0; power <= 41; ++power) {
    CHECK_EQ(histogram->CountUpTo(uint64_t{1} << power), sorted.CountUpTo(uint64_t{1} << power));
  }
  CHECK_EQ(histogram->count(), uint64_t{values.size()});
  CHECK_EQ(histogram->sum(), sum);
}

TEST(Histogram, SmallValuesAreTold) {
  const auto histogram = std::make_unique<Histogram>();
  CHECK_EQ(histogram->Quantile(0.5), uint64_t{0});
  for (uint64_t value = 1; value <= 32; ++value) histogram->Record(value);
  for (uint64_t value = 1; value <= 32; ++value) {
    CHECK_EQ(histogram->Quantile(static_cast<double>(value) / 32), value);
    CHECK_EQ(histogram->CountUpTo(value), value);
  }
}

TEST(Histogram, WhatIsTooLargeCountsAsTheLargest) {
  const auto histogram = std::make_unique<Histogram>();
  histogram->Record(UINT64_MAX);
  histogram->Record(Histogram::kLargest + 1);
  CHECK_EQ(histogram->count(), uint64_t{2});
  CHECK_EQ(histogram->Quantile(1), Histogram::kLargest);
  CHECK_EQ(histogram->sum(), 2 * Histogram::kLargest);
  CHECK_EQ(histogram->CountUpTo(UINT64_MAX), uint64_t{2});
}

TEST(Histogram, AWeightCountsForSoManyValues) {
  const auto histogram = std::make_unique<Histogram>();
  histogram->Record(10, 64);
  histogram->Record(1000);
  CHECK_EQ(histogram->count(), uint64_t{65});
  CHECK_EQ(histogram->sum(), uint64_t{1640});
  CHECK_EQ(histogram->Quantile(0.5), uint64_t{10});
}

TEST(Histogram, TwoThatAreAddedAreAsOneThatSawBoth) {
  const auto first = std::make_unique<Histogram>(), second = std::make_unique<Histogram>();
  const auto both = std::make_unique<Histogram>();
  for (const uint64_t value : LogUniform(1000, 5)) first->Record(value), both->Record(value);
  for (const uint64_t value : LogUniform(1000, 6)) second->Record(value), both->Record(value);
  first->Add(*second);
  CHECK_EQ(first->count(), both->count());
  CHECK_EQ(first->sum(), both->sum());
  for (const double share : {0.1, 0.5, 0.99}) CHECK_EQ(first->Quantile(share), both->Quantile(share));
}

TEST(Histogram, SeveralThreadsLoseNoValue) {
  const auto histogram = std::make_unique<Histogram>();
  constexpr uint64_t kEach = 20000;
  std::vector<std::thread> threads;
  for (uint64_t from = 1; from <= 4; ++from) {
    threads.emplace_back([&, from] {
      for (uint64_t i = 0; i < kEach; ++i) histogram->Record(from * 100);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(histogram->count(), 4 * kEach);
  CHECK_EQ(histogram->sum(), (100 + 200 + 300 + 400) * kEach);
}

}  // namespace
}  // namespace zerohop
