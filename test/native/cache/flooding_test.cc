// Someone who may choose the keys, and knows everything but the process's hash key, cannot make lookups slow.
//
// The attacker's best guess is a hash key of zeros, with the constants of SipHash: keys that collide under it, in the
// bits that choose shard and bucket, must be spread like any others under the key of the process.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "cache/cache.h"
#include "cache/client.h"
#include "cache/eviction_records.h"
#include "cache/index.h"
#include "cache/reuse_model.h"
#include "cache/reuse_tracker.h"
#include "cache/sketch.h"
#include "cache/version_words.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::Client;
using testing::kMiB;
using testing::MakeCache;
using testing::Numbered;

#if defined(ZEROHOP_SANITIZED)
constexpr size_t kKeys = 10000;
#else
constexpr size_t kKeys = 100000;
#endif

// Keys that `hash` all puts into shard 0 and the first sixteenth of its buckets.
template <class Hash>
std::vector<std::string> Colliding(Hash hash) {
  std::vector<std::string> keys;
  for (uint64_t i = 0; keys.size() < kKeys; ++i) {
    std::string key = std::to_string(i);
    const uint64_t at = hash(key);
    if (at % Index::kShards == 0 && at >> 60 == 0) keys.push_back(std::move(key));
  }
  return keys;
}

std::vector<std::string> Plain() {
  std::vector<std::string> keys;
  for (uint64_t i = 0; keys.size() < kKeys; ++i) keys.push_back(std::to_string(i));
  return keys;
}

// What the index makes of keys under a hash: filled with them, and what lookups of them and of others then cost.
struct Cost {
  size_t fullest_shard = 0;  // keys
  size_t longest_home = 0;   // keys that are at home in the same 1/2^14 of a shard: six of them fill a bucket
  uint64_t compared = 0;     // entries that lookups of absent keys were offered
};

template <class Hash>
Cost CostOf(const std::vector<std::string>& keys, Hash hash) {
  Cost cost;
  std::array<size_t, Index::kShards> shards{};
  std::vector<uint16_t> homes(Index::kShards << 14);
  EpochDomain epochs;
  Index index(epochs);
  for (size_t i = 0; i < keys.size(); ++i) {
    const uint64_t at = hash(keys[i]);
    cost.fullest_shard = std::max(cost.fullest_shard, ++shards[at % Index::kShards]);
    const size_t home = at % Index::kShards << 14 | at >> 50;
    cost.longest_home = std::max<size_t>(cost.longest_home, ++homes[home]);
    CHECK(index.Upsert(at, i * kEntryAlignBytes, [&](uint64_t) { return false; }).stored);
  }
  for (const std::string& key : keys) {
    index.Find(hash("absent" + key), [&](uint64_t) {
      ++cost.compared;
      return false;
    });
    // And of the very keys, as if another entry were looked for.
    index.Find(hash(key), [&](uint64_t) {
      ++cost.compared;
      return false;
    });
  }
  return cost;
}

constexpr HashKey kZero{0, 0};

uint64_t UnderZero(const std::string& key) { return HashInSpace(kZero, 0, key.data(), key.size()); }
uint64_t UnderProcess(const std::string& key) { return HashInSpace(ProcessHashKey(), 0, key.data(), key.size()); }

const std::vector<std::string>& Hostile() {
  static const std::vector<std::string> keys = Colliding(UnderZero);
  return keys;
}

}  // namespace

TEST(Flooding, TheProcessKeyIsNotTheOneThatAnAttackerWouldGuess) {
  const HashKey key = ProcessHashKey();
  CHECK(key.k0 != 0 && key.k1 != 0 && key.k0 != key.k1);
  for (const char* text : {"", "a", "key"}) CHECK(UnderProcess(text) != UnderZero(text));
}

TEST(Flooding, KeysThatCollideUnderAZeroKeyAreSpreadLikeAnyOthersUnderTheProcessKey) {
  const std::vector<std::string>& hostile = Hostile();
  // The attack is one: a hash with a known key would put all of them into one shard.
  CHECK_EQ(CostOf(std::vector(hostile.begin(), hostile.begin() + 2000), UnderZero).fullest_shard, size_t{2000});
  const Cost attacked = CostOf(hostile, UnderProcess), plain = CostOf(Plain(), UnderProcess);
  const size_t mean = kKeys / Index::kShards;
  // Ten standard deviations; the attack would be sixty times the mean.
  const size_t most = mean + 10 * static_cast<size_t>(std::max(1.0, std::sqrt(static_cast<double>(mean))));
  CHECK(plain.fullest_shard <= most);
  CHECK(attacked.fullest_shard <= most);
  CHECK(plain.longest_home <= 12);
  CHECK(attacked.longest_home <= 12);
  // Each key is offered itself; another one only if 28 + 6 bits agree.
  CHECK(plain.compared <= kKeys + 20);
  CHECK(attacked.compared <= kKeys + 20);
}

TEST(Flooding, TheHashesOfOneKeyspaceTellNothingOfAnothers) {
  // Keys that collide in a keyspace whose hashes the attacker came to know do not collide in the next: each has a hash
  // key of its own.
  const std::vector<std::string> hostile = Colliding(UnderProcess);
  const Cost cost =
      CostOf(hostile, [](const std::string& key) { return HashInSpace(ProcessHashKey(), 1, key.data(), key.size()); });
  CHECK(cost.fullest_shard <= 2 * kKeys / Index::kShards);
  CHECK(cost.longest_home <= 12);
}

