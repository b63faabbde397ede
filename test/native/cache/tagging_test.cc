// Deleting by tag: all that carry it, nothing else, and the exact number.
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

using testing::CheckSettledCountsAgree;
using testing::Client;
using testing::Filled;
using testing::kLongAgoUs;
using testing::kMiB;
using testing::MakeCache;
using testing::Names;
using testing::Numbered;
using testing::OpenedSpace;

}  // namespace

TEST(DeleteByTag, RemovesWhatCarriesTheTagAndNothingElse) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.SetTagged({"a"}, "1", "v"), SetOutcome::kStored);
  CHECK_EQ(client.SetTagged({"a", "b"}, "2", "v"), SetOutcome::kStored);
  CHECK_EQ(client.SetTagged({"b"}, "3", "v"), SetOutcome::kStored);
  CHECK_EQ(client.Set("4", "v"), SetOutcome::kStored);
  CHECK_EQ(client.DeleteByTag("a"), size_t{2});
  CHECK(!client.Get("1") && !client.Get("2"));
  CHECK(client.Get("3") && client.Get("4"));
  CHECK_EQ(client.DeleteByTag("a"), size_t{0});
  CHECK_EQ(client.DeleteByTag("b"), size_t{1});
  CHECK_EQ(client.DeleteByTag("unknown"), size_t{0});
  CHECK_EQ(client.Counted(Count::kDeletes), uint64_t{3});
  CheckSettledCountsAgree(*cache);
}

TEST(DeleteByTag, TakesAnyNameAndTheMostTags) {
  const auto cache = MakeCache();
  Client client(*cache);
  const std::string nul("a\0b", 3), longest(100000, 't');
  Names most;
  std::vector<std::string> names;
  for (size_t i = 0; i < kTagsMax; ++i) names.push_back(Numbered("tag", i));
  for (const std::string& name : names) most.push_back(name);
  CHECK_EQ(client.SetTagged({"", nul, longest}, "1", "v"), SetOutcome::kStored);
  CHECK_EQ(client.DeleteByTag("a"), size_t{0});
  CHECK_EQ(client.DeleteByTag(nul), size_t{1});
  CHECK_EQ(client.SetTagged({"", longest}, "1", "v"), SetOutcome::kStored);
  CHECK_EQ(client.DeleteByTag(longest), size_t{1});
  CHECK_EQ(client.SetTagged({""}, "1", "v"), SetOutcome::kStored);
  CHECK_EQ(client.DeleteByTag(""), size_t{1});
  for (size_t i = 0; i < kTagsMax; ++i) {
    CHECK_EQ(client.SetTagged(most, "key", Filled("v", 1000)), SetOutcome::kStored);
    CHECK_EQ(client.DeleteByTag(most[i]), size_t{1});
  }
  CheckSettledCountsAgree(*cache);
}

TEST(DeleteByTag, CountsAnEntryThatNamesTheTagTwiceOnce) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.SetTagged({"a", "a", "b", "a"}, "key", "v"), SetOutcome::kStored);
  CHECK_EQ(client.DeleteByTag("a"), size_t{1});
  CHECK_EQ(client.DeleteByTag("b"), size_t{0});
}

TEST(DeleteByTag, GoesByTheTagsOfTheLastSet) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.SetTagged({"a"}, "key", "1"), SetOutcome::kStored);
  CHECK_EQ(client.SetTagged({"b"}, "key", "2"), SetOutcome::kStored);
  CHECK_EQ(client.DeleteByTag("a"), size_t{0});
  CHECK_EQ(client.Get("key"), std::optional<std::string>("2"));
  CHECK_EQ(client.Set("key", "3"), SetOutcome::kStored);
  CHECK_EQ(client.DeleteByTag("b"), size_t{0});
  CHECK_EQ(client.Get("key"), std::optional<std::string>("3"));
  CHECK_EQ(client.SetTagged({"a"}, "key", "4"), SetOutcome::kStored);
  CHECK(client.Delete("key"));
  CHECK_EQ(client.DeleteByTag("a"), size_t{0});
}

TEST(DeleteByTag, KeepsTheTagsOfKeyspacesApart) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint16_t one = OpenedSpace(*cache, "one"), two = OpenedSpace(*cache, "two", "tenant");
  for (const uint16_t space : {uint16_t{0}, one, two}) {
    CHECK_EQ(client.SetTagged({"tag"}, "key", "v", space), SetOutcome::kStored);
  }
  CHECK_EQ(client.DeleteByTag("tag", one), size_t{1});
  CHECK(client.Has("key") && !client.Has("key", one) && client.Has("key", two));
  CHECK_EQ(client.DeleteByTag("tag", two), size_t{1});
  CHECK_EQ(client.DeleteByTag("tag"), size_t{1});
}

