// The engine decides as the policy alone does: a policy that is told the same requests gives each entry the same
// standing and worth, and what leaves, moves or is refused does so by that worth.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "cache/cache.h"
#include "cache/client.h"
#include "cache/policy.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::Client;
using testing::Filled;
using testing::kMiB;
using testing::Numbered;

// A policy that hears what a session of a cache would tell it, when it would.
class Alone {
 public:
  Alone(const Policy::Options& options, size_t capacity, size_t entries) : policy_(options, capacity, entries) {}

  // Before the cache acts on a request: as its session does.
  void Begin(size_t capacity) {
    if (requests_ < Heard::kNotes) return;
    for (const Heard::OfKey& note : notes_) policy_.Observe(note.hash, note.standing, note.at);
    notes_.clear();
    policy_.Advance(requests_, hits_);
    requests_ = hits_ = 0;
    policy_.Expect(capacity);
  }
  Standing Arrive(uint64_t hash) {
    const Standing standing = policy_.Arrive(hash);
    ++requests_;
    Note(hash, standing);
    return standing;
  }
  Standing Touch(uint64_t hash, Standing before) {
    const Standing after = policy_.Touch(hash, before);
    ++requests_;
    ++hits_;
    if (after.bits() != before.bits()) Note(hash, after);
    return after;
  }
  bool due() const { return requests_ >= Heard::kNotes; }
  const Policy& policy() const { return policy_; }

 private:
  void Note(uint64_t hash, Standing standing) {
    if (policy_.Wants(hash)) notes_.push_back({hash, policy_.now(), standing});
  }

  Policy policy_;
  uint32_t requests_ = 0, hits_ = 0;
  std::vector<Heard::OfKey> notes_;
};

// Popular keys, keys that come once, and a loop, in turn and mixed.
class Requests {
 public:
  std::string Next() {
    if (left_ == 0) {
      kind_ = random_.Below(4);
      left_ = 500 + random_.Below(2000);
    }
    --left_;
    switch (kind_ == 3 ? random_.Below(3) : kind_) {
      case 0: return Numbered("popular ", random_.Below(1 + random_.Below(1 + random_.Below(2000))));
      case 1: return Numbered("once ", ++once_);
      default: return Numbered("loop ", loop_++ % 700);
    }
  }

 private:
  check::Random random_{check::Seed()};
  uint64_t kind_ = 0, left_ = 0, once_ = 0, loop_ = 0;
};

struct Known {
  uint64_t hash;
  Standing standing;
  uint64_t at;  // in the arena
};

