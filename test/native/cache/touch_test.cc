// Touch: a use, and another end, for an entry as it is.
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "cache/cache.h"
#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::CheckSettledCountsAgree;
using testing::Client;
using testing::Filled;
using testing::InAnHourUs;
using testing::kLongAgoUs;
using testing::kMiB;
using testing::MakeCache;
using testing::Numbered;
using testing::PassTick;
using testing::View;

constexpr auto kTouched = std::optional(SetOutcome::kStored);

}  // namespace

TEST(Touch, SaysThatThereIsNoSuchKey) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK(!client.Touch("key"));
  CHECK(!client.Touch("key", InAnHourUs()));
  CHECK(!client.Touch("key", kNever));
  CHECK_EQ(cache->Usage().indexed, size_t{0});
  CHECK_EQ(client.Counted(Count::kMisses), uint64_t{0});
}

TEST(Touch, WithoutATimeIsAUseAndChangesNothing) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint64_t end = InAnHourUs();
  CHECK_EQ(client.SetUntil(end, "key", "value"), SetOutcome::kStored);
  const uint64_t at = client.Locate("key")->entry_at;
  CHECK_EQ(client.Describe("key")->frequency, 1u);
  PassTick(*cache);
  CHECK_EQ(client.Touch("key"), kTouched);
  CHECK_EQ(client.Describe("key")->frequency, 2u);
  CHECK_EQ(client.Locate("key")->expires_us, end);
  CHECK_EQ(client.Locate("key")->entry_at, at);
}

TEST(Touch, RenewsAnEndInPlace) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint64_t end = InAnHourUs();
  CHECK_EQ(client.SetUntil(end, "key", "value"), SetOutcome::kStored);
  const uint64_t at = client.Locate("key")->entry_at;
  for (const uint64_t other : {end + 1, end - 1, kNever, end}) {
    CHECK_EQ(client.Touch("key", other), kTouched);
    CHECK_EQ(client.Locate("key")->expires_us, other);
    CHECK_EQ(client.Locate("key")->entry_at, at);
  }
  CHECK_EQ(client.Get("key"), std::optional<std::string>("value"));
}

TEST(Touch, GivesAnEndlessEntryAnEndAndKeepsTheRest) {
  const auto cache = MakeCache();
  Client client(*cache);
  for (const size_t bytes : {0, 1, 300, 5000, 100000}) {
    const std::string key = Numbered("key", bytes), value = Filled(key, bytes);
    CHECK_EQ(client.Set(key, value, 0, {.key_is_bytes = true}), SetOutcome::kStored);
    CHECK_EQ(client.Touch(key, kNever), kTouched);
    CHECK_EQ(client.Locate(key)->expires_us, kNever);
    const uint64_t end = InAnHourUs();
    CHECK_EQ(client.Touch(key, end), kTouched);
    CHECK_EQ(client.Locate(key)->expires_us, end);
    CHECK_EQ(client.Get(key), std::optional(value));
  }
  for (size_t shard = 0; shard < Index::kShards; ++shard) {
    for (const ScannedKey& key : cache->Scan(client.session(), shard, 0)) CHECK(key.is_bytes);
  }
  CHECK_EQ(cache->Usage().entries, size_t{5});
  CHECK_EQ(client.Counted(Count::kSets), uint64_t{5});
  CheckSettledCountsAgree(*cache);
}

TEST(Touch, KeepsTagsAndCost) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", "value", 0, {.cost = 2.5f, .tags = testing::Names{"tag"}}), SetOutcome::kStored);
  CHECK_EQ(client.Touch("key", InAnHourUs()), kTouched);
  CHECK_EQ(client.Describe("key")->cost, 2.5f);
  CHECK_EQ(client.DeleteByTag("tag"), size_t{1});
}

TEST(Touch, EndsAnEntryAtOnceIfItsTimeIsOver) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("endless", "value"), SetOutcome::kStored);
  CHECK_EQ(client.SetUntil(InAnHourUs(), "ending", "value"), SetOutcome::kStored);
  for (const char* key : {"endless", "ending"}) {
    CHECK_EQ(client.Touch(key, kLongAgoUs), kTouched);
    CHECK(!client.Get(key));
    CHECK(!client.Touch(key, InAnHourUs()));
  }
  CheckSettledCountsAgree(*cache);
}

// Written anew, an entry should not become less wanted than before.
TEST(Touch, NeverTakesStandingAway) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", "value"), SetOutcome::kStored);
  for (int i = 0; i < 4; ++i) {
    PassTick(*cache);
    client.Get("key");
  }
  CHECK_EQ(client.Describe("key")->frequency, 5u);
  CHECK(client.Describe("key")->gap > 0);
  const float gap = client.Describe("key")->gap;
  const uint64_t at = client.Locate("key")->entry_at;
  CHECK_EQ(client.Touch("key", InAnHourUs()), kTouched);
  CHECK(client.Locate("key")->entry_at != at);
  CHECK_EQ(client.Describe("key")->frequency, 5u);
  CHECK_EQ(client.Describe("key")->gap, gap);
}

