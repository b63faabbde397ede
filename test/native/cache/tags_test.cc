#include "cache/tags.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

// Tags beside what plays the index: which ids the entry of a hash carries.
struct Fixture {
  std::mutex mutex;
  std::map<uint64_t, std::set<uint32_t>> index;
  Tags tags{[this](uint16_t, uint32_t id, uint64_t hash) {
    const std::lock_guard lock(mutex);
    const auto entry = index.find(hash);
    return entry != index.end() && entry->second.contains(id);
  }};

  void Point(uint64_t hash, const std::vector<uint32_t>& ids) {
    const std::lock_guard lock(mutex);
    index[hash] = {ids.begin(), ids.end()};
  }
  // As a set does it.
  void Store(uint64_t hash, const std::vector<std::string>& names, uint16_t incarnation = 0) {
    std::vector<uint32_t> ids;
    for (const std::string& name : names) ids.push_back(tags.Hold(incarnation, name));
    Point(hash, ids);
    tags.Add(ids, hash);
  }
  void Remove(uint64_t hash) {
    const std::lock_guard lock(mutex);
    CHECK_EQ(index.erase(hash), size_t{1});
  }
  // As a deletion by tag does it: the id is held until the entries are gone.
  std::vector<uint64_t> Take(const std::string& name, uint16_t incarnation = 0) {
    uint32_t id = 0;
    const std::vector<uint64_t> taken = tags.Take(incarnation, name, &id);
    if (!taken.empty()) tags.Release(std::vector{id});
    return taken;
  }
};

using Hashes = std::vector<uint64_t>;

}  // namespace

TEST(Tags, TellTheHashesOfWhatCarriesThemEachOnce) {
  Fixture f;
  f.Store(0, {"a"});
  f.Store(8, {"a", "b"});
  f.Store(16, {"b"});
  CHECK(f.Take("a") == Hashes({0, 8}));
  CHECK(f.Take("a").empty());
  f.Store(8, {"b"});
  f.Store(8, {"b"});
  CHECK(f.Take("b") == Hashes({8, 16}));
  CHECK(f.Take("c").empty());
}

TEST(Tags, OfTwoIncarnationsAreTwo) {
  Fixture f;
  f.Store(0, {"a"}, 1);
  f.Store(8, {"a"}, 2);
  CHECK(f.Take("a", 3).empty());
  CHECK(f.Take("a", 2) == Hashes({8}));
  CHECK(f.Take("a", 1) == Hashes({0}));
}

TEST(Tags, TheSameNameIsTheSameIdWhileItIsHeldOrCarried) {
  Fixture f;
  const uint32_t held = f.tags.Hold(0, "a");
  CHECK_EQ(f.tags.Hold(0, "a"), held);
  CHECK(f.tags.Hold(0, "b") != held);
  CHECK(f.tags.Hold(1, "a") != held);
  f.tags.Release(std::vector{held});
  f.tags.Prune();
  CHECK_EQ(f.tags.Hold(0, "a"), held);  // one hold was left
  f.Store(0, {"a"});
  f.tags.Release(std::vector{held});
  f.tags.Release(std::vector{held});
  f.tags.Prune();
  CHECK_EQ(f.tags.Hold(0, "a"), held);  // an entry carries it
}

TEST(Tags, AnIdIsNotGivenToAnotherNameWhileAnEntryCarriesIt) {
  Fixture f;
  check::Random random(check::Seed());
  std::map<std::string, uint32_t> carried;  // name -> id, of names that an entry carries
  std::map<uint64_t, std::string> entries;
  uint64_t at = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string name = std::to_string(random.Below(60));
    switch (random.Below(5)) {
      case 0:
      case 1: {
        const uint32_t id = f.tags.Hold(0, name);
        for (const auto& [other, its] : carried) CHECK_EQ(its == id, other == name);
        f.Point(at, {id});
        f.tags.Add(std::vector{id}, at);
        carried[name] = id;
        entries[at] = name;
        at += 8;
        break;
      }
      case 2: {
        const uint32_t id = f.tags.Hold(0, name);
        if (carried.contains(name)) CHECK_EQ(id, carried[name]);
        f.tags.Release(std::vector{id});
        break;
      }
      case 3:
        // All entries of the name go, and with them its right to the id.
        for (const uint64_t each : f.Take(name)) {
          f.Remove(each);
          entries.erase(each);
        }
        carried.erase(name);
        break;
      default:
        if (random.OneIn(10)) f.tags.Prune();
    }
  }
}

