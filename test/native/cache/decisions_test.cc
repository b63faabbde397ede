// The engine decides as the policy alone does: a policy that is told the same requests gives each entry the same
// access state and worth, and what leaves, moves or is refused does so by that worth.
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
  void Begin(size_t capacity, bool roomy) {
    if (requests_ < AccessBuffer::kAccesses) return;
    for (const AccessBuffer::Access& note : notes_) policy_.Observe(note.hash, note.access_state, note.at);
    notes_.clear();
    policy_.Advance(requests_, hits_);
    requests_ = hits_ = 0;
    policy_.Expect(capacity);
    policy_.Relax(roomy);
  }
  AccessState Arrive(uint64_t hash) {
    const AccessState access_state = policy_.Arrive(hash);
    ++requests_;
    Note(hash, access_state);
    return access_state;
  }
  AccessState Touch(uint64_t hash, AccessState before) {
    const AccessState after = policy_.Touch(hash, before);
    ++requests_;
    ++hits_;
    if (after.bits() != before.bits()) Note(hash, after);
    return after;
  }
  bool due() const { return requests_ >= AccessBuffer::kAccesses; }
  const Policy& policy() const { return policy_; }

 private:
  void Note(uint64_t hash, AccessState access_state) {
    if (policy_.Follows(hash)) notes_.push_back({hash, policy_.now(), access_state});
  }

  Policy policy_;
  uint32_t requests_ = 0, hits_ = 0;
  std::vector<AccessBuffer::Access> notes_;
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
  AccessState access_state;
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
  Policy::Options of_policy{.kind = options.policy, .aging = options.aging};
  of_policy.sketch_bytes_min = of_policy.tracker_bytes_min = options.max_bytes / 64;
  Alone alone(of_policy, cache.Usage().policy_capacity, kEntries);
  Requests requests;
  std::map<std::string, Known> known;
  const std::string value = Filled("value", 1900);
  uint64_t left = 0, moved = 0, kept = 0, refused = 0, stood = 0, segments = 0;

  const auto compare = [&](const std::string& newest) {
    // Where one segment was emptied, its entries had one threshold to reach.
    const bool one_segment = client.Counted(Count::kEvictedSegments) == segments + 1;
    segments = client.Counted(Count::kEvictedSegments);
    std::optional<float> threshold;
    for (auto it = known.begin(); it != known.end();) {
      if (client.Has(it->first)) {
        ++it;
        continue;
      }
      const auto last = cache.LastEvictionOf(0, testing::AsBytes(it->first));
      // Another may have taken its place.
      if (last && it->first != newest) {
        const AccessState access_state = it->second.access_state;
        CHECK_EQ(last->worth, alone.policy().ReuseRate(access_state));
        CHECK_EQ(last->frequency, alone.policy().FrequencyOf(access_state));
        CHECK(last->worth <= last->threshold);
        if (last->why == EvictionRecord::Why::kEvicted && one_segment) {
          CHECK_EQ(last->threshold, threshold.value_or(last->threshold));
          threshold = last->threshold;
        }
      }
      ++left;
      it = known.erase(it);
    }
    for (auto& [key, one] : known) {
      const auto hit = client.Locate(key);
      const auto facts = client.Describe(key);
      REQUIRE(hit && facts);
      CHECK_EQ(facts->worth, alone.policy().ReuseRate(one.access_state));
      CHECK_EQ(facts->frequency, alone.policy().FrequencyOf(one.access_state));
      CHECK_EQ(facts->gap, alone.policy().GapOf(one.access_state));
      ++stood;
      if (hit->entry_at == one.at) continue;
      one.at = hit->entry_at;
      ++moved;
      if (!threshold) continue;
      CHECK(facts->worth > *threshold);
      ++kept;
    }
  };

  const auto changes = [&] { return client.Counted(Count::kEvictedSegments) + client.Counted(Count::kTrimmedEntries); };
  for (int i = 0; i < kRequests; ++i) {
    const std::string key = requests.Next();
    const uint64_t hash = HashInSpace(ProcessHashKey(), 0, key.data(), key.size());
    const bool due = alone.due();
    const bool hit = client.Get(key).has_value();
    if (due) {
      const size_t capacity = cache.Usage().policy_capacity;
      alone.Begin(capacity, known.size() < capacity / 2);
    }
    if (hit) {
      REQUIRE(known.contains(key));
      Known& one = known.at(key);
      one.access_state = alone.Touch(hash, one.access_state);
      continue;
    }
    CHECK(!known.contains(key));
    const uint64_t before = changes();
    const SetOutcome outcome = client.Set(key, value);
    const AccessState access_state = alone.Arrive(hash);
    if (outcome == SetOutcome::kRefusedWorth) {
      const auto last = cache.LastEvictionOf(0, testing::AsBytes(key));
      REQUIRE(last.has_value());
      CHECK_EQ(last->why, EvictionRecord::Why::kRefused);
      CHECK_EQ(last->worth, alone.policy().ReuseRate(access_state));
      CHECK(!alone.policy().Admits(access_state, last->threshold));
      ++refused;
      continue;
    }
    REQUIRE(outcome == SetOutcome::kStored);
    const auto placed = client.Locate(key);
    REQUIRE(placed.has_value());
    known[key] = {hash, access_state, placed->entry_at};
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
  options.weigh_cost_and_bytes = false;
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
  options.aging = true;
  Compare(options);
}

TEST(Decisions, AreThoseOfThePolicyWhereEntriesAreCounted) {
  CacheOptions options = Options(Policy::Kind::kLearned);
  options.max_entries = 200;
  Compare(options);
}

}  // namespace zerohop
