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

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kChunk = size_t{16} << 10;  // of a cache of so little; one is kept while there is no tag

// Tags beside what plays the index: the links of the entry of a hash.  Its lock stands for the shards'.
struct Fixture {
  std::mutex mutex;
  std::map<uint64_t, std::vector<uint32_t>> index;
  Tags tags{ProcessHashKey(), kMiB};

  bool Take(const std::vector<Tags::Tag>& wanted, uint64_t hash, std::vector<uint32_t>* ids) {
    ids->resize(wanted.size());
    while (!tags.Take(wanted, hash, *ids)) {
      if (!Tags::Growth(tags).Map()) return false;
    }
    return true;
  }
  std::vector<uint32_t> Taken(const std::vector<std::string>& names, uint64_t hash, uint16_t incarnation = 0) {
    std::vector<Tags::Tag> wanted;
    for (const std::string& name : names) wanted.push_back(tags.TagOf(incarnation, name));
    std::vector<uint32_t> ids;
    CHECK(Take(wanted, hash, &ids));
    return ids;
  }
  // As a set does it: what the entry replaces leaves the index when it enters.
  void Store(uint64_t hash, const std::vector<std::string>& names, uint16_t incarnation = 0) {
    const std::vector<uint32_t> ids = Taken(names, hash, incarnation);
    const std::lock_guard lock(mutex);
    if (const auto old = index.find(hash); old != index.end()) tags.Drop(old->second, hash);
    tags.Chain(ids);
    index[hash] = ids;
  }
  void Remove(uint64_t hash) {
    const std::lock_guard lock(mutex);
    const auto known = index.find(hash);
    REQUIRE(known != index.end());
    tags.Drop(known->second, hash);
    index.erase(known);
  }
  bool Removed(const Tags::Link& link) {
    const std::lock_guard lock(mutex);
    const auto known = index.find(link.hash);
    if (!tags.Has(link) || known == index.end()) return false;
    if (std::find(known->second.begin(), known->second.end(), link.id) == known->second.end()) return false;
    tags.Drop(known->second, link.hash);
    index.erase(known);
    return true;
  }
  // As a deletion by tag does it: the hashes of what was removed, in order.
  std::vector<uint64_t> Delete(const std::string& name, uint16_t incarnation = 0) {
    std::vector<uint64_t> hashes;
    tags.SetApart(tags.TagOf(incarnation, name));
    std::vector<Tags::Link> links(5);
    while (const size_t count = tags.Apart(links)) {
      for (size_t i = 0; i < count; ++i) {
        if (Removed(links[i])) hashes.push_back(links[i].hash);
      }
    }
    std::sort(hashes.begin(), hashes.end());
    return hashes;
  }
};

using Hashes = std::vector<uint64_t>;

std::string Name(uint64_t number) { return std::to_string(number); }

}  // namespace

TEST(Tags, TellTheHashesOfWhatCarriesThem) {
  Fixture f;
  f.Store(1, {"a"});
  f.Store(2, {"a", "b"});
  f.Store(3, {"b"});
  CHECK(f.Delete("a") == Hashes({1, 2}));
  CHECK(f.Delete("a").empty());
  f.Store(4, {"b"});
  f.Store(4, {"b"});
  CHECK(f.Delete("b") == Hashes({3, 4}));
  CHECK(f.Delete("c").empty());
  CHECK(f.tags.bytes() <= kChunk);
}

TEST(Tags, AnEntryMayCarryATagTwice) {
  Fixture f;
  f.Store(1, {"a", "a", "b", "a"});
  f.Store(2, {"a"});
  CHECK(f.Delete("a") == Hashes({1, 2}));
  CHECK(f.Delete("b").empty());
  CHECK(f.tags.bytes() <= kChunk);
}

TEST(Tags, OfTwoIncarnationsAreTwo) {
  Fixture f;
  f.Store(1, {"a"}, 1);
  f.Store(2, {"a"}, 2);
  CHECK(f.Delete("a", 3).empty());
  CHECK(f.Delete("a", 2) == Hashes({2}));
  CHECK(f.Delete("a", 1) == Hashes({1}));
}

TEST(Tags, WhatIsStoredWhileATagIsDeletedIsNotAmongTheDeleted) {
  Fixture f;
  f.Store(1, {"a"});
  f.tags.SetApart(f.tags.TagOf(0, "a"));
  f.Store(2, {"a"});
  std::vector<Tags::Link> links(5);
  CHECK_EQ(f.tags.Apart(links), size_t{1});
  CHECK_EQ(links[0].hash, uint64_t{1});
  f.Remove(1);  // evicted in between
  CHECK_EQ(f.tags.Apart(links), size_t{0});
  CHECK(f.Delete("a") == Hashes({2}));
}