TEST(Tags, ForgetAllThatNobodyCarriesWhenPruned) {
  Fixture f;
  CHECK_EQ(f.tags.bytes(), size_t{0});
  for (uint64_t at = 0; at < 800; at += 8) f.Store(at, {"a", std::to_string(at)});
  CHECK(f.tags.bytes() > 100 * 100);
  for (uint64_t at = 0; at < 800; at += 8) {
    if (at != 80) f.Remove(at);
  }
  f.tags.Prune();
  CHECK(f.tags.bytes() < 1000);
  CHECK(f.Take("a") == Hashes({80}));
  f.Remove(80);
  f.tags.Prune();
  CHECK_EQ(f.tags.bytes(), size_t{0});
}

TEST(Tags, AHoldKeepsANameThroughPruning) {
  Fixture f;
  const uint32_t id = f.tags.Hold(0, "a");
  f.tags.Prune();
  CHECK(f.tags.bytes() > 0);
  f.Point(8, {id});
  f.tags.Add(std::vector{id}, 8);
  CHECK(f.Take("a") == Hashes({8}));
}

TEST(Tags, TakingHoldsTheNameUntilTheEntriesAreGone) {
  Fixture f;
  f.Store(8, {"a"});
  uint32_t id = 0;
  CHECK(f.tags.Take(0, "a", &id) == Hashes({8}));
  f.tags.Prune();
  CHECK_EQ(f.tags.Hold(0, "a"), id);  // or entries that carry the id would carry another name's
  f.tags.Release(std::vector{id});
  f.Remove(8);
  f.tags.Release(std::vector{id});
  CHECK_EQ(f.tags.bytes(), size_t{0});
  CHECK(f.tags.Take(0, "a", &id).empty());
  CHECK_EQ(f.tags.bytes(), size_t{0});
}

TEST(Tags, ReleasingTheLastHoldOfANameNobodyCarriesForgetsIt) {
  Fixture f;
  for (int i = 0; i < 1000; ++i) f.tags.Release(std::vector{f.tags.Hold(0, std::to_string(i))});
  CHECK_EQ(f.tags.bytes(), size_t{0});
}

TEST(Tags, StaleHashesAreAtMostAboutAsManyAsLiveOnes) {
  Fixture f;
  // One entry with the tag at a time, replaced again and again: nobody tells the tag.
  size_t most = 0;
  for (uint64_t at = 0; at < 80000; at += 8) {
    f.Store(at, {"a"});
    if (at > 0) f.Remove(at - 8);
    most = std::max(most, f.tags.bytes());
  }
  CHECK(most < 4096);
  const Hashes left = f.Take("a");
  CHECK(std::count(left.begin(), left.end(), uint64_t{80000 - 8}) == 1);
}

TEST(Tags, TagsThatNobodyCarriesAnyMoreDoNotPileUp) {
  Fixture f;
  size_t most = 0;
  for (uint64_t at = 0; at < 8 * 20000; at += 8) {
    f.Store(at, {std::to_string(at)});
    if (at >= 800) f.Remove(at - 800);  // a hundred live ones
    most = std::max(most, f.tags.bytes());
  }
  CHECK(most < size_t{256} << 10);
}

TEST(Tags, TellTheMemoryTheyReallyTakeOrMore) {
  // Names may be long; what is not counted is not paid from the budget.
  Fixture f;
  const std::string longest(10000, 'x');
  for (uint64_t at = 0; at < 800; at += 8) f.Store(at, {longest + std::to_string(at)});
  CHECK(f.tags.bytes() >= 100 * longest.size());
}

TEST(Tags, TakeIdsOfAnyValueFromEntriesThatWereWrittenOver) {
  Fixture f;
  f.Store(8, {"a"});
  const std::vector<uint32_t> hostile{0xffffffffu, 12345u, 0u};
  for (int i = 0; i < 3; ++i) {
    f.tags.Add(hostile, 8);
    f.tags.Release(hostile);
  }
  f.tags.Release(hostile);  // never held
  f.tags.Prune();
  CHECK(f.Take("a") == Hashes({8}));
}

TEST(Tags, ManyThreadsHoldAddReleaseTakeAndPrune) {
  Fixture f;
  std::atomic<uint64_t> taken{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      check::Random random(check::Seed() + t);
      for (uint64_t i = 0; i < 4000; ++i) {
        const std::string name = std::to_string(random.Below(20));
        const uint64_t at = (t * 4000 + i) * 8;
        f.Store(at, {name, "all"});
        const uint32_t id = f.tags.Hold(0, name);
        f.tags.Release(std::vector{id});
        if (random.OneIn(16)) taken += f.Take(name).size();
        if (random.OneIn(64)) f.tags.Prune();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int name = 0; name < 20; ++name) taken += f.Take(std::to_string(name)).size();
  CHECK_EQ(taken.load(), uint64_t{12000});
  CHECK_EQ(f.Take("all").size(), size_t{12000});
}

}  // namespace zerohop
