// What is read, computed and written back loses no write of another.
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "cache/cache.h"
#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::AsBytes;
using testing::Client;
using testing::Filled;
using testing::InAnHourUs;
using testing::kLongAgoUs;
using testing::kMiB;
using testing::MakeCache;
using testing::Names;
using testing::Numbered;
using testing::OpenedSpace;
using testing::Settle;

SetOutcome SetIf(Client& client, const Expected& expected, std::string_view key, std::string_view value,
                 bool keep_terms = false) {
  const Bytes same = AsBytes(key);
  return client.Set(key, value, 0, {.expected = &expected, .terms_of = keep_terms ? &same : nullptr});
}

Expected MarkOf(Client& client, std::string_view key) { return client.cache().Mark(0, AsBytes(key)); }

}  // namespace

TEST(Expected, StoresWhereNothingHappened) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(SetIf(client, MarkOf(client, "new"), "new", "1"), SetOutcome::kStored);
  const Expected expected = MarkOf(client, "new");
  CHECK_EQ(client.Get("new"), std::optional<std::string>("1"));
  CHECK_EQ(SetIf(client, expected, "new", "2"), SetOutcome::kStored);
  CHECK_EQ(SetIf(client, expected, "new", "3"), SetOutcome::kChanged);  // by the set before
  CHECK_EQ(client.Get("new"), std::optional<std::string>("2"));
}

TEST(Expected, StoresNothingOnceTheKeyWasChangedInAnyWay) {
  const auto cache = MakeCache();
  Client client(*cache), another(*cache);
  const std::vector<std::function<void()>> changes = {
      [&] { another.Set("key", "theirs"); },
      [&] { another.Delete("key"); },
      [&] { another.Touch("key", InAnHourUs()); },
      [&] {
        another.SetUntil(InAnHourUs(), "key", "v");
        another.Touch("key", kNever);
      },
      [&] { another.DeleteByTag("tag"); },
      [&] { cache->ClearSpace(0); },
      [&] { cache->Clear(); },
  };
  for (const auto& change : changes) {
    for (const bool keep_terms : {false, true}) {
      client.SetTagged({"tag"}, "key", "v");
      if (&change == &changes[2]) client.Set("key", "v");
      const Expected expected = MarkOf(client, "key");
      change();
      const auto after = client.Get("key");
      CHECK_EQ(SetIf(client, expected, "key", "mine", keep_terms), SetOutcome::kChanged);
      CHECK(!cache->DeleteIf(client.session(), 0, AsBytes("key"), expected));
      const auto touched = cache->Touch(client.session(), 0, AsBytes("key"), InAnHourUs(), &expected);
      CHECK(touched == SetOutcome::kChanged);
      CHECK_EQ(client.Get("key"), after);
    }
  }
}

// Whoever found the key past its end was told that it is not there.
TEST(Expected, StoresNothingOnceTheKeyWasDroppedPastItsEnd) {
  const auto cache = MakeCache();
  Client client(*cache), another(*cache);
  const std::vector<std::function<void()>> drops = {
      [&] { CHECK(!another.Has("key")); },
      [&] { CHECK(!another.Touch("key")); },
      [&] { Settle(*cache); },
  };
  for (const auto& drop : drops) {
    client.SetUntil(kLongAgoUs, "key", "v");
    const Expected expected = MarkOf(client, "key");
    drop();
    CHECK_EQ(SetIf(client, expected, "key", "v and more"), SetOutcome::kChanged);
  }
}

TEST(Expected, WritesBackWhatWasEvictedMeanwhile) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", "v"), SetOutcome::kStored);
  for (uint64_t i = 0; i < 2000; ++i) client.Set(Numbered("filler", i), Filled("v", 4000));  // it evicts from here on
  CHECK_EQ(client.Set("key", "v"), SetOutcome::kStored);
  // Some fillers have the key's word: then one more try is due.
  bool stored = false;
  for (int attempt = 0; attempt < 50 && !stored; ++attempt) {
    const Expected expected = MarkOf(client, "key");
    for (uint64_t i = 0; i < 600; ++i) client.Set(Numbered("more", i % 4), Filled("v", 4000));
    stored = SetIf(client, expected, "key", "v and more") == SetOutcome::kStored;
  }
  CHECK(stored);
}

TEST(Expected, LeavesTheOldValueWhereTheNewOneIsRefused) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  CHECK_EQ(client.Set("key", "v"), SetOutcome::kStored);
  std::vector<testing::View> views;
  for (uint64_t i = 0; i < 400; ++i) {
    client.Set(Numbered("pinned", i), Filled("v", 30000));
    if (auto view = client.ExposeUnlimited(Numbered("pinned", i))) views.push_back(std::move(*view));
  }
  client.Set("key", "v");
  const auto before = client.Get("key");
  if (!before) return;  // refused itself
  const Expected expected = MarkOf(client, "key");
  CHECK(SetIf(client, expected, "key", Filled("v", 1500000)) != SetOutcome::kStored);
  CHECK_EQ(client.Get("key"), before);
}

