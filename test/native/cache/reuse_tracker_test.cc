// What the tracker tells is read off a model that nothing else was told: the index of a class with a reuse at an age
// rises up to it, that of a class that lapsed falls.
#include "cache/reuse_tracker.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "cache/reuse_model.h"
#include "check.h"

namespace zerohop {
namespace {

constexpr uint32_t kHorizon = ReuseModel::kHorizon;
constexpr uint32_t kClass = 5, kOther = 6;

ReuseModel NewModel() { return ReuseModel({AccessState::kClasses, 1}); }

// The class is asked for again at `age`, as the model sees it: the index is highest there, or in the step before, as it
// is told for the middle of a step.
bool PeaksBefore(const ReuseModel& model, uint32_t entry_class, uint32_t age) {
  uint32_t best = 0;
  for (uint32_t each = 0; each < kHorizon; ++each) {
    if (model.ReuseRate(entry_class, each) > model.ReuseRate(entry_class, best)) best = each;
  }
  const uint32_t step = AgeSteps::StepOf(best), wanted = AgeSteps::StepOf(age);
  return step == wanted || step + 1 == wanted;
}

// So many that hardly any bucket of eight is full, and what they teach is plain.
std::vector<uint64_t> SomeKeys(check::Random& random, size_t count) {
  std::vector<uint64_t> keys(count);
  for (uint64_t& key : keys) key = random.Next();
  return keys;
}

}  // namespace

TEST(ReuseTracker, TellsAReuseWithTheClassThatTheKeyHadAndItsAge) {
  check::Random random(check::Seed());
  const std::vector<uint64_t> keys = SomeKeys(random, 3000);
  for (const uint32_t age : {12u, 40u, 192u}) {
    for (const uint32_t begun : {0u, 1000u, (1u << 26) - 20, UINT32_MAX - 20}) {  // the clock may wrap
      ReuseTracker tracker(size_t{128} << 10);
      ReuseModel model = NewModel();
      for (const uint64_t key : keys) tracker.Seen(key, kClass, begun, model);
      for (const uint64_t key : keys) tracker.Seen(key, kOther, begun + age, model);
      // Of the class that they have now nothing was told: so it is what is told here.
      for (size_t i = 0; i < keys.size(); ++i) model.Lapsed(kOther, kHorizon);
      model.Fit(1);
      CHECK(PeaksBefore(model, kClass, age));
      CHECK(model.ReuseRate(kClass, 0) > 30 * model.ReuseRate(kOther, 0));
    }
  }
}

TEST(ReuseTracker, TellsWhoWaitsAndWhoWaitedForTooLong) {
  check::Random random(check::Seed());
  const std::vector<uint64_t> keys = SomeKeys(random, 3000);
  ReuseTracker tracker(size_t{128} << 10);
  ReuseModel model = NewModel();
  for (const uint64_t key : keys) tracker.Seen(key, kClass, 0, model);
  model.Fit(1);
  const float unknown = model.ReuseRate(kClass, 50);
  // Still waiting: at 100 it is known that nobody came back before.
  for (int i = 0; i < 3; ++i) {  // without news, a class is fitted now and then
    CHECK(tracker.Sweep(tracker.buckets(), 100, model));
    model.Fit(1);
  }
  const float waiting = model.ReuseRate(kClass, 50);
  CHECK(waiting < unknown);
  // Let go of: that is learned, and they are new when they come again.
  CHECK(tracker.Sweep(tracker.buckets(), kHorizon, model));
  model.Fit(1);
  CHECK(model.ReuseRate(kClass, 50) < waiting);
  ReuseModel fresh = NewModel();
  for (const uint64_t key : keys) tracker.Seen(key, kClass, kHorizon + 50, fresh);
  for (int i = 0; i < 3; ++i) fresh.Fit(1);
  CHECK_EQ(fresh.ReuseRate(kClass, 50), unknown);
}

TEST(ReuseTracker, AKeyThatComesBackAfterTheHorizonHasLapsed) {
  check::Random random(check::Seed());
  ReuseTracker tracker(size_t{128} << 10);
  ReuseModel model = NewModel();
  const std::vector<uint64_t> keys = SomeKeys(random, 3000);
  for (const uint64_t key : keys) tracker.Seen(key, kClass, 0, model);
  for (const uint64_t key : keys) tracker.Seen(key, kClass, kHorizon, model);
  model.Fit(1);
  ReuseModel other = NewModel();
  for (size_t i = 0; i < keys.size(); ++i) other.Lapsed(kClass, kHorizon);
  other.Fit(1);
  for (uint32_t age = 0; age < kHorizon; age += 50) {
    CHECK(std::abs(model.ReuseRate(kClass, age) - other.ReuseRate(kClass, age)) <= 0.1f * other.ReuseRate(kClass, age));
  }
}

TEST(ReuseTracker, ComesRoundOncePerAllOfItsBuckets) {
  ReuseTracker tracker(10 * 64);
  ReuseModel model = NewModel();
  CHECK_EQ(tracker.buckets(), size_t{10});
  CHECK_EQ(tracker.bytes(), size_t{640});
  CHECK(!tracker.Sweep(0, 0, model));
  CHECK(!tracker.Sweep(4, 0, model));
  CHECK(!tracker.Sweep(5, 0, model));
  CHECK(tracker.Sweep(1, 0, model));
  CHECK(!tracker.Sweep(9, 0, model));
  CHECK(tracker.Sweep(100, 0, model));  // and stops there
  CHECK(!tracker.Sweep(9, 0, model));
}

TEST(ReuseTracker, ThinsItsSampleWhenItIsCrowdedAndThickensItWhenThereIsRoom) {
  check::Random random(check::Seed());
  ReuseTracker tracker(size_t{16} << 10);  // 2 048 keys
  ReuseModel model = NewModel();
  const std::vector<uint64_t> keys = SomeKeys(random, 100000);
  const auto followed = [&] {
    return static_cast<size_t>(
        std::count_if(keys.begin(), keys.end(), [&](uint64_t key) { return tracker.Follows(key); }));
  };
  CHECK_EQ(followed(), keys.size());
  uint32_t now = 1;
  std::vector<size_t> counts{followed()};
  std::vector<bool> last(keys.size(), true);
  for (int round = 0; round < 12; ++round) {
    for (const uint64_t key : keys) {
      if (tracker.Follows(key)) tracker.Seen(key, kClass, now, model);
    }
    tracker.Sweep(tracker.buckets(), ++now, model);
    counts.push_back(followed());
    // The same ones, only fewer.
    for (size_t i = 0; i < keys.size(); ++i) {
      if (tracker.Follows(keys[i])) CHECK(last[i]);
      last[i] = tracker.Follows(keys[i]);
    }
  }
  // Halved until they fit, and then no more.
  CHECK(counts.back() < 2048 * 2 && counts.back() > 2048 / 8);
  CHECK_EQ(counts[11], counts[12]);
  // Nobody comes any more: a horizon each later the sample is doubled.
  const size_t thin = counts.back();
  now += kHorizon + 1;
  tracker.Sweep(tracker.buckets(), now, model);
  CHECK(followed() > thin * 3 / 2 && followed() < thin * 3);
  const size_t once = followed();
  tracker.Sweep(tracker.buckets(), ++now, model);
  CHECK_EQ(followed(), once);  // not at once
  for (int i = 0; i < 10; ++i) tracker.Sweep(tracker.buckets(), now += kHorizon + 1, model);
  CHECK_EQ(followed(), keys.size());
}

TEST(ReuseTracker, GrowingEndsWhatWasFollowedAndStartsAgain) {
  check::Random random(check::Seed());
  ReuseTracker tracker(size_t{16} << 10);
  ReuseModel model = NewModel();
  const std::vector<uint64_t> keys = SomeKeys(random, 1000);
  for (const uint64_t key : keys) tracker.Seen(key, kClass, 0, model);
  model.Fit(1);
  const float unknown = model.ReuseRate(kClass, 20);
  tracker.Grow(size_t{64} << 10);
  CHECK_EQ(tracker.bytes(), size_t{64 + 16} << 10);
  // A few at a time.
  for (int i = 0; tracker.has_outgrown() && i < 256 / 10 + 1; ++i) tracker.EndOutgrown(10, 100, model);
  CHECK_EQ(tracker.bytes(), size_t{64} << 10);
  model.Fit(1);
  CHECK(model.ReuseRate(kClass, 20) < unknown);  // they had waited for 100
  // None of them is known any more.
  for (const uint64_t key : keys) tracker.Seen(key, kClass, 110, model);
  ReuseModel fresh = NewModel();
  CHECK(tracker.Sweep(tracker.buckets(), 110, fresh));
  for (const uint64_t key : keys) tracker.Seen(key, kClass, 140, fresh);
  fresh.Fit(1);
  CHECK(PeaksBefore(fresh, kClass, 30));
}

}  // namespace zerohop
