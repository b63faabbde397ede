// All keys of a keyspace, a shard of the index at a time; and several keys at once.
#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "cache/cache.h"
#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::Client;
using testing::Filled;
using testing::InAnHourUs;
using testing::kLongAgoUs;
using testing::kMiB;
using testing::MakeCache;
using testing::Numbered;
using testing::OpenedSpace;
using testing::PassTick;
using testing::ScannedKeys;

}  // namespace

TEST(Scan, TellsEveryKeyOfItsKeyspaceOnce) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  const uint16_t other = OpenedSpace(*cache, "other");
  std::set<std::string> wanted{"", Filled("long", kKeyBytesMax), std::string("\0a\0", 3)};
  for (uint64_t i = 0; i < 1000; ++i) wanted.insert(Numbered("key", i));
  for (const std::string& key : wanted) CHECK_EQ(client.Set(key, "v"), SetOutcome::kStored);
  for (uint64_t i = 0; i < 500; ++i) client.Set(Numbered("key", i + 900), "v", other);
  CHECK_EQ(client.Set("large", Filled("v", kMiB)), SetOutcome::kStored);
  wanted.insert("large");
  const std::vector<std::string> keys = ScannedKeys(*cache);
  CHECK_EQ(keys.size(), wanted.size());
  CHECK(std::set(keys.begin(), keys.end()) == wanted);
  CHECK_EQ(ScannedKeys(*cache, other).size(), size_t{500});
}

TEST(Scan, LeavesOutWhatNobodyFinds) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("cleared", "v"), SetOutcome::kStored);
  cache->ClearSpace(0);
  CHECK_EQ(client.SetUntil(kLongAgoUs, "over", "v"), SetOutcome::kStored);
  CHECK_EQ(client.SetUntil(InAnHourUs(), "later", "v"), SetOutcome::kStored);
  CHECK_EQ(client.Set("deleted", "v"), SetOutcome::kStored);
  CHECK(client.Delete("deleted"));
  CHECK(ScannedKeys(*cache) == std::vector<std::string>{"later"});
}

TEST(Scan, TellsWhichKeysWereGivenAsBytes) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("text", "v"), SetOutcome::kStored);
  CHECK_EQ(client.Set("bytes", "v", 0, {.key_is_bytes = true}), SetOutcome::kStored);
  for (size_t shard = 0; shard < Index::kShards; ++shard) {
    for (const ScannedKey& key : cache->Scan(client.session(), shard, 0)) CHECK_EQ(key.is_bytes, key.bytes.size() == 5);
  }
}

// Others set, delete and evict meanwhile, and shards grow: a key that stays is told exactly once.
TEST(Scan, TellsAKeyThatStaysExactlyOnceWhateverHappensAroundIt) {
  // So large that nothing is evicted: a million small entries, dead ones included.
  const auto cache = MakeCache(256 * kMiB);
  static constexpr uint64_t kStaying = 1000;
  {
    Client client(*cache);
    for (uint64_t i = 0; i < kStaying; ++i) CHECK_EQ(client.Set(Numbered("stays", i), "v"), SetOutcome::kStored);
  }
  std::atomic<bool> done{false};
  std::vector<std::thread> others;
  for (uint64_t t = 0; t < 2; ++t) {
    others.emplace_back([&, t] {
      Client client(*cache);
      check::Random random(check::Seed() + t);
      for (uint64_t i = 0; i < 500000 && !done.load(); ++i) {
        // More and more keys, up to what the arena holds without evicting.
        const std::string key = Numbered("other", random.Below(std::min<uint64_t>(100 + i, 20000)) * 2 + t);
        if (random.OneIn(4)) {
          client.Delete(key);
        } else {
          client.Set(key, "v");
        }
        // The staying ones are overwritten, moved and renewed too.
        const std::string stays = Numbered("stays", random.Below(kStaying));
        if (random.OneIn(8)) client.Set(stays, "w");
        if (random.OneIn(8)) client.Touch(stays, InAnHourUs());
      }
    });
  }
  for (int round = 0; round < 30; ++round) {
    std::map<std::string, int> told;
    for (const std::string& key : ScannedKeys(*cache)) ++told[key];
    for (const auto& [key, times] : told) CHECK_EQ(times, 1);
    for (uint64_t i = 0; i < kStaying; ++i) CHECK(told.contains(Numbered("stays", i)));
  }
  done = true;
  for (std::thread& other : others) other.join();
  CHECK(!cache->evicting());  // or a staying key might have gone
}

