// The policy alone: what access_states say, and which entries a cache keeps that goes by them.
#include "cache/policy.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <unordered_map>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

constexpr Policy::Options kScore{.kind = Policy::Kind::kScore};

// Some key's; not among the first that fade.
constexpr uint64_t kHash = 0x9e3779b97f4a7c15u;

// A number's hash.
uint64_t HashOf(uint64_t key) { return check::Random(key).Next(); }

// What an entry of the class is worth that was last asked for `age` ticks ago.
float ReuseRateAt(const Policy& policy, uint32_t entry_class, uint32_t age) {
  return policy.ReuseRate(AccessState(entry_class, policy.now() - age));
}

// A cache of entries of one size: of a sample, the one that is worth least goes.
class SampledCache {
 public:
  explicit SampledCache(size_t capacity, const Policy::Options& options = {})
      : policy_(options, capacity, capacity), capacity_(capacity) {}

  // True if it was there.
  bool Ask(uint64_t key) {
    const uint64_t hash = HashOf(key);
    const auto known = places_.find(key);
    const bool there = known != places_.end();
    AccessState after;
    bool news = true;
    if (there) {
      AccessState& access_state = entries_[known->second].access_state;
      after = policy_.Touch(hash, access_state);
      news = after.bits() != access_state.bits();
      access_state = after;
    } else {
      after = policy_.Arrive(hash);
      if (entries_.size() < capacity_) {
        places_[key] = entries_.size();
        entries_.push_back({key, after});
      } else {
        const size_t place = Least();
        if (!admission_ || policy_.Admits(after, policy_.ReuseRate(entries_[place].access_state))) {
          Replace(place, key, after);
        }
      }
    }
    if (news && policy_.Follows(hash)) policy_.Observe(hash, after, policy_.now());
    policy_.Advance(1, there);
    return there;
  }
  // The same, but that a newcomer must be worth the room.
  bool AskForRoom(uint64_t key) {
    admission_ = true;
    return Ask(key);
  }
  bool Has(uint64_t key) const { return places_.contains(key); }
  AccessState AccessStateOf(uint64_t key) const { return entries_[places_.at(key)].access_state; }
  const Policy& policy() const { return policy_; }

 private:
  struct Kept {
    uint64_t key;
    AccessState access_state;
  };

  void Replace(size_t place, uint64_t key, AccessState access_state) {
    places_.erase(entries_[place].key);
    places_[key] = place;
    entries_[place] = {key, access_state};
  }
  size_t Least() {
    size_t least = random_.Below(capacity_);
    for (int i = 1; i < 16; ++i) {
      const size_t other = random_.Below(capacity_);
      if (policy_.ReuseRate(entries_[other].access_state) < policy_.ReuseRate(entries_[least].access_state))
        least = other;
    }
    return least;
  }

  Policy policy_;
  const size_t capacity_;
  bool admission_ = false;
  std::vector<Kept> entries_;
  std::unordered_map<uint64_t, size_t> places_;
  check::Random random_{check::Seed()};
};

void GrowOnToTheEnd(Policy& policy) {
  while (policy.growing()) policy.GrowOn();
}

}  // namespace

TEST(Policy, ATouchWithinATickTellsNothing) {
  for (const Policy::Options& options : {Policy::Options{}, kScore}) {
    Policy policy(options, 3200, 3200);
    CHECK_EQ(policy.tick_requests(), 100u);
    const AccessState arrived = policy.Arrive(kHash);
    CHECK_EQ(policy.FrequencyOf(arrived), 1u);
    CHECK_EQ(policy.Touch(kHash, arrived).bits(), arrived.bits());
    policy.Advance(99, 99);
    for (int i = 0; i < 20; ++i) CHECK_EQ(policy.Touch(kHash, arrived).bits(), arrived.bits());
    policy.Advance(16, 16);  // the clock looks at so many together
    CHECK_EQ(policy.now(), 1u);
    const AccessState touched = policy.Touch(kHash, arrived);
    CHECK(touched.bits() != arrived.bits());
    CHECK_EQ(policy.FrequencyOf(touched), 2u);  // those before were not counted
    CHECK_EQ(touched.Age(policy.now()), 0u);
  }
}

