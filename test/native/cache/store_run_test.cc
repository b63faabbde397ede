// Stores in a row do what as many sets would do, one after the other.
#include "cache/store_run.h"

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::AsBytes;
using testing::CheckCountsAgree;
using testing::CheckSettledCountsAgree;
using testing::Client;
using testing::Filled;
using testing::kMiB;
using testing::MakeCache;
using testing::Numbered;
using testing::OpenedSpace;
using testing::View;

using Pairs = std::vector<std::pair<std::string, std::string>>;

// What a run is given; refers to `pairs`.
std::vector<PlainStore> StoresOf(Client& client, const Pairs& pairs, uint16_t space = 0) {
  std::vector<PlainStore> stores;
  for (const auto& [key, value] : pairs) {
    const Bytes bytes = AsBytes(key);
    uint64_t hash;
    const ReadGuard guard(client.cache().epochs(), client.session());
    client.cache().FetchForStores(guard, space, {&bytes, 1}, {&hash, 1});
    stores.push_back({bytes, AsBytes(value), hash, false});
  }
  return stores;
}

// Stores all of them; how many were stored.
size_t StoreAll(Client& client, const Pairs& pairs, uint16_t space = 0) {
  const std::vector<PlainStore> stores = StoresOf(client, pairs, space);
  StoreRun run(client.cache(), client.session(), space, stores);
  size_t stored = 0;
  for (size_t i = 0; i < stores.size(); ++i) stored += run.Next() == SetOutcome::kStored;
  return stored;
}

class Listener final : public ChangeListener {
 public:
  void OnChange(const Change& change) noexcept override {
    if (change.why != Change::Why::kWritten) return;
    keys.emplace_back(reinterpret_cast<const char*>(change.key.data()), change.key.size());
  }
  std::vector<std::string> keys;
};

}  // namespace

TEST(StoreRun, StoresWhatAsManySetsWould) {
  check::Random random(check::Seed());
  const auto cache = MakeCache(64 * kMiB), twin = MakeCache(64 * kMiB);
  Client client(*cache), alone(*twin);
  std::map<std::string, std::string> model;
  for (int round = 0; round < 300; ++round) {
    Pairs pairs;
    for (uint64_t count = random.Below(70); count > 0; --count) {
      // The same key more than once in a run, empty keys and values, and now and then a large one.
      const size_t bytes = random.OneIn(300) ? kMiB + random.Below(1000) : random.Below(random.OneIn(9) ? 9000 : 200);
      pairs.emplace_back(random.OneIn(50) ? "" : Numbered("key", random.Below(400)),
                         Filled(Numbered("v", random.Next()), bytes));
    }
    CHECK_EQ(StoreAll(client, pairs), pairs.size());
    for (const auto& [key, value] : pairs) {
      CHECK_EQ(alone.Set(key, value, 0, {.keep_old = true}), SetOutcome::kStored);
      model[key] = value;
    }
  }
  for (const auto& [key, value] : model) CHECK(client.Get(key) == value);
  CHECK_EQ(cache->EntriesOf(0), model.size());
  for (const Count count : {Count::kSets, Count::kStoredBytes, Count::kEvictedEntries})
    CHECK_EQ(client.Counted(count), alone.Counted(count));
  CheckSettledCountsAgree(*cache);
}

TEST(StoreRun, MakesRoomWhenThereIsNone) {
  const auto cache = MakeCache();
  Client client(*cache);
  for (uint64_t round = 0; round < 100; ++round) {
    Pairs pairs;
    for (uint64_t i = 0; i < 50; ++i) pairs.emplace_back(Numbered("key", round * 50 + i), Filled("v", 2000));
    CHECK_EQ(StoreAll(client, pairs), pairs.size());
    for (uint64_t i = 45; i < 50; ++i) CHECK(client.Get(Numbered("key", round * 50 + i)) == Filled("v", 2000));
  }
  CHECK(client.Counted(Count::kEvictedEntries) > 0);
  CheckSettledCountsAgree(*cache);
}

TEST(StoreRun, LeavesTheOldValueOfWhatIsRefused) {
  const auto cache = MakeCache();
  Client client(*cache);
  std::vector<View> views;
  uint64_t keys = 0;
  for (; client.Set(Numbered("key", keys), Filled("old", 3000), 0, {.keep_old = true}) == SetOutcome::kStored; ++keys) {
    auto view = client.ExposeUnlimited(Numbered("key", keys));
    REQUIRE(view.has_value());
    views.push_back(std::move(*view));
  }
  Pairs pairs;
  for (uint64_t i = 0; i < 5; ++i) pairs.emplace_back(Numbered("key", i), Filled("new", 3000));
  const uint64_t refused = client.Counted(Count::kRefusedPinned);
  CHECK_EQ(StoreAll(client, pairs), size_t{0});
  CHECK_EQ(client.Counted(Count::kRefusedPinned), refused + 5);
  for (const View& view : views) CHECK(view.Unchanged());
  for (uint64_t i = 0; i < keys; ++i) CHECK(client.Get(Numbered("key", i)) == Filled("old", 3000));
}