TEST(DeleteByTag, DoesNotCountWhatIsPastItsTime) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("over", "v", 0, {.expires_us = kLongAgoUs, .tags = Names{"tag"}}), SetOutcome::kStored);
  CHECK_EQ(client.SetTagged({"tag"}, "key", "v"), SetOutcome::kStored);
  CHECK_EQ(client.DeleteByTag("tag"), size_t{1});
  CHECK_EQ(cache->Usage().indexed, size_t{0});
  CheckSettledCountsAgree(*cache);
}

TEST(DeleteByTag, ForgetsTagsWithTheirKeyspaceWhenItIsCleared) {
  const auto cache = MakeCache();
  Client client(*cache);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) CHECK_EQ(client.SetTagged({"tag"}, Numbered("key", i), "v"), SetOutcome::kStored);
    cache->ClearSpace(0);
    CHECK_EQ(client.DeleteByTag("tag"), size_t{0});
    CHECK_EQ(client.SetTagged({"tag"}, "new", "v"), SetOutcome::kStored);
    CHECK_EQ(client.DeleteByTag("tag"), size_t{1});
    CHECK_EQ(client.SetTagged({"tag"}, "new", "v"), SetOutcome::kStored);
    cache->Clear();
    CHECK_EQ(client.DeleteByTag("tag"), size_t{0});
  }
  CheckSettledCountsAgree(*cache);
}

TEST(DeleteByTag, FindsLargeValues) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  CHECK_EQ(client.SetTagged({"tag"}, "large", Filled("v", kMiB)), SetOutcome::kStored);
  CHECK_EQ(client.DeleteByTag("tag"), size_t{1});
  CHECK(!client.Has("large"));
}

TEST(DeleteByTag, CountsExactlyThroughEvictionAndOverwriting) {
  check::Random random(check::Seed());
  const auto cache = MakeCache();
  Client client(*cache);
  std::map<std::string, std::set<std::string>> oracle;  // key -> tags
  size_t copied = 0;
  for (int i = 0; i < 40000; ++i) {
    const std::string key = Numbered("key", random.Below(2000));
    const uint64_t choice = random.Below(100);
    if (choice < 60) {
      std::vector<std::string> names;
      for (uint64_t count = random.Below(4); count > 0; --count) names.push_back(Numbered("tag", random.Below(30)));
      const Names tags(names.begin(), names.end());
      CHECK_EQ(client.SetTagged(tags, key, Filled("v", random.Below(2000))), SetOutcome::kStored);
      oracle[key] = std::set(names.begin(), names.end());
    } else if (choice < 95) {
      client.Get(key);
    } else if (choice < 98) {
      client.Delete(key);
    } else if (choice < 99) {
      cache->Maintain(random.OneIn(2));
    } else {
      const std::string tag = Numbered("tag", random.Below(30));
      std::vector<std::string> carriers, others;
      for (const auto& [each, tags] : oracle) {
        if (client.Has(each)) (tags.contains(tag) ? carriers : others).push_back(each);
      }
      CHECK_EQ(client.DeleteByTag(tag), carriers.size());
      for (const std::string& each : carriers) CHECK(!client.Has(each));
      for (const std::string& each : others) CHECK(client.Has(each));
      copied = client.Counted(Count::kCopiedForward);
    }
  }
  CHECK(copied > 100);
  CheckSettledCountsAgree(*cache);
}

#if defined(ZEROHOP_SANITIZED)
constexpr uint64_t kThinning = 10;
#else
constexpr uint64_t kThinning = 1;
#endif

// What arena and everything that is paid from the same budget take now.
size_t BytesOf(Cache& cache) {
  return size_t{cache.arena().committed_segments()} * cache.arena().segment_bytes() + cache.Usage().index_bytes;
}

// Names that never come again, as of users or sessions: what they take is part of the budget, and comes back.
TEST(DeleteByTag, NewTagsForEveryEntryNeverTakeMoreThanTheBudget) {
  check::Random random(check::Seed());
  for (const size_t max_bytes : {kMiB, 4 * kMiB}) {
    for (const size_t value_bytes : {size_t{0}, size_t{100}, size_t{2000}}) {
      for (const size_t tags : {size_t{1}, kTagsMax}) {
        const auto cache = MakeCache(max_bytes);
        Client client(*cache);
        std::vector<std::string> names(tags);
        for (uint64_t i = 0; i < 6000 / kThinning; ++i) {
          for (size_t tag = 0; tag < tags; ++tag) names[tag] = Numbered(Numbered("tag", tag), i);
          // New keys, overwritten ones, and now and then what removes some.
          const std::string key = Numbered("key", random.OneIn(3) ? random.Below(i + 1) : i);
          CHECK_EQ(client.SetTagged({names.begin(), names.end()}, key, Filled("v", value_bytes)), SetOutcome::kStored);
          if (random.OneIn(8)) client.DeleteByTag(names[random.Below(tags)]);
          if (random.OneIn(8)) client.Delete(Numbered("key", random.Below(i + 1)));
          if (random.OneIn(500)) cache->Maintain(random.OneIn(2));
          CHECK(BytesOf(*cache) <= max_bytes);
        }
        CheckSettledCountsAgree(*cache);
      }
    }
  }
}