TEST(Flooding, ACacheFullOfHostileKeysTellsThemApart) {
  const std::vector<std::string>& hostile = Hostile();
  const auto cache = MakeCache(64 * kMiB);
  Client client(*cache);
  for (const std::string& key : hostile) CHECK_EQ(client.Set(key, key), SetOutcome::kStored);
  for (const std::string& key : hostile) CHECK(client.Get(key) == key);
  CHECK_EQ(cache->Usage().entries, hostile.size());
}

// Every other place that a key's hash chooses takes it from the same keyed hash.  The attacker's keys, chosen so that
// under a key of zeros they meet in one place of it, must be spread under the key of the process.

// Keys for which `place` of the hash under zero is 0.
template <class Place>
std::vector<std::string> MeetingUnderZero(size_t count, Place place) {
  std::vector<std::string> keys;
  for (uint64_t i = 0; keys.size() < count; ++i) {
    std::string key = Numbered("k", i);
    if (place(UnderZero(key)) == 0) keys.push_back(std::move(key));
  }
  return keys;
}

TEST(Flooding, TheSketchDoesNotTakeAVictimsKeyForFamous) {
  constexpr size_t kBlocks = 256, kHostile = 2000;
  const auto block = [](uint64_t hash) { return (hash >> 32) * kBlocks >> 32; };
  FrequencySketch flooded(kBlocks * kCacheLineBytes), kept(kBlocks * kCacheLineBytes);
  for (const std::string& key : MeetingUnderZero(kHostile, block)) {
    for (int i = 0; i < 4; ++i) flooded.Add(UnderZero(key));
    for (int i = 0; i < 4; ++i) kept.Add(UnderProcess(key));
  }
  const std::vector<std::string> victims = MeetingUnderZero(kHostile + 100, block);
  uint64_t attacked = 0, spread = 0;
  for (size_t i = kHostile; i < victims.size(); ++i) {
    attacked += flooded.Estimate(UnderZero(victims[i]));
    spread += kept.Estimate(UnderProcess(victims[i]));
  }
  CHECK(attacked >= 100 * 12);  // the attack is one: keys that nobody asked for count as asked for all the time
  CHECK(spread <= 100);
}

TEST(Flooding, TheReuseTrackerFollowsHostileKeysNoMoreThanOthers) {
  ReuseTracker tracker(size_t{64} << 10);
  ReuseModel model({1, 1});
  const auto bucket = [&](uint64_t hash) { return (hash >> 32) * tracker.buckets() >> 32; };
  constexpr size_t kHostile = 1000;
  const std::vector<std::string> keys = MeetingUnderZero(kHostile, bucket);
  std::map<uint64_t, size_t> buckets;
  size_t most = 0;
  for (const std::string& key : keys) {
    const uint64_t hash = UnderProcess(key);
    most = std::max(most, ++buckets[bucket(hash)]);
    tracker.Seen(hash, 0, 1, model);
  }
  CHECK(most <= 10);  // of a thousand in a thousand buckets; the attack would be a thousand
}

TEST(Flooding, HostileKeysDoNotEraseWhatIsKnownOfOthersThatLeft) {
  constexpr size_t kPlaces = 1024;  // of a cache of 16 MiB
  EvictionRecords records(kPlaces << 14);
  CHECK_EQ(records.bytes(), kPlaces * sizeof(EvictionRecord));
  const auto place = [](uint64_t hash) { return (hash >> 32) * kPlaces >> 32; };
  const auto note = [&](const std::string& key) {
    EvictionRecord one;
    one.hash = UnderProcess(key);
    one.why = EvictionRecord::Why::kEvicted;
    records.Note(one);
  };
  const std::vector<std::string> keys = MeetingUnderZero(400, place);
  for (const std::string& key : keys) note(key);
  size_t kept = 0;
  for (const std::string& key : keys) kept += records.Find(UnderProcess(key), 0).has_value();
  CHECK(kept > 250);  // four hundred in a thousand places, at random: about 330; the attack would leave one
}

TEST(Flooding, HostileKeysDoNotShareAVersionWord) {
  const auto words = VersionWords::Create(16 * kMiB);
  REQUIRE(words != nullptr);
  const auto word = [&](uint64_t hash) { return words->WordOf(hash) - words->WordOf(0); };
  const std::vector<std::string> keys = MeetingUnderZero(400, word);
  std::set<uint32_t> distinct;
  for (const std::string& key : keys) distinct.insert(words->WordOf(UnderProcess(key)));
  CHECK(distinct.size() > 300);
}

// Should keys collide after all, whole hashes even, then they are slow and still right.
TEST(Flooding, KeysWithEqualHashesAreKeptApartByTheirBytes) {
  EpochDomain epochs;
  Index index(epochs);
  constexpr uint64_t kHash = 0x123456789abcdef0u;
  for (uint64_t i = 0; i < 2000; ++i) {
    CHECK(index.Upsert(kHash, i * kEntryAlignBytes, [](uint64_t) { return false; }).stored);
  }
  for (uint64_t i = 0; i < 2000; ++i) {
    const uint64_t wanted = i * kEntryAlignBytes;
    CHECK_EQ(index.Find(kHash, [&](uint64_t at) { return at == wanted; }), std::optional(wanted));
  }
}

}  // namespace zerohop
