// Plain use of a cache, in one thread.
#include "cache/cache.h"

#include <optional>
#include <string>

#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::CheckCountsAgree;
using testing::Client;
using testing::Filled;
using testing::kMiB;
using testing::MakeCache;
using testing::Numbered;

}  // namespace

TEST(Cache, ReturnsWhatWasSet) {
  const auto cache = MakeCache();
  Client client(*cache);
  for (const size_t bytes : {0, 1, 7, 8, 255, 256, 257, 4096, 16000}) {
    const std::string key = Numbered("key", bytes), value = Filled(key, bytes);
    CHECK_EQ(client.Set(key, value), SetOutcome::kStored);
    CHECK_EQ(client.Get(key), std::optional(value));
  }
  CHECK(!client.Get("another"));
  CHECK_EQ(client.Counted(Count::kHits), uint64_t{9});
  CHECK_EQ(client.Counted(Count::kMisses), uint64_t{1});
}

TEST(Cache, TakesKeysFromEmptyToTheLongest) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  const std::string longest = Filled("k", kKeyBytesMax);
  CHECK_EQ(client.Set("", "of the empty key"), SetOutcome::kStored);
  CHECK_EQ(client.Set(longest, "of the longest key"), SetOutcome::kStored);
  CHECK_EQ(client.Get(""), std::optional<std::string>("of the empty key"));
  CHECK_EQ(client.Get(longest), std::optional<std::string>("of the longest key"));
  CHECK(!client.Get(longest.substr(1)));
}

TEST(Cache, AKeyMayHoldAnyBytes) {
  const auto cache = MakeCache();
  Client client(*cache);
  const std::string one("a\0b", 3), two("a\0c", 3);
  CHECK_EQ(client.Set(one, "1"), SetOutcome::kStored);
  CHECK_EQ(client.Set(two, "2"), SetOutcome::kStored);
  CHECK_EQ(client.Get(one), std::optional<std::string>("1"));
  CHECK(!client.Get("a"));
}

TEST(Cache, OverwritingReplacesTheValueAndKeepsOneEntry) {
  const auto cache = MakeCache();
  Client client(*cache);
  for (int i = 0; i < 100; ++i) {
    CHECK_EQ(client.Set("key", Numbered("value", i)), SetOutcome::kStored);
    CHECK_EQ(client.Get("key"), std::optional(Numbered("value", i)));
  }
  CHECK_EQ(cache->Usage().entries, size_t{1});
  CheckCountsAgree(*cache);
}

TEST(Cache, DeletingTellsWhetherThereWasAnything) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK(!client.Delete("key"));
  CHECK_EQ(client.Set("key", "value"), SetOutcome::kStored);
  CHECK(client.Has("key"));
  CHECK(client.Delete("key"));
  CHECK(!client.Has("key"));
  CHECK(!client.Get("key"));
  CHECK(!client.Delete("key"));
  CheckCountsAgree(*cache);
}

TEST(Cache, ClearForgetsEverythingAndGivesTheMemoryBack) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  for (int i = 0; i < 300; ++i) CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 8000)), SetOutcome::kStored);
  CHECK_EQ(client.Set("large", Filled("large", kMiB)), SetOutcome::kStored);
  cache->Clear();
  CHECK_EQ(cache->Usage().entries, size_t{0});
  CHECK_EQ(cache->Usage().free_segments, cache->Usage().segments);
  CHECK_EQ(cache->arena().ResidentBytes(), size_t{0});
  CHECK(!client.Get("key7"));
  CHECK_EQ(client.Set("key7", "new"), SetOutcome::kStored);
  CHECK_EQ(client.Get("key7"), std::optional<std::string>("new"));
}

TEST(Cache, PeekingAndHavingCountNothing) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", "value"), SetOutcome::kStored);
  CHECK(client.Locate("key").has_value());
  CHECK(client.Has("key"));
  CHECK(!client.Has("other"));
  CHECK(!client.Locate("other"));
  CHECK_EQ(client.Counted(Count::kHits) + client.Counted(Count::kMisses), uint64_t{0});
}

TEST(Cache, KeepsTheCountsOfASessionThatParted) {
  const auto cache = MakeCache();
  {
    Client client(*cache);
    CHECK_EQ(client.Set("key", "value"), SetOutcome::kStored);
    client.Get("key");
  }
  const CountTotals counts = cache->Usage().counts;
  CHECK_EQ(counts[static_cast<size_t>(Count::kSets)], uint64_t{1});
  CHECK_EQ(counts[static_cast<size_t>(Count::kHits)], uint64_t{1});
}

TEST(Cache, RefusesToBeMadeTooSmallOrTooLarge) {
  for (const size_t bytes : {size_t{0}, kMaxBytesMin - 1, size_t{Index::kArenaBytesMax} + 1, SIZE_MAX}) {
    const auto made = Cache::Create({bytes, Verify::kOff});
    REQUIRE(!made.ok());
    CHECK_EQ(made.status().code(), Code::kInvalid);
  }
}

}  // namespace zerohop