TEST(Tags, ADeletionThatIsBrokenOffLeavesLinksThatGoWithTheirEntries) {
  Fixture f;
  for (uint64_t i = 0; i < 10; ++i) f.Store(i, {"a", "b"});
  f.tags.SetApart(f.tags.TagOf(0, "a"));
  f.tags.SetApart(f.tags.TagOf(0, "b"));
  f.Store(10, {"a", "b"});
  for (uint64_t i = 0; i < 10; ++i) f.Remove(i);
  CHECK(f.Delete("a") == Hashes({10}));
  CHECK(f.tags.bytes() <= kChunk);
}

TEST(Tags, LinksThatWereTakenForNothingAreGivenBack) {
  Fixture f;
  for (uint64_t i = 0; i < 5000; ++i) f.tags.Release(f.Taken({Name(i), "all"}, i));
  CHECK(f.tags.bytes() <= kChunk);
  CHECK(f.Delete("all").empty());
}

TEST(Tags, TakeNothingWithoutRoomForAll) {
  Tags tags(ProcessHashKey(), kMiB);
  std::vector<Tags::Tag> wanted(3);
  std::vector<uint32_t> ids(3);
  CHECK(!tags.Take(wanted, 0, ids));
  CHECK(Tags::Growth(tags).Map());
  const size_t room = tags.slots();
  for (size_t taken = 3; taken <= room; taken += 3) CHECK(tags.Take(wanted, 0, ids));
  CHECK(!tags.Take(wanted, 0, ids));
  CHECK(tags.Take(std::vector<Tags::Tag>(room % 3), 0, ids));
  CHECK_EQ(tags.bytes(), room * 32);
}

TEST(Tags, CountMemoryBeforeItIsThere) {
  Tags tags(ProcessHashKey(), kMiB);
  {
    Tags::Growth growth(tags);
    CHECK_EQ(tags.bytes(), kChunk);
    CHECK(growth.Map());
    CHECK_EQ(tags.bytes(), 2 * kChunk);
  }
  CHECK_EQ(tags.bytes(), kChunk);
}

// Against what a map of sets says, through growing, shrinking and gaps.
TEST(Tags, AgreeWithAModelThroughRandomStoresRemovalsAndDeletions) {
  Fixture f;
  check::Random random(check::Seed());
  std::map<uint64_t, std::set<std::string>> model;  // hash -> names
  uint64_t next = 0;
  for (int phase = 0; phase < 6; ++phase) {
    const bool grows = phase % 2 == 0;
    for (int i = 0; i < 4000; ++i) {
      const uint64_t choice = random.Below(100);
      if (choice < (grows ? 90u : 20u)) {
        // Names that come again, and names that never do.
        std::vector<std::string> names;
        for (uint64_t count = random.Below(4); count > 0; --count) {
          names.push_back(random.OneIn(2) ? Name(random.Below(40)) : "once" + Name(++next));
        }
        const uint64_t hash = random.Below(6000);
        f.Store(hash, names);
        model[hash] = {names.begin(), names.end()};
      } else if (choice < 98 && !model.empty()) {
        auto victim = model.lower_bound(random.Below(6000));
        if (victim == model.end()) victim = model.begin();
        f.Remove(victim->first);
        model.erase(victim);
      } else {
        const std::string name = Name(random.Below(40));
        Hashes carriers;
        for (const auto& [hash, names] : model) {
          if (names.contains(name)) carriers.push_back(hash);
        }
        for (const uint64_t hash : carriers) model.erase(hash);
        CHECK(f.Delete(name) == carriers);
      }
    }
  }
  for (const auto& [hash, names] : model) f.Remove(hash);
  CHECK(f.tags.bytes() <= kChunk);
}