TEST(Policy, AStandingTellsTheGapBeforeTheLastRequest) {
  constexpr float kNever = std::numeric_limits<float>::infinity();
  struct {
    uint32_t ticks;
    float gap;
  } const cases[] = {{1, 1 / 16.0f}, {2, 1 / 4.0f}, {7, 1 / 4.0f}, {8, 1},    {31, 1},
                     {32, 4},        {127, 4},      {128, 16},     {511, 16}, {512, kNever}};
  for (const auto& each : cases) {
    Policy policy({}, 3200, 3200);
    const AccessState arrived = policy.Arrive(kHash);
    CHECK_EQ(policy.GapOf(arrived), 0.0f);  // unknown
    policy.Advance(each.ticks * policy.tick_requests(), each.ticks * policy.tick_requests());
    CHECK_EQ(policy.GapOf(policy.Touch(kHash, arrived)), each.gap);
    CHECK(static_cast<float>(each.ticks) / 32 <= each.gap);
  }
}

TEST(Policy, FrequencyGrowsWithTouchesAndIsRememberedOfWhatHasLeft) {
  Policy policy({}, 3200, 3200);
  AccessState access_state = policy.Arrive(kHash);
  uint32_t last = 1;
  for (uint32_t touches = 2; touches <= 20; ++touches) {
    policy.Advance(100, 100);
    access_state = policy.Touch(kHash, access_state);
    const uint32_t frequency = policy.FrequencyOf(access_state);
    CHECK(frequency >= last && frequency <= touches);
    last = frequency;
  }
  CHECK_EQ(last, 12u);
  // It leaves and comes again: the sketch knows it still, but how long ago it was nobody knows.
  const AccessState back = policy.Arrive(kHash);
  CHECK_EQ(policy.FrequencyOf(back), 12u);
  CHECK_EQ(policy.GapOf(back), 0.0f);
}

TEST(Policy, FameFades) {
  Policy policy({}, 3200, 3200);
  std::vector<uint64_t> hashes;
  for (uint64_t key = 0; key < 300; ++key) hashes.push_back(HashOf(key));
  for (const uint64_t hash : hashes) {
    for (int i = 0; i < 14; ++i) policy.Arrive(hash);
  }
  // A round of halving takes 30 capacities of requests that miss, and the first one begins after a quarter of that.
  for (int i = 0; i < 38; ++i) policy.Advance(3200, 0);
  size_t halved = 0;
  for (const uint64_t hash : hashes) halved += policy.FrequencyOf(policy.Arrive(hash)) == 8;
  CHECK(halved > hashes.size() * 9 / 10);
}

TEST(Policy, ThoseThatComeOftenBecomeWorthMoreThanThoseThatComeOnce) {
  check::Random random(check::Seed());
  SampledCache cache(1000);
  uint64_t once = uint64_t{1} << 32;
  size_t hits = 0, asked = 0;
  for (int i = 0; i < 100000; ++i) {
    if (random.OneIn(2)) {
      cache.Ask(once++);
      continue;
    }
    const bool hit = cache.Ask(random.Below(500));
    if (i < 50000) continue;
    ++asked;
    hits += hit;
  }
  // All that come again fit.
  CHECK(hits > asked * 95 / 100);
  const Policy& policy = cache.policy();
  double often = 0, seldom = 0;
  size_t oftens = 0, seldoms = 0;
  for (uint64_t key = 0; key < 500; ++key) {
    if (!cache.Has(key)) continue;
    often += policy.ReuseRate(cache.AccessStateOf(key));
    ++oftens;
  }
  for (uint64_t key = once - 400; key < once; ++key) {
    if (!cache.Has(key)) continue;
    seldom += policy.ReuseRate(cache.AccessStateOf(key));
    ++seldoms;
  }
  REQUIRE(oftens > 0 && seldoms > 0);
  CHECK(often / static_cast<double>(oftens) > 5 * seldom / static_cast<double>(seldoms));
}