TEST(DeleteByTag, NewTagsForEveryEntryCostEntriesInProportionAndNoneAtOnce) {
  constexpr size_t kBytes = 4 * kMiB;
  // What an entry takes: header, key and value; with a tag its extension and a link more.
  constexpr double kPlainBytes = 16 + 8 + 200, kTaggedBytes = kPlainBytes + 24 + 32;
  const auto entries = [](bool tagged, size_t* least, size_t* most) {
    const auto cache = MakeCache(kBytes);
    Client client(*cache);
    *least = SIZE_MAX;
    *most = 0;
    for (uint64_t i = 0; i < 40000; ++i) {
      const std::string tag = Numbered("user:", i);
      CHECK_EQ(client.SetTagged(tagged ? Names{tag} : Names{}, Numbered("key", i), Filled("v", 200)),
               SetOutcome::kStored);
      if (i < 20000) continue;
      *least = std::min(*least, cache->EntriesOf(0));
      *most = std::max(*most, cache->EntriesOf(0));
    }
  };
  size_t plain_least, plain_most, least, most;
  entries(false, &plain_least, &plain_most);
  entries(true, &least, &most);
  CHECK(static_cast<double>(least) >= 0.85 * static_cast<double>(plain_least) * kPlainBytes / kTaggedBytes);
  // As steady as without tags: no more than what a few segments hold comes and goes.
  CHECK(most - least <= 2 * (plain_most - plain_least));
}

TEST(DeleteByTag, NewTagsForEveryEntryLeaveTheHitRatioAsItIs) {
  const auto hit_ratio = [](bool tagged) {
    check::Random random(1);  // the same requests each time
    const auto cache = MakeCache(4 * kMiB);
    Client client(*cache);
    int hits = 0;
    constexpr int kRequests = 100000 / kThinning;
    for (int i = 0; i < kRequests; ++i) {
      const auto drawn = static_cast<double>(random.Below(1 << 20)) / (1 << 20);
      const std::string key = Numbered("key", static_cast<uint64_t>(drawn * drawn * drawn * 20000));
      if (client.Get(key)) {
        ++hits;
        continue;
      }
      const std::string tag = Numbered("request:", static_cast<uint64_t>(i));
      CHECK_EQ(client.SetTagged(tagged ? Names{tag, "all"} : Names{}, key, Filled("v", 1000)), SetOutcome::kStored);
    }
    return static_cast<double>(hits) / kRequests;
  };
  CHECK(hit_ratio(true) >= hit_ratio(false) - 0.04);
}

// Where next to nothing but tags takes room, they leave half of it to the entries.
// Tags take half of the memory, and their entries a small part of the rest: segments of others hold no links.
TEST(DeleteByTag, ASetWhoseTagsFindNoRoomLeavesMostUntaggedEntriesAlone) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  const std::string value(500, 'v');
  size_t untagged = 0;
  for (uint64_t i = 0; i < 6000; ++i) untagged += client.Set(Numbered("plain", i), value) == SetOutcome::kStored;
  CHECK(untagged > 3000);
  std::vector<std::string> names(kTagsMax);
  for (uint64_t i = 0; i < 20000 / kThinning; ++i) {
    for (size_t tag = 0; tag < kTagsMax; ++tag) names[tag] = Numbered(Numbered("tag", tag), i);
    client.SetTagged({names.begin(), names.end()}, Numbered("key", i), "");
    for (uint64_t hot = 0; hot < 4; ++hot) client.Has(Numbered("plain", (4 * i + hot) % 1000));
  }
  // One set more lets go at most what a few segments hold.
  const size_t before = cache->EntriesOf(0);
  client.SetTagged({names.begin(), names.end()}, "one more", "");
  CHECK(cache->EntriesOf(0) + before / 4 >= before);
}

