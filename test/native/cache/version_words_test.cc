#include "cache/version_words.h"

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
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

std::vector<uint32_t> Snapshot(VersionWords& near) {
  const auto* const words = reinterpret_cast<const uint32_t*>(near.bytes());
  return {words, words + near.size() / sizeof(uint32_t)};
}

}  // namespace

TEST(VersionWords, TakeFourBytesForEachPageOfTheCacheWithinBounds) {
  const size_t notice = kCacheLineBytes;
  CHECK_EQ(VersionWords::Create(kMaxBytesMin)->size(), notice + 1024 * 4);
  CHECK_EQ(VersionWords::Create(64 * kMiB)->size(), notice + 64 * kMiB / 4096 * 4);
  CHECK_EQ(VersionWords::Create(100 * kMiB)->size(), notice + 64 * kMiB / 4096 * 4);  // a power of two
  CHECK_EQ(VersionWords::Create(size_t{1} << 39)->size(), notice + 65536 * 4);
  CHECK_EQ(VersionWords::Create(0)->size(), notice + 1024 * 4);
}

TEST(VersionWords, GiveEveryHashAWordOfItsOwnAreaAndSpreadThem) {
  const auto near = VersionWords::Create(kMaxBytesMin);
  std::set<uint32_t> words;
  check::Random random(check::Seed());
  for (int i = 0; i < 20000; ++i) {
    const uint64_t hash = random.Next();
    const uint32_t word = near->WordOf(hash);
    CHECK(word >= kCacheLineBytes / sizeof(uint32_t) && word < near->size() / sizeof(uint32_t));
    CHECK_EQ(near->WordOf(hash), word);
    words.insert(word);
  }
  CHECK_EQ(words.size(), size_t{1024});
  // Keys of one shard of the index (the bits below) are spread too.
  std::set<uint32_t> of_one_shard;
  for (int i = 0; i < 20000; ++i) of_one_shard.insert(near->WordOf(random.Next() & ~uint64_t{63}));
  CHECK_EQ(of_one_shard.size(), size_t{1024});
}

TEST(VersionWords, AChangedKeyMovesItsWordAndNoOther) {
  const auto near = VersionWords::Create(kMaxBytesMin);
  check::Random random(check::Seed());
  for (int i = 0; i < 200; ++i) {
    const uint64_t hash = random.Next();
    std::vector<uint32_t> wanted = Snapshot(*near);
    ++wanted[near->WordOf(hash)];
    near->KeyChanged(hash);
    CHECK(Snapshot(*near) == wanted);
    CHECK_EQ(near->Read(near->WordOf(hash)), wanted[near->WordOf(hash)]);
  }
}

TEST(VersionWords, AChangeOfAllMovesTheNoticeAndNothingElse) {
  const auto near = VersionWords::Create(kMaxBytesMin);
  std::vector<uint32_t> wanted = Snapshot(*near);
  CHECK_EQ(near->notice(), 0u);
  near->AllChanged();
  ++wanted[0];
  CHECK(Snapshot(*near) == wanted);
  CHECK_EQ(near->notice(), 1u);
}

TEST(VersionWords, LoseNoChangeWhenThreadsChangeTheSameWord) {
  const auto near = VersionWords::Create(kMaxBytesMin);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10000; ++i) near->KeyChanged(12345);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(near->Read(near->WordOf(12345)), 30000u);
}

// What a cache does to the words.

TEST(Near, EveryChangeOfAKeyMovesItsVersionBeforeTheCallReturns) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  const auto moves = [&](const char* what, const std::function<void()>& change, bool wanted = true) {
    const Cache::VersionMark before = client.Mark("key");
    CHECK_EQ(before.version, cache->version_words()->Read(before.word));
    change();
    const bool moved = cache->version_words()->Read(before.word) != before.version;
    if (moved != wanted) check::Fail(__FILE__, __LINE__, Numbered(what, moved) + ": the version word");
  };
  const std::string large = Filled("large", 100000);
  moves("first set", [&] { client.Set("key", "1"); });
  moves("set", [&] { client.Set("key", "2"); });
  moves("set with an end", [&] { client.SetUntil(InAnHourUs(), "key", "2"); });
  moves("touch in place", [&] { client.Touch("key", InAnHourUs()); });
  moves("set", [&] { client.Set("key", "2"); });
  moves("touch that writes anew", [&] { client.Touch("key", InAnHourUs()); });
  moves("set of a large value", [&] { client.Set("key", large); });
  moves("touch of a large value", [&] { client.Touch("key", InAnHourUs()); });
  moves("delete", [&] { client.Delete("key"); });
  moves("set with a tag", [&] { client.SetTagged({"tag"}, "key", "2"); });
  moves("delete by tag", [&] { CHECK_EQ(client.DeleteByTag("tag"), size_t{1}); });
  moves("set", [&] { client.Set("key", "2"); });
  moves(
      "get", [&] { client.Get("key"); }, false);
  moves(
      "has", [&] { client.Has("key"); }, false);
  moves(
      "touch without an end", [&] { client.Touch("key"); }, false);
  moves(
      "set that is too large", [&] { client.Set("key", Filled("x", 4 * kMiB)); }, false);
  moves("set of what is over", [&] { client.SetUntil(kLongAgoUs, "key", "2"); });
}