TEST(Touch, DoesNotMakeAChangedValueLookIntact) {
  const auto cache = MakeCache(kMaxBytesMin, Verify::kSample);
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("value", 1000)), SetOutcome::kStored);
  const auto view = client.Expose("key");
  REQUIRE(view.has_value());
  view->data()[500] ^= std::byte{1};
  CHECK_EQ(client.Touch("key", InAnHourUs()), kTouched);
  client.session().verify_now = true;
  CHECK(!client.Get("key"));
  CHECK_EQ(client.Counted(Count::kCorrupted), uint64_t{1});
}

// Writing the entry anew takes room, and making room may move or evict the very entry.
TEST(Touch, WhatItSaysIsSoAlsoWhenRoomMustBeMade) {
  check::Random random(check::Seed());
  for (const size_t bytes : {size_t{1000}, size_t{14000}}) {
    const auto cache = MakeCache();
    Client client(*cache);
    int touched = 0;
    for (uint64_t i = 0; i < 10000; ++i) {
      const std::string key = Numbered("key", random.Below(2 * kMiB / bytes));
      if (random.OneIn(2)) {
        CHECK_EQ(client.Set(key, Filled(key, bytes)), SetOutcome::kStored);
        continue;
      }
      const uint64_t end = InAnHourUs() + i;
      if (client.Touch(key, end) != kTouched) continue;
      ++touched;
      const auto hit = client.Locate(key);
      CHECK(hit.has_value());
      if (!hit) continue;
      CHECK_EQ(hit->expires_us, end);
      CHECK(client.Get(key) == Filled(key, bytes));
    }
    CHECK(touched > 1000);
    CheckSettledCountsAgree(*cache);
  }
}

// A set that is refused takes the older value away, because that is what it meant to replace; a touch means to keep it.
TEST(Touch, ThatIsRefusedLeavesTheEntryAsItWas) {
  const auto cache = MakeCache();
  Client client(*cache);
  std::vector<View> views;
  CHECK_EQ(client.Set("key", Filled("value", 3000)), SetOutcome::kStored);
  SetOutcome outcome = SetOutcome::kStored;
  for (int i = 0; i < 1000 && outcome == SetOutcome::kStored; ++i) {
    outcome = client.Set(Numbered("filler", i), Filled("filler", 3000));
    if (auto view = client.ExposeUnlimited(Numbered("filler", i))) views.push_back(std::move(*view));
    if (auto view = client.ExposeUnlimited("key")) views.push_back(std::move(*view));
  }
  REQUIRE(client.Has("key"));
  CHECK_EQ(client.Touch("key", InAnHourUs()), std::optional(SetOutcome::kRefusedPinned));
  CHECK_EQ(client.Get("key"), std::optional(Filled("value", 3000)));
  CHECK_EQ(client.Locate("key").value_or(Hit{}).expires_us, kNever);
  CheckSettledCountsAgree(*cache);
}

// Threads.

TEST(Touch, NeverUndoesANewerValue) {
  const auto cache = MakeCache(4 * kMiB);
  std::atomic<bool> done{false};
  std::vector<std::thread> others;
  others.emplace_back([&] {
    Client client(*cache);
    while (!done.load()) client.Touch("key", InAnHourUs());
  });
  others.emplace_back([&] {
    Client client(*cache);
    for (uint64_t i = 0; !done.load(); ++i) {
      client.Touch("key", i % 2 == 0 ? kNever : InAnHourUs());
      client.Set(Numbered("filler", i % 3000), Filled("filler", 2000));
    }
  });
  Client client(*cache);
  for (int i = 0; i < 30000; ++i) {
    // Endless: a touch writes it anew; with an end: in place.
    const std::string value = std::to_string(i);
    const auto set = [&] {
      return i % 3 == 0 ? client.SetUntil(InAnHourUs(), "key", value) : client.Set("key", value);
    };
    SetOutcome outcome = set();
    // On a busy machine another thread may be descheduled within its guard: then a set is refused for that reader.
    while (outcome == SetOutcome::kRefusedReaders) outcome = set();
    CHECK_EQ(outcome, SetOutcome::kStored);
    CHECK_EQ(client.Get("key"), std::optional(value));
    if (i % 16 == 0) {
      CHECK(client.Delete("key"));
      CHECK(!client.Get("key"));
    }
  }
  done = true;
  for (std::thread& other : others) other.join();
  CheckSettledCountsAgree(*cache);
}

// The toucher is the only one that gives ends: what it gave last is what holds, wherever the entry is moved meanwhile.
TEST(Touch, IsNotLostWhenTheEntryMovesAtTheSameTime) {
  const auto cache = MakeCache();
  std::atomic<bool> done{false};
  std::thread mover([&] {
    Client client(*cache);
    for (uint64_t i = 0; !done.load(); ++i) client.Set(Numbered("filler", i % 4000), Filled("filler", 3000));
  });
  Client client(*cache);
  int lost = 0;
  uint64_t end = InAnHourUs();
  for (int i = 0; i < 100000; ++i) {
    if (!client.Has("key")) CHECK_EQ(client.SetUntil(end, "key", Filled("value", 100)), SetOutcome::kStored);
    client.Get("key");
    if (client.Touch("key", ++end) != kTouched) continue;
    const auto hit = client.Locate("key");
    if (hit) lost += hit->expires_us != end;
  }
  done = true;
  mover.join();
  CHECK_EQ(lost, 0);
}

}  // namespace zerohop