TEST(DeleteByTag, TagsThatTakeMoreThanTheirEntriesPushOutEntriesAndNotTheSet) {
  const auto cache = MakeCache(kMiB);
  Client client(*cache);
  std::vector<std::string> names(kTagsMax);
  size_t least = SIZE_MAX;
  for (uint64_t i = 0; i < 20000 / kThinning; ++i) {
    for (size_t tag = 0; tag < kTagsMax; ++tag) names[tag] = Numbered(Numbered("tag", tag), i);
    CHECK_EQ(client.SetTagged({names.begin(), names.end()}, Numbered("key", i), ""), SetOutcome::kStored);
    CHECK(client.Has(Numbered("key", i)));
    // What index and policy took since then comes on top.
    CHECK(cache->arena().usable_segments() + 1 >= cache->arena().segment_count() / 2);
    if (i > 1000) least = std::min(least, cache->EntriesOf(0));
  }
  CHECK(least > 300);
}

TEST(DeleteByTag, ACacheThatOnceHadManyTagsIsAsLargeAsBeforeWhenTheyAreGone) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  for (int i = 0; i < 5000; ++i) {
    const std::string tag = Numbered("user:", i);
    CHECK_EQ(client.SetTagged({tag}, Numbered("key", i), "v"), SetOutcome::kStored);
  }
  cache->Clear();
  testing::Settle(*cache);
  const size_t plain = [] {
    const auto other = MakeCache(4 * kMiB);
    Client client(*other);
    for (int i = 0; i < 5000; ++i) CHECK_EQ(client.Set(Numbered("key", i), "v"), SetOutcome::kStored);
    other->Clear();
    return other->arena().usable_segments();
  }();
  const size_t tag_bytes = cache->Usage().index_bytes;
  CHECK(tag_bytes < size_t{256} << 10);
  CHECK_EQ(client.SetTagged({"tag"}, "key", "v"), SetOutcome::kStored);
  CHECK_EQ(cache->arena().usable_segments(), plain);
}

// Threads.

// Entries move all the while, because others fill the cache and they are used: none slips through.
TEST(DeleteByTag, FindsEntriesThatMoveAtTheSameTime) {
  const auto cache = MakeCache();
  std::atomic<bool> done{false};
  std::thread mover([&] {
    Client client(*cache);
    for (uint64_t i = 0; !done.load(); ++i) client.Set(Numbered("filler", i), Filled("filler", 2000));
  });
  Client client(*cache);
  int left = 0, deleted = 0;
  for (int round = 0; round < 3000; ++round) {
    for (int i = 0; i < 20; ++i) {
      // On a busy machine the mover may be descheduled within its guard: then a set is refused for that reader.
      const SetOutcome outcome = client.SetTagged({"tag"}, Numbered("key", i), Filled("v", 200));
      CHECK(outcome == SetOutcome::kStored || outcome == SetOutcome::kRefusedReaders);
      client.Get(Numbered("key", i));
    }
    deleted += static_cast<int>(client.DeleteByTag("tag"));
    for (int i = 0; i < 20; ++i) left += client.Has(Numbered("key", i));
  }
  done = true;
  mover.join();
  CHECK_EQ(left, 0);
  CHECK(deleted > 3000);
  CheckSettledCountsAgree(*cache);
}

// Whoever was told that everything with the tag is gone finds nothing of it, also if another thread was at it already.
TEST(DeleteByTag, ThatReturnedLeftNothingAlsoWhenAnotherThreadDeletesTheSame) {
  const auto cache = MakeCache(4 * kMiB);
  static constexpr uint64_t kKeys = 3000;
  std::atomic<int> left{0};
  for (int round = 0; round < 50; ++round) {
    {
      Client client(*cache);
      for (uint64_t i = 0; i < kKeys; ++i) {
        CHECK_EQ(client.SetTagged({"tag"}, Numbered("key", i), "v"), SetOutcome::kStored);
      }
    }
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        Client client(*cache);
        client.DeleteByTag("tag");
        for (uint64_t i = 0; i < kKeys; ++i) left += client.Has(Numbered("key", i));
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  CHECK_EQ(left.load(), 0);
}

TEST(DeleteByTag, CountsEveryEntryOnceWhenTwoThreadsDelete) {
  const auto cache = MakeCache(4 * kMiB);
  for (int round = 0; round < 200; ++round) {
    {
      Client client(*cache);
      for (int i = 0; i < 100; ++i) {
        CHECK_EQ(client.SetTagged({"a", "b"}, Numbered("key", i), "v"), SetOutcome::kStored);
      }
    }
    std::atomic<size_t> deleted{0};
    std::vector<std::thread> threads;
    for (const char* tag : {"a", "b", "a"}) {
      threads.emplace_back([&, tag] {
        Client client(*cache);
        deleted += client.DeleteByTag(tag);
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK_EQ(deleted.load(), size_t{100});
  }
  CheckSettledCountsAgree(*cache);
}

}  // namespace zerohop