TEST(Near, AnEntryThatIsFoundExpiredMovesTheVersion) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint32_t word = client.Mark("key").word;
  CHECK_EQ(client.SetUntil(kLongAgoUs, "key", "v"), SetOutcome::kStored);
  const uint32_t before = cache->version_words()->Read(word);
  CHECK(!client.Get("key"));
  CHECK(cache->version_words()->Read(word) != before);
}

TEST(Near, AnEntryThatIsFoundCorruptedMovesTheVersion) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("v", 1000)), SetOutcome::kStored);
  const auto view = client.Expose("key");
  REQUIRE(view.has_value());
  view->data()[7] ^= std::byte{1};
  const Cache::VersionMark before = client.Mark("key");
  client.session().verify_now = true;
  CHECK(!client.Get("key"));
  CHECK(cache->version_words()->Read(before.word) != before.version);
}

TEST(Near, ARefusedSetMovesTheVersionBecauseTheOldValueIsGone) {
  const auto cache = MakeCache();
  Client client(*cache);
  std::vector<testing::View> views;
  CHECK_EQ(client.Set("key", "old"), SetOutcome::kStored);
  SetOutcome outcome = SetOutcome::kStored;
  for (uint64_t i = 0; i < 1000 && outcome == SetOutcome::kStored; ++i) {
    outcome = client.Set(Numbered("filler", i), Filled("filler", 8000));
    if (auto view = client.ExposeUnlimited(Numbered("filler", i))) views.push_back(std::move(*view));
    if (auto view = client.ExposeUnlimited("key")) views.push_back(std::move(*view));
  }
  const Cache::VersionMark before = client.Mark("key");
  CHECK_EQ(client.Set("key", Filled("new", 8000)), SetOutcome::kRefusedPinned);
  CHECK(cache->version_words()->Read(before.word) != before.version);
}

TEST(Near, WhoeverLosesItsPlaceIsKnownToHaveLostIt) {
  // Evicted and trimmed entries: an answer of before would be right, but the key would be there and not there.
  for (const size_t max_entries : {SIZE_MAX, size_t{50}}) {
    const auto cache = MakeCache(kMaxBytesMin, Verify::kSample, max_entries);
    Client client(*cache);
    std::vector<Cache::VersionMark> marks;
    for (uint64_t i = 0; i < 2000; ++i) {
      CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 1000)), SetOutcome::kStored);
      marks.push_back(client.Mark(Numbered("key", i)));
    }
    const uint32_t notice = cache->version_words()->notice();
    size_t gone = 0;
    for (uint64_t i = 0; i < marks.size(); ++i) {
      if (client.Has(Numbered("key", i))) continue;
      ++gone;
      CHECK(notice > 0 || cache->version_words()->Read(marks[i].word) != marks[i].version);
    }
    CHECK(gone > 500);
  }
}

TEST(Near, ClearingMovesTheNotice) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint16_t space = OpenedSpace(*cache, "one");
  uint32_t notice = cache->version_words()->notice();
  cache->ClearSpace(space);
  CHECK(cache->version_words()->notice() > notice);
  notice = cache->version_words()->notice();
  cache->Clear();
  CHECK(cache->version_words()->notice() > notice);
}

TEST(Near, BeginningToEvictMovesTheNotice) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", "v"), SetOutcome::kStored);
  const uint32_t notice = cache->version_words()->notice();
  for (uint64_t i = 0; !cache->evicting() && i < 5000; ++i) client.Set(Numbered("key", i), Filled("v", 1000));
  CHECK(cache->evicting());
  CHECK(cache->version_words()->notice() > notice);
}

// As lib/cache/near.ts does it: an answer is remembered with the version of before the lookup, and given again only
// while the word and the notice are the same.  After a set returned nobody may be given an older value.
TEST(Near, ARememberedAnswerIsNeverOlderThanASetThatReturned) {
  const auto cache = MakeCache(4 * kMiB);
  std::atomic<int> returned{-1};
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      Client client(*cache);
      VersionWords& near = *cache->version_words();
      uint32_t notice = ~0u;
      Cache::VersionMark mark{};
      int value = -1;
      uint64_t near_hits = 0;
      while (!done.load()) {
        const int least = returned.load(std::memory_order_acquire);
        if (near.notice() == notice && near.Read(mark.word) == mark.version) {
          CHECK(value >= least);
          ++near_hits;
          continue;
        }
        const uint32_t notice_before = near.notice();
        ReadGuard guard(cache->epochs(), client.session());
        const Hit hit = cache->Find(guard, client.session(), 0, testing::AsBytes("key"), Cache::Use::kCount, &mark);
        if (!hit) {
          notice = ~0u;
          continue;
        }
        value = std::stoi(std::string(reinterpret_cast<const char*>(cache->arena().bytes() + hit.at), hit.bytes));
        notice = notice_before;
        CHECK(value >= least);
      }
      CHECK(near_hits > 0);
    });
  }
  {
    Client client(*cache);
    const uint64_t end_us = NowUs() + 1000000;
    for (int i = 0; i < 20000 && NowUs() < end_us; ++i) {
      if (i % 100 == 99) cache->ClearSpace(0);
      if (i % 100 == 49) client.Delete("key");
      client.Set("key", std::to_string(i));
      returned.store(i, std::memory_order_release);
      if (i % 8 == 0) std::this_thread::yield();
    }
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
}

TEST(Near, TheWordsOutliveTheirCache) {
  auto cache = MakeCache();
  const std::shared_ptr<VersionWords> near = cache->version_words();
  cache->ClearSpace(0);
  cache.reset();
  CHECK_EQ(near->notice(), 1u);
}

}  // namespace zerohop