// Plays requests against a cache and the policy alone, and compares them whenever entries have gone.
void Compare(const CacheOptions& options) {
  constexpr size_t kEntries = 1024;  // no more fit: memory for the policy never grows
#if defined(ZEROHOP_SANITIZED)
  constexpr int kRequests = 6'000;
#else
  constexpr int kRequests = 40'000;
#endif
  Result<std::unique_ptr<Cache>> made = Cache::Create(options);
  REQUIRE(made.ok());
  Cache& cache = *made.value();
  Client client(cache);
  Policy::Options of_policy{.kind = options.policy, .fading = options.fading};
  of_policy.sketch_bytes_min = of_policy.tracker_bytes_min = options.max_bytes / 64;
  Alone alone(of_policy, cache.Usage().policy_capacity, kEntries);
  Requests requests;
  std::map<std::string, Known> known;
  const std::string value = Filled("value", 1900);
  uint64_t left = 0, moved = 0, kept = 0, refused = 0, stood = 0, segments = 0;

  const auto compare = [&](const std::string& newest) {
    // Where one segment was emptied, its entries had one bar to reach.
    const bool one_segment = client.Counted(Count::kEvictedSegments) == segments + 1;
    segments = client.Counted(Count::kEvictedSegments);
    std::optional<float> bar;
    for (auto it = known.begin(); it != known.end();) {
      if (client.Has(it->first)) {
        ++it;
        continue;
      }
      const auto parting = cache.PartingOf(0, testing::AsBytes(it->first));
      // Another may have taken its place.
      if (parting && it->first != newest) {
        const Standing standing = it->second.standing;
        CHECK_EQ(parting->value, alone.policy().Worth(standing));
        CHECK_EQ(parting->frequency, alone.policy().FrequencyOf(standing));
        CHECK(parting->value <= parting->threshold);
        if (parting->why == Departure::Why::kEvicted && one_segment) {
          CHECK_EQ(parting->threshold, bar.value_or(parting->threshold));
          bar = parting->threshold;
        }
      }
      ++left;
      it = known.erase(it);
    }
    for (auto& [key, one] : known) {
      const auto hit = client.Locate(key);
      const auto facts = client.Describe(key);
      REQUIRE(hit && facts);
      CHECK_EQ(facts->value, alone.policy().Worth(one.standing));
      CHECK_EQ(facts->frequency, alone.policy().FrequencyOf(one.standing));
      CHECK_EQ(facts->gap, alone.policy().GapOf(one.standing));
      ++stood;
      if (hit->entry_at == one.at) continue;
      one.at = hit->entry_at;
      ++moved;
      if (!bar) continue;
      CHECK(facts->value > *bar);
      ++kept;
    }
  };

  const auto changes = [&] { return client.Counted(Count::kEvictedSegments) + client.Counted(Count::kTrimmedEntries); };
  for (int i = 0; i < kRequests; ++i) {
    const std::string key = requests.Next();
    const uint64_t hash = HashInSpace(ProcessHashKey(), 0, key.data(), key.size());
    const bool due = alone.due();
    const bool hit = client.Get(key).has_value();
    if (due) alone.Begin(cache.Usage().policy_capacity);
    if (hit) {
      REQUIRE(known.contains(key));
      Known& one = known.at(key);
      one.standing = alone.Touch(hash, one.standing);
      continue;
    }
    CHECK(!known.contains(key));
    const uint64_t before = changes();
    const SetOutcome outcome = client.Set(key, value);
    const Standing standing = alone.Arrive(hash);
    if (outcome == SetOutcome::kRefusedWorth) {
      const auto parting = cache.PartingOf(0, testing::AsBytes(key));
      REQUIRE(parting.has_value());
      CHECK_EQ(parting->why, Departure::Why::kRefused);
      CHECK_EQ(parting->value, alone.policy().Worth(standing));
      CHECK(!alone.policy().Admits(standing, parting->threshold));
      ++refused;
      continue;
    }
    REQUIRE(outcome == SetOutcome::kStored);
    const auto placed = client.Locate(key);
    REQUIRE(placed.has_value());
    known[key] = {hash, standing, placed->entry_at};
    if (changes() != before) compare(key);
  }
  compare("");
  CHECK(left + refused > kRequests / 10);
  CHECK(stood > kRequests / 4);
  CHECK(moved > 0);
  if (options.max_entries == SIZE_MAX && !options.admission) CHECK(kept > 0);
  if (options.admission) CHECK(refused > 0);
}

CacheOptions Options(Policy::Kind policy) {
  CacheOptions options;
  options.max_bytes = kMiB;
  options.policy = policy;
  options.by_value = false;
  return options;
}

}  // namespace

TEST(Decisions, AreThoseOfTheLearnedPolicy) { Compare(Options(Policy::Kind::kLearned)); }

TEST(Decisions, AreThoseOfTheLearnedPolicyWithAdmission) {
  CacheOptions options = Options(Policy::Kind::kLearned);
  options.admission = true;
  Compare(options);
}

TEST(Decisions, AreThoseOfTheScoreThatFades) {
  CacheOptions options = Options(Policy::Kind::kScore);
  options.fading = true;
  Compare(options);
}

TEST(Decisions, AreThoseOfThePolicyWhereEntriesAreCounted) {
  CacheOptions options = Options(Policy::Kind::kLearned);
  options.max_entries = 200;
  Compare(options);
}

}  // namespace zerohop
