// Views pin segments: what they show never changes, and the cache goes on around them.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cache/cache.h"
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
using testing::View;

}  // namespace

TEST(Cache, AViewKeepsItsBytesThroughOverwriteDeleteEvictionAndClear) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("first", 3000)), SetOutcome::kStored);
  CHECK_EQ(client.Set("large", Filled("large", 150000)), SetOutcome::kStored);
  const auto view = client.Expose("key"), large = client.Expose("large");
  REQUIRE(view.has_value() && large.has_value());
  CHECK_EQ(client.Set("key", Filled("second", 3000)), SetOutcome::kStored);
  CHECK(view->shown() == Filled("first", 3000));
  client.Delete("key");
  for (int i = 0; i < 3000; ++i) CHECK_EQ(client.Set(Numbered("other", i), Filled("x", 1000)), SetOutcome::kStored);
  CHECK(view->shown() == Filled("first", 3000));
  cache->Clear();
  for (int i = 0; i < 3000; ++i) CHECK_EQ(client.Set(Numbered("other", i), Filled("y", 1000)), SetOutcome::kStored);
  CHECK(view->shown() == Filled("first", 3000));
  CHECK(large->shown() == Filled("large", 150000));
}

TEST(Cache, AViewOutlivesTheCache) {
  auto cache = MakeCache();
  std::optional<View> view;
  {
    Client client(*cache);
    CHECK_EQ(client.Set("key", "still here"), SetOutcome::kStored);
    view = client.Expose("key");
    REQUIRE(view.has_value());
  }
  cache.reset();
  CHECK(view->shown() == "still here");
}

TEST(Cache, LeavesSegmentsToEvictHoweverManyAreExposed) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  std::vector<View> views;
  uint64_t refused = 0;
  for (int i = 0; i < 3000; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 4000)), SetOutcome::kStored);
    bool no = false;
    if (auto view = client.Expose(Numbered("key", i), 0, &no)) views.push_back(std::move(*view));
    refused += no;
  }
  CHECK(refused > 0);
  CHECK(cache->Usage().exposed_segments <= cache->Usage().exposure_limit);
  for (const View& view : views) CHECK(view.Unchanged());
}

TEST(Cache, RefusesASetWhenEverythingIsSeenAndItsOldValueIsGone) {
  const auto cache = MakeCache();
  Client client(*cache);
  std::vector<View> views;
  CHECK_EQ(client.Set("key", "old"), SetOutcome::kStored);
  SetOutcome outcome = SetOutcome::kStored;
  int i = 0;
  for (; i < 1000 && outcome == SetOutcome::kStored; ++i) {
    outcome = client.Set(Numbered("filler", i), Filled("filler", 8000));
    if (auto view = client.ExposeUnlimited(Numbered("filler", i))) views.push_back(std::move(*view));
    if (auto view = client.ExposeUnlimited("key")) views.push_back(std::move(*view));
  }
  CHECK_EQ(outcome, SetOutcome::kRefusedPinned);
  CHECK(!client.Has(Numbered("filler", i - 1)));
  REQUIRE(client.Has("key"));
  CHECK_EQ(client.Set("key", Filled("new", 8000)), SetOutcome::kRefusedPinned);
  CHECK(!client.Get("key"));
  CHECK_EQ(client.Counted(Count::kRefusedPinned), uint64_t{2});
  CHECK_EQ(client.Set("large", Filled("large", 100000)), SetOutcome::kRefusedPinned);
  for (const View& view : views) CHECK(view.Unchanged());
  views.clear();
  CHECK_EQ(client.Set("key", "new"), SetOutcome::kStored);
  CHECK_EQ(client.Get("key"), std::optional<std::string>("new"));
  CheckCountsAgree(*cache);
}

TEST(Cache, DoesNotExposeACoolingSegment) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  check::Random random(check::Seed());
  int cooling = 0;
  for (int i = 0; i < 4000; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), Filled("v", 3000)), SetOutcome::kStored);
    const std::string old = Numbered("key", i - 900 - static_cast<int>(random.Below(400)));
    ReadGuard guard(cache->epochs(), client.session());
    const auto hit = cache->Find(guard, client.session(), 0, testing::AsBytes(old));
    if (!hit || !hit.cooling) continue;
    ++cooling;
    CHECK(cache->exposure().ShouldRelease(hit.segment));
    CHECK(!cache->exposure().TryExpose(guard, hit.segment, true));
  }
  CHECK(cooling > 0);
  CHECK(cache->exposure().notice() > 0);
}

}  // namespace zerohop
