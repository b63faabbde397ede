// A large value that is copied into the cache in parts, and stored by a set that comes later.
#include "cache/staged_value.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::AsBytes;
using testing::CheckCountsAgree;
using testing::Client;
using testing::Filled;
using testing::kMiB;
using testing::MakeCache;

constexpr size_t kBytes = 3 * kMiB + 5;

// A cache, and a value of `a` staged for keys of three bytes.
struct Staged {
  explicit Staged(Verify verify = Verify::kSample) : cache(MakeCache(16 * kMiB, verify)), client(*cache) {
    cache->Join(&session);
    value.emplace(*cache, session, 0, 3, kBytes);
    REQUIRE(value->has_room());
    const std::string bytes = Filled("a", kBytes);
    while (!value->whole()) {
      const size_t from = value->copied();
      value->Append(AsBytes(bytes).subspan(from, std::min<size_t>(100000, kBytes - from)));
    }
  }
  ~Staged() {
    value.reset();
    cache->Part(&session);
  }
  SetOutcome Set(std::string_view key, std::string_view bytes, StoreOptions options = {}) {
    options.staged = &*value;
    return cache->Set(session, 0, AsBytes(key), AsBytes(bytes), options);
  }

  const std::unique_ptr<Cache> cache;
  Client client;
  Session session;
  std::optional<StagedValue> value;
};

}  // namespace

// The set is given other bytes than were staged, so that it shows which ones it took.
TEST(StagedValue, IsStoredWithoutAnotherCopy) {
  for (const Verify verify : {Verify::kOff, Verify::kSample}) {
    Staged staged(verify);
    CHECK(!staged.client.Has("key"));
    CHECK_EQ(staged.Set("key", Filled("b", kBytes)), SetOutcome::kStored);
    CHECK(staged.client.Get("key") == Filled("a", kBytes));
    const auto view = staged.client.Expose("key");
    REQUIRE(view.has_value());
    CHECK_EQ(view->shown().size(), kBytes);
    // It is stored once.
    CHECK_EQ(staged.Set("yek", Filled("b", kBytes)), SetOutcome::kStored);
    CHECK(staged.client.Get("yek") == Filled("b", kBytes));
    CheckCountsAgree(*staged.cache);
  }
}

TEST(StagedValue, KeepsTheEndThatItsSetGivesIt) {
  Staged staged;
  CHECK_EQ(staged.Set("key", Filled("b", kBytes), {.expires_us = testing::InAnHourUs()}), SetOutcome::kStored);
  CHECK(staged.client.Get("key") == Filled("a", kBytes));
  CHECK(staged.client.Locate("key")->expires_us != kNever);
}

TEST(StagedValue, IsNotTakenForAnotherEntry) {
  const testing::Names tags{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"};
  for (int i = 0; i < 3; ++i) {
    Staged staged;
    const std::string key = i == 0 ? std::string(100, 'k') : "key", value = Filled("b", i == 1 ? kBytes - 1 : kBytes);
    CHECK_EQ(staged.Set(key, value, {.tags = i == 2 ? tags : testing::Names{}}), SetOutcome::kStored);
    CHECK(staged.client.Get(key) == value);
  }
}

TEST(StagedValue, LeavesRoomForOthersWhenItIsNotStored) {
  const auto cache = MakeCache(16 * kMiB);
  Session session;
  cache->Join(&session);
  for (int i = 0; i < 100; ++i) {
    StagedValue value(*cache, session, 0, 3, 6 * kMiB);
    REQUIRE(value.has_room());
    value.Append(AsBytes(Filled("a", kMiB)));
  }
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("b", 6 * kMiB)), SetOutcome::kStored);
  cache->Part(&session);
}

}  // namespace zerohop