TEST(StoreRun, StoresNothingThatItIsNotAskedFor) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  const Pairs pairs = {{"a", "1"}, {"b", "1"}, {"c", "1"}};
  const std::vector<PlainStore> stores = StoresOf(client, pairs);
  for (size_t asked = 0; asked <= stores.size(); ++asked) {
    cache->Clear();
    {
      StoreRun run(*cache, client.session(), 0, stores);
      for (size_t i = 0; i < asked; ++i) CHECK_EQ(run.Next(), SetOutcome::kStored);
    }
    for (size_t i = 0; i < stores.size(); ++i) CHECK_EQ(client.Has(pairs[i].first), i < asked);
    CheckCountsAgree(*cache);
  }
}

TEST(StoreRun, TellsEachChangeBeforeTheNextIsMade) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  Listener listener;
  cache->Listen(&listener);
  const Pairs pairs = {{"a", "1"}, {"b", "1"}, {"a", "2"}};
  const std::vector<PlainStore> stores = StoresOf(client, pairs);
  {
    StoreRun run(*cache, client.session(), 0, stores);
    for (size_t i = 0; i < stores.size(); ++i) {
      run.Next();
      CHECK_EQ(listener.keys.size(), i + 1);
      CHECK_EQ(listener.keys.back(), pairs[i].first);
      CHECK(client.Locate(pairs[i].first).has_value());
    }
  }
  cache->StopListening(&listener);
}

TEST(StoreRun, ReplacesAnEntryTogetherWithItsTags) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  for (uint64_t i = 0; i < 40; ++i) client.SetTagged({"tag"}, Numbered("key", i), "old");
  Pairs pairs;
  for (uint64_t i = 0; i < 40; ++i) pairs.emplace_back(Numbered("key", i), "new");
  CHECK_EQ(StoreAll(client, pairs), pairs.size());
  CHECK_EQ(client.DeleteByTag("tag"), size_t{0});
  CHECK(client.Get("key7") == "new");
}

TEST(StoreRun, CountsAsBeforeAClearingThatComesBetween) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  const uint16_t space = OpenedSpace(*cache, "space");
  const Pairs pairs = {{"a", "1"}, {"b", "1"}, {"c", "1"}};
  const std::vector<PlainStore> stores = StoresOf(client, pairs, space);
  {
    StoreRun run(*cache, client.session(), space, stores);
    CHECK_EQ(run.Next(), SetOutcome::kStored);
    cache->ClearSpace(space);
    CHECK_EQ(run.Next(), SetOutcome::kStored);
    CHECK_EQ(run.Next(), SetOutcome::kStored);
  }
  for (const auto& [key, value] : pairs) CHECK(!client.Has(key, space));
  CheckSettledCountsAgree(*cache);
}

TEST(StoreRun, KeepsToTheNumberOfEntriesThatTheCacheMayHave) {
  const auto cache = MakeCache(4 * kMiB, Verify::kSample, 100);
  Client client(*cache);
  Pairs pairs;
  for (uint64_t i = 0; i < 500; ++i) pairs.emplace_back(Numbered("key", i), "v");
  CHECK_EQ(StoreAll(client, pairs), pairs.size());
  CHECK(cache->EntriesOf(0) <= 100);
}

// While it waits, nothing that another session frees stays in use because of it.
TEST(StoreRun, WaitsForAnExclusiveSectionWithoutAGuard) {
  const auto cache = MakeCache();
  Client owner(*cache);
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> first{false};
    std::atomic<bool> entered{false};
    std::thread thread([&] {
      Client client(*cache);
      Pairs pairs;
      for (uint64_t i = 0; i < 30; ++i) pairs.emplace_back(Numbered("theirs", i), "v");
      const std::vector<PlainStore> stores = StoresOf(client, pairs);
      StoreRun run(*cache, client.session(), 0, stores);
      CHECK_EQ(run.Next(), SetOutcome::kStored);
      first = true;
      while (!entered) std::this_thread::yield();
      for (size_t i = 1; i < stores.size(); ++i) CHECK_EQ(run.Next(), SetOutcome::kStored);
    });
    while (!first) std::this_thread::yield();
    {
      Exclusive alone(*cache, owner.session());
      entered = true;
      // More than the cache holds: segments are emptied and reused.
      for (uint64_t i = 0; i < 1000; ++i) {
        SetOutcome outcome;
        do outcome = owner.Set(Numbered("mine", i), Filled("v", 3000));
        while (outcome == SetOutcome::kRefusedReaders);
        CHECK_EQ(outcome, SetOutcome::kStored);
        CHECK(!owner.Has("theirs20"));
      }
    }
    thread.join();
    CHECK(owner.Has("theirs29"));
    owner.cache().Clear();
  }
  CheckSettledCountsAgree(*cache);
}

TEST(StoreRun, ManyThreadsStoreAtATime) {
  const auto cache = MakeCache(4 * kMiB);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Client client(*cache);
      for (uint64_t round = 0; round < 60; ++round) {
        Pairs pairs;
        for (uint64_t i = 0; i < 32; ++i) {
          const std::string key = Numbered("key", (round * 7 + i) % 500);
          pairs.emplace_back(key, Filled(key, 300 + t));
        }
        StoreAll(client, pairs);
        for (const auto& [key, value] : pairs) {
          const auto seen = client.Get(key);
          CHECK(!seen || *seen == Filled(key, seen->size()));
        }
        if (round % 20 == t) cache->ClearSpace(0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CheckSettledCountsAgree(*cache);
}

}  // namespace zerohop