TEST(FindMany, AnswersAsFindDoes) {
  check::Random random(check::Seed());
  const auto cache = MakeCache();
  Client one(*cache), many(*cache);
  for (int round = 0; round < 2000; ++round) {
    const std::string key = Numbered("key", random.Below(500));
    switch (random.Below(10)) {
      case 0: one.Delete(key); break;
      case 1: one.SetUntil(kLongAgoUs, key, "over"); break;
      case 2: one.Set(key, Filled(key, random.OneIn(20) ? 50000 : 3000)); break;
      default: one.SetUntil(InAnHourUs(), key, Filled(key, random.Below(1000)));
    }
    std::vector<std::string> keys;
    for (uint64_t count = random.Below(Cache::kBatchMax + 1); count > 0; --count) {
      keys.push_back(keys.empty() || !random.OneIn(8) ? Numbered("key", random.Below(600)) : keys.back());
    }
    const auto answers = many.GetMany(keys);
    REQUIRE(answers.size() == keys.size());
    for (size_t i = 0; i < keys.size(); ++i) CHECK_EQ(answers[i], one.Get(keys[i]));
  }
  CHECK_EQ(many.Counted(Count::kHits), one.Counted(Count::kHits));
  CHECK_EQ(many.Counted(Count::kMisses), one.Counted(Count::kMisses));
}

TEST(FindMany, CountsUses) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", "v"), SetOutcome::kStored);
  PassTick(*cache);
  client.GetMany({"key", "other", "key"});
  CHECK_EQ(client.Describe("key")->frequency, 2u);  // twice within a tick is once
  CHECK_EQ(client.Counted(Count::kHits), uint64_t{2});
  CHECK_EQ(client.Counted(Count::kMisses), uint64_t{1});
}

// A few at a time: what ScanFrom visits until it is at its end.
namespace {

std::vector<std::string> ScannedFrom(Client& client, uint16_t space, size_t keys, size_t buckets, size_t* calls) {
  std::vector<std::string> seen;
  uint64_t cursor = 0;
  do {
    ReadGuard guard(client.cache().epochs(), client.session());
    cursor = client.cache().ScanFrom(guard, space, cursor, keys, buckets, [&](Bytes key, bool) {
      seen.emplace_back(reinterpret_cast<const char*>(key.data()), key.size());
    });
    ++*calls;
  } while (cursor != 0);
  return seen;
}

}  // namespace

TEST(Scan, FromACursorTellsEveryKeyOfTheKeyspaceOnce) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  const uint16_t other = OpenedSpace(*cache, "other");
  std::set<std::string> wanted;
  for (uint64_t i = 0; i < 1000; ++i) wanted.insert(Numbered("key", i));
  for (const std::string& key : wanted) CHECK_EQ(client.Set(key, "v"), SetOutcome::kStored);
  for (uint64_t i = 0; i < 500; ++i) client.Set(Numbered("key", i + 900), "v", other);
  client.SetUntil(kLongAgoUs, "over", "v");
  for (const size_t at_once : {1, 10, 100000}) {
    size_t calls = 0;
    const auto keys = ScannedFrom(client, 0, at_once, 1u << 20, &calls);
    CHECK_EQ(keys.size(), wanted.size());
    CHECK(std::set(keys.begin(), keys.end()) == wanted);
    CHECK(at_once == 100000 ? calls == 1 : calls > 1000 / (at_once + 40));
  }
}

TEST(Scan, FromACursorLooksAtNoMoreThanItMay) {
  const auto cache = MakeCache();
  Client client(*cache);
  size_t calls = 0;
  CHECK(ScannedFrom(client, 0, 10, 2, &calls).empty());
  CHECK(calls >= Index::kShards);
}

TEST(Scan, FromAnyCursorEnds) {
  const auto cache = MakeCache();
  Client client(*cache);
  check::Random random(check::Seed());
  for (int i = 0; i < 100; ++i) CHECK_EQ(client.Set(Numbered("key", i), "v"), SetOutcome::kStored);
  ReadGuard guard(cache->epochs(), client.session());
  for (const uint64_t cursor : {Index::kScanEnd, UINT64_MAX, random.Next() | uint64_t{1} << 40}) {
    CHECK_EQ(cache->ScanFrom(guard, 0, cursor, 10, 100, [](Bytes, bool) { CHECK(false); }), uint64_t{0});
  }
}

TEST(Scan, GivesSomeKeyByChance) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  const uint16_t few = OpenedSpace(*cache, "few"), none = OpenedSpace(*cache, "none");
  for (uint64_t i = 0; i < 20; ++i) CHECK_EQ(client.Set(Numbered("key", i), "v"), SetOutcome::kStored);
  std::set<std::vector<std::byte>> seen;
  for (int i = 0; i < 3000; ++i) {
    const auto key = cache->RandomKey(client.session(), 0);
    REQUIRE(key.has_value());
    seen.insert(key->bytes);
  }
  // A key is as likely as the distance to the hash before its own is long: some may be hardly ever drawn.
  CHECK(seen.size() > 10);
  for (uint64_t i = 0; i < 5000; ++i) client.Set(Numbered("more", i), "v");
  CHECK_EQ(client.Set("the one", "v", few), SetOutcome::kStored);
  for (int i = 0; i < 10; ++i) CHECK(cache->RandomKey(client.session(), few).has_value());
  CHECK(!cache->RandomKey(client.session(), none));
}

}  // namespace zerohop