TEST(Tags, MemoryFollowsTheLinksInUseDownAsWellAsUp) {
  Fixture f;
  constexpr uint64_t kEntries = 20000;
  for (uint64_t i = 0; i < kEntries; ++i) {
    f.Store(i, {Name(i)});
    CHECK(f.tags.bytes() <= (i + 1) * 32 + kChunk);
  }
  // The oldest go first, as far as one can tell: those that are left lie at the end of all.
  for (uint64_t i = 0; i < kEntries / 2; ++i) f.Remove(i);
  // New ones take the low places, so the high ones become empty.
  for (uint64_t i = kEntries / 2; i < kEntries; ++i) {
    f.Store(kEntries + i, {Name(kEntries + i)});
    f.Remove(i);
  }
  CHECK(f.tags.bytes() <= kEntries / 2 * 32 + 3 * kChunk);
  for (uint64_t i = kEntries / 2; i < kEntries; ++i) f.Remove(kEntries + i);
  CHECK(f.tags.bytes() <= kChunk);
}

TEST(Tags, OneTagOfEveryNewEntryTakesTheSameMemoryForEver) {
  Fixture f;
  size_t most = 0;
  for (uint64_t i = 0; i < 50000; ++i) {
    f.Store(i, {Name(i), "all"});
    if (i >= 1000) f.Remove(i - 1000);
    most = std::max(most, f.tags.bytes());
  }
  CHECK(most <= 2 * 1001 * 32 + 2 * kChunk);
  CHECK_EQ(f.Delete("all").size(), size_t{1000});
}

TEST(Tags, IgnoreNumbersThatEntriesWereWrittenOverWith) {
  Fixture f;
  f.Store(8, {"a"});
  const std::vector<uint32_t> hostile{0xffffffffu, 0xfffffffeu, 12345u, 511u, 1u, 0u};
  f.tags.Drop(hostile, 9);
  f.tags.Drop(Tags::Link{0xffffffffu, 0, 8});
  CHECK(f.Delete("a") == Hashes({8}));
  f.tags.Drop(hostile, 8);
  CHECK(f.tags.bytes() <= kChunk);
}

TEST(Tags, EveryChainedLinkIsLookedAtInItsTurn) {
  Fixture f;
  std::set<uint64_t> hashes;
  for (uint64_t i = 0; i < 2000; ++i) f.Store(i, {Name(i)});
  for (uint64_t i = 0; i < 2000; ++i) i % 3 == 0 ? f.Remove(i) : static_cast<void>(hashes.insert(i));
  const std::vector<uint32_t> held = f.Taken({"taken"}, 5000);  // of an entry that is being written
  uint32_t from = 0;
  std::vector<Tags::Link> links(7);
  std::multiset<uint64_t> seen;
  for (size_t looked = 0; looked < f.tags.slots(); looked += 7) {
    const size_t count = f.tags.Look(&from, 7, links);
    for (size_t i = 0; i < count; ++i) {
      CHECK(f.tags.Has(links[i]));
      seen.insert(links[i].hash);
    }
  }
  for (const uint64_t hash : hashes) CHECK(seen.contains(hash));
  for (const uint64_t hash : seen) CHECK(hashes.contains(hash));
  f.tags.Release(held);
}

// Work a call: buckets are as many as links, and tags are spread over them by a key that nobody knows.
TEST(Tags, NamesThatCollideUnderAnotherKeyAreSpread) {
  constexpr HashKey kGuessed{0, 0};
  Tags guessed(kGuessed, kMiB), tags(ProcessHashKey(), kMiB);
  std::vector<std::string> hostile;
  for (uint64_t i = 0; hostile.size() < 4096; ++i) {
    if ((guessed.TagOf(0, Name(i)) & 255) == 0) hostile.push_back(Name(i));
  }
  std::map<uint64_t, size_t> buckets;
  size_t most = 0;
  for (const std::string& name : hostile) most = std::max(most, ++buckets[tags.TagOf(0, name) & 4095]);
  CHECK(most <= 12);  // the attack would be 256
}

TEST(Tags, ManyThreadsStoreRemoveAndDelete) {
  Fixture f;
  std::mutex deleting;
  std::atomic<size_t> deleted{0}, stored{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      check::Random random(check::Seed() + t);
      for (uint64_t i = 0; i < 3000; ++i) {
        const uint64_t hash = t * 3000 + i;
        const std::string name = Name(random.Below(20));
        f.Store(hash, {name, "all", "once" + Name(hash)});
        ++stored;
        if (random.OneIn(3)) f.tags.Release(f.Taken({name}, hash));
        if (random.OneIn(16)) {
          const std::lock_guard lock(deleting);
          deleted += f.Delete(name).size();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(f.Delete("all").size() + deleted, stored.load());
  CHECK(f.index.empty());
  CHECK(f.tags.bytes() <= kChunk);
}

}  // namespace zerohop