TEST(Expected, KeepsTheTermsOfTheEntryThatIsReplaced) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint64_t end = InAnHourUs();
  CHECK_EQ(client.Set("key", "1", 0, {.expires_us = end, .cost = 7, .tags = Names{"a", "b"}, .key_is_bytes = true}),
           SetOutcome::kStored);
  for (int i = 0; i < 3; ++i) {
    CHECK_EQ(SetIf(client, MarkOf(client, "key"), "key", Filled("longer", 100 + i), true), SetOutcome::kStored);
  }
  const auto facts = client.Describe("key");
  REQUIRE(facts.has_value());
  CHECK_EQ(facts->hit.expires_us, end);
  CHECK_EQ(facts->cost, 7.0f);
  CHECK_EQ(client.DeleteByTag("b"), size_t{1});
  CHECK(!client.Has("key"));
  CHECK_EQ(client.DeleteByTag("a"), size_t{0});
}

TEST(Expected, KeepsNoTermsOfAnEntryThatIsNotThere) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(SetIf(client, MarkOf(client, "key"), "key", "v", true), SetOutcome::kChanged);
  client.SetUntil(kLongAgoUs, "key", "v");
  CHECK_EQ(SetIf(client, MarkOf(client, "key"), "key", "v", true), SetOutcome::kChanged);
}

TEST(Expected, CarriesTheTermsToAnotherKey) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint64_t end = InAnHourUs();
  CHECK_EQ(client.Set("from", "v", 0, {.expires_us = end, .cost = 7, .tags = Names{"tag"}}), SetOutcome::kStored);
  {
    Exclusive alone(*cache, client.session());
    const Bytes from = AsBytes("from");
    CHECK_EQ(client.Set("to", "v", 0, {.terms_of = &from, .edited = true}), SetOutcome::kStored);
    const Bytes nowhere = AsBytes("nowhere");
    CHECK_EQ(client.Set("to too", "v", 0, {.terms_of = &nowhere}), SetOutcome::kChanged);
    CHECK(client.Delete("from"));
  }
  const auto facts = client.Describe("to");
  REQUIRE(facts.has_value());
  CHECK(facts->hit.expires_us == end && facts->cost == 7 && facts->edited);
  CHECK_EQ(client.DeleteByTag("tag"), size_t{1});
}

TEST(Expected, DeletesAndTouchesWhereNothingHappened) {
  const auto cache = MakeCache();
  Client client(*cache);
  client.Set("key", "v");
  for (const uint64_t end : {InAnHourUs(), InAnHourUs() + 5, uint64_t{kNever}}) {  // written anew, in place, in place
    const Expected expected = MarkOf(client, "key");
    CHECK(cache->Touch(client.session(), 0, AsBytes("key"), end, &expected) == SetOutcome::kStored);
    CHECK_EQ(client.Locate("key")->expires_us, end);
  }
  CHECK(cache->DeleteIf(client.session(), 0, AsBytes("key"), MarkOf(client, "key")));
  CHECK(!client.Has("key"));
  CHECK(!cache->DeleteIf(client.session(), 0, AsBytes("key"), MarkOf(client, "key")));
}

TEST(Expected, CountsExactlyInManyThreads) {
  const auto cache = MakeCache(4 * kMiB);
  constexpr uint64_t kThreads = 4, kEach = 2000;
  const uint64_t end = InAnHourUs();
  {
    Client client(*cache);
    client.Set("count", "0", 0, {.expires_us = end, .tags = Names{"tag"}});
  }
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Client client(*cache);
      for (uint64_t done = 0; done < kEach;) {
        if (t == 0 && done % 16 == 0) client.Touch("count", end + done);
        const Expected expected = MarkOf(client, "count");
        const auto value = client.Get("count");
        REQUIRE(value.has_value());
        const std::string next = std::to_string(std::stoull(*value) + 1);
        const SetOutcome outcome = SetIf(client, expected, "count", next, /*keep_terms=*/true);
        CHECK(outcome == SetOutcome::kStored || outcome == SetOutcome::kChanged);
        done += outcome == SetOutcome::kStored;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Client client(*cache);
  CHECK_EQ(client.Get("count"), std::optional(std::to_string(kThreads * kEach)));
  CHECK(client.Locate("count")->expires_us >= end);
  CHECK_EQ(client.DeleteByTag("tag"), size_t{1});
  testing::CheckSettledCountsAgree(*cache);
}

}  // namespace zerohop