// A cache that keeps the newest keeps nothing of a loop that is longer than it; one that chooses by chance, 20 %.
TEST(Policy, KeepsThroughAScanWhatWasWorthKeeping) {
  constexpr uint64_t kHot = 800;
  SampledCache cache(1000);
  check::Random random(check::Seed());
  const auto usual = [&](int requests) {
    int hits = 0;
    for (int i = 0; i < requests; ++i) {
      const bool hot = !random.OneIn(4);
      hits += cache.AskForRoom(hot ? random.Below(kHot) : (uint64_t{1} << 40) + random.Next() % (uint64_t{1} << 39));
    }
    return hits;
  };
  usual(60'000);
  const int before = usual(5000);
  CHECK(before > 3400);
  for (uint64_t i = 0; i < 60'000; ++i) cache.AskForRoom((uint64_t{2} << 40) + i);
  CHECK(usual(1000) > 600);
}

TEST(Policy, LearnsALoopThatIsTwiceTheCapacity) {
  constexpr uint64_t kCapacity = 1000, kLoop = 2 * kCapacity;
  constexpr int kLoops = 60, kLearning = 30;
  SampledCache cache(kCapacity);
  size_t hits = 0;
  for (int loop = 0; loop < kLoops; ++loop) {
    for (uint64_t key = 0; key < kLoop; ++key) hits += cache.Ask(key) && loop >= kLearning;
  }
  // Belady's would keep all but one entry from one time round to the next: half of the loop.
  const double best = static_cast<double>((kLoops - kLearning) * (kCapacity - 1));
  CHECK(static_cast<double>(hits) > 0.5 * best);
  CHECK(static_cast<double>(hits) <= best + kCapacity);
}

TEST(Policy, WhatItWasToldOfTheTrafficChangesWhatEntriesAreWorth) {
  // Two streams that differ only in when keys come back: after 4 ticks, or after 100.
  const auto worth = [](uint32_t gap, uint32_t age) {
    constexpr uint32_t kEach = 10;  // keys a tick
    Policy policy({}, 320, 320);
    for (uint32_t tick = 0; tick < 3000; ++tick) {
      for (uint64_t i = 0; i < kEach; ++i) {
        // Each key comes twice.
        const uint64_t old = HashOf((tick - gap) * uint64_t{kEach} + i), fresh = HashOf(tick * uint64_t{kEach} + i);
        if (tick >= gap) policy.Observe(old, AccessState(6, policy.now()), policy.now());
        policy.Observe(fresh, AccessState(0, policy.now()), policy.now());
      }
      policy.Advance(policy.tick_requests(), policy.tick_requests());
    }
    return ReuseRateAt(policy, 0, age);
  };
  CHECK(worth(4, 3) > 5 * worth(100, 3));
  CHECK(worth(100, 95) > 5 * worth(4, 95));
}

TEST(Policy, OfAScoreIsFrequencyByTheLogarithmOfTheAge) {
  // A tick is one request.
  Policy policy(kScore, 32, 32);
  AccessState access_state = policy.Arrive(kHash);
  for (uint32_t count = 1; count <= 7; ++count) {
    CHECK_EQ(policy.FrequencyOf(access_state), count);
    for (uint32_t age = 0; age < 8; ++age) {
      CHECK(std::abs(ReuseRateAt(policy, access_state.entry_class(), age) - count / std::log(age + 2.0)) < 1e-4);
    }
    for (uint32_t age = 8; age < AgeSteps::kHorizon; ++age) {
      const double wanted = count / std::log(age + 2.0);
      CHECK(std::abs(ReuseRateAt(policy, access_state.entry_class(), age) - wanted) < 0.05 * wanted);
    }
    policy.Advance(1, 1);
    CHECK_EQ(policy.ReuseRate(access_state), ReuseRateAt(policy, access_state.entry_class(), 1));
    access_state = policy.Touch(kHash, access_state);
  }
  // Higher counts by a quarter of an octave.
  for (uint32_t count = 9; count <= 3000; ++count) {
    policy.Advance(1, 1);
    access_state = policy.Touch(kHash, access_state);
    CHECK(policy.FrequencyOf(access_state) <= count && policy.FrequencyOf(access_state) > count * 4 / 5);
  }
}

TEST(Policy, OfAScoreKnowsHowLongATickIs) {
  Policy policy(kScore, 32, 32);
  const AccessState access_state = policy.Arrive(kHash);
  policy.Expect(3200);
  CHECK_EQ(policy.tick_requests(), 100u);
  CHECK_EQ(policy.capacity(), size_t{3200});
  CHECK(std::abs(ReuseRateAt(policy, access_state.entry_class(), 5) - 1 / std::log(502.0)) < 1e-4);
}

TEST(Policy, OfAScoreFadesOnlyIfToldSo) {
  for (const bool aging : {false, true}) {
    Policy policy({.kind = Policy::Kind::kScore, .aging = aging}, 3200, 3200);
    AccessState access_state = policy.Arrive(kHash);
    for (int i = 1; i < 128; ++i) access_state = policy.Arrive(kHash);
    CHECK_EQ(policy.FrequencyOf(access_state), 128u);
    for (int i = 0; i < 11; ++i) policy.Advance(3200, 3200);  // in 10 all is halved; in 11, a tenth twice
    access_state = policy.Touch(kHash, access_state);
    CHECK(aging ? policy.FrequencyOf(access_state) <= 64 && policy.FrequencyOf(access_state) >= 32
                : policy.FrequencyOf(access_state) == 128);
  }
}

TEST(Policy, OfAScoreWantsToHearOfNothing) {
  const Policy score(kScore, 100, 100), learned({}, 100, 100);
  CHECK(!score.Follows(kHash));
  CHECK(learned.Follows(kHash));
}

TEST(Policy, AdmitsANewcomerThatIsWorthTheRoom) {
  for (const Policy::Options& options : {Policy::Options{}, kScore}) {
    Policy policy(options, 3200, 3200);
    const AccessState newcomer = policy.Arrive(kHash);
    const float worth = policy.ReuseRate(newcomer);
    CHECK(policy.Admits(newcomer, 0));
    CHECK(policy.Admits(newcomer, worth * 0.8f));
    CHECK(!policy.Admits(newcomer, worth * 1.01f));
    // A learner wants something for the trouble.
    CHECK_EQ(policy.Admits(newcomer, worth * 0.95f), options.kind == Policy::Kind::kScore);
  }
}

TEST(Policy, GrowsAndKnowsWhatItKnew) {
  Policy policy({.sketch_bytes_min = 4096, .tracker_bytes_min = 4096}, 1000, 100);
  CHECK_EQ(policy.room(), size_t{100});
  CHECK_EQ(policy.bytes(), size_t{8192});
  std::vector<uint64_t> hashes;
  std::vector<uint32_t> known;
  for (uint64_t key = 0; key < 200; ++key) {
    hashes.push_back(HashOf(key));
    for (uint64_t i = 0; i <= key % 12; ++i) policy.Arrive(hashes.back());
  }
  for (const uint64_t hash : hashes) known.push_back(policy.FrequencyOf(policy.Arrive(hash)));
  CHECK(policy.Grow(10000));
  CHECK(policy.room() >= 10000);
  GrowOnToTheEnd(policy);
  CHECK(policy.has_outgrown());
  const size_t with_outgrown = policy.bytes();
  policy.ForgetOutgrown();
  CHECK(!policy.has_outgrown());
  CHECK_EQ(policy.bytes(), with_outgrown - 4096);
  CHECK(policy.bytes() >= 10000 * (16 + 8));
  for (size_t i = 0; i < hashes.size(); ++i) CHECK(policy.FrequencyOf(policy.Arrive(hashes[i])) >= known[i]);
  // Where the least is enough, nothing is outgrown.
  CHECK(policy.Grow(10));
  CHECK(!policy.growing());
  CHECK(!policy.has_outgrown());
  CHECK(policy.bytes() >= 10000 * (16 + 8));
}

TEST(Policy, GrowsInStepsThatAreShortHoweverLargeItIs) {
  Policy policy({}, 1 << 20, 1 << 19);
  constexpr size_t kStepBytesMax = size_t{64} << 10;
  const size_t before = policy.bytes();
  CHECK(policy.Grow(1 << 20));
  // 8 MiB of sketch become 16, whose pages are written, and 4 MiB of a tracker are gone through and given back.
  size_t steps = 0;
  for (; policy.growing(); ++steps) policy.GrowOn();
  CHECK(steps >= (size_t{16 + 4} << 20) / kStepBytesMax);
  for (steps = 0; policy.has_outgrown(); ++steps) {
    const size_t held = policy.bytes();
    policy.ForgetOutgrown();
    CHECK(held - policy.bytes() <= kStepBytesMax);
  }
  CHECK(steps >= (size_t{8} << 20) / kStepBytesMax);
  CHECK_EQ(policy.bytes(), 2 * before);
}

TEST(Policy, OfAScoreNeedsNoMoreMemoryForMoreEntries) {
  Policy policy(kScore, 100, 100);
  const size_t bytes = policy.bytes();
  CHECK(bytes >= WideSketch::bytes());
  CHECK(policy.Grow(1000000));
  CHECK(!policy.growing());
  CHECK(policy.room() >= 1000000);
  CHECK_EQ(policy.bytes(), bytes);
}

TEST(Policy, LearnsOnWhenItHasGrown) {
  Policy policy({.sketch_bytes_min = 4096, .tracker_bytes_min = 4096}, 320, 100);
  const auto train = [&](uint32_t from, uint32_t gap) {
    for (uint32_t tick = from; tick < from + 3000; ++tick) {
      for (uint64_t i = 0; i < 10; ++i) {
        const uint64_t old = HashOf((tick - gap) * uint64_t{10} + i), fresh = HashOf(tick * uint64_t{10} + i);
        if (policy.Follows(old) && tick >= from + gap) policy.Observe(old, AccessState(6, policy.now()), policy.now());
        if (policy.Follows(fresh)) policy.Observe(fresh, AccessState(0, policy.now()), policy.now());
      }
      policy.Advance(policy.tick_requests(), policy.tick_requests());
    }
  };
  train(0, 4);
  const float before = ReuseRateAt(policy, 0, 3);
  CHECK(policy.Grow(5000));
  GrowOnToTheEnd(policy);
  policy.ForgetOutgrown();
  // For many half-lives they come back later than they did.
  for (uint32_t round = 1; round <= 3; ++round) train(round * 10000, 100);
  CHECK(ReuseRateAt(policy, 0, 3) < before / 5);
}

TEST(Policy, LearnsAgainAsSoonAsSomethingMayBeEvicted) {
  Policy policy({}, 100, 100);
  const auto ask = [&policy](uint64_t requests) {
    for (uint64_t i = 0; i < requests; ++i) {
      const uint64_t hash = HashOf(i % 10);
      policy.Observe(hash, policy.Arrive(hash), policy.now());
      policy.Advance(1, 1);
    }
  };
  constexpr uint32_t kMostFrequent = 35;  // of unknown gap
  policy.Relax(true);
  const float believed = ReuseRateAt(policy, kMostFrequent, 0);
  ask(5000);
  CHECK_EQ(ReuseRateAt(policy, kMostFrequent, 0), believed);
  policy.Relax(false);
  ask(3000);
  CHECK(ReuseRateAt(policy, kMostFrequent, 0) != believed);
}

}  // namespace zerohop
