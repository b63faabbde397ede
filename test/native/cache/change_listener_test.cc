// A listener is told every change that can be seen, with its reason and who made it.
#include <mutex>
#include <set>
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
using testing::Numbered;
using testing::OpenedSpace;
using testing::Settle;
using Why = Change::Why;

struct Told {
  Why why;
  uint16_t space;
  std::string key;
  const Session* by;
  bool operator==(const Told&) const = default;
};

class Listener final : public ChangeListener {
 public:
  void OnChange(const Change& change) noexcept override {
    const std::lock_guard lock(mutex_);
    told_.push_back({change.why, change.space,
                     std::string(reinterpret_cast<const char*>(change.key.data()), change.key.size()), change.by});
  }
  std::vector<Told> Take() {
    const std::lock_guard lock(mutex_);
    return std::move(told_);
  }

 private:
  std::mutex mutex_;
  std::vector<Told> told_;
};

}  // namespace

TEST(ChangeListener, IsToldEachChangeOnceWithItsReasonAndItsAuthor) {
  const auto cache = MakeCache();
  Client client(*cache), another(*cache);
  const uint16_t space = OpenedSpace(*cache, "space");
  client.Set("before", "v");
  Listener listener;
  cache->Listen(&listener);
  const Session* const by = &client.session();
  const auto check = [&](std::initializer_list<Told> wanted) { CHECK(listener.Take() == std::vector<Told>(wanted)); };
  client.Set("key", "v", space);
  check({{Why::kWritten, space, "key", by}});
  another.Set("key", "w", space);
  check({{Why::kWritten, space, "key", &another.session()}});
  client.Touch("key", InAnHourUs(), space);  // written anew
  check({{Why::kTouched, space, "key", by}});
  client.Touch("key", kNever, space);  // in place
  check({{Why::kTouched, space, "key", by}});
  client.Touch("key", std::nullopt, space);  // a use, and no change
  client.Get("key", space);
  client.Delete("no such key", space);
  check({});
  client.Delete("key", space);
  check({{Why::kDeleted, space, "key", by}});
  client.SetTagged({"tag"}, "tagged", "v", space);
  another.DeleteByTag("tag", space);
  check({{Why::kWritten, space, "tagged", by}, {Why::kDeleted, space, "tagged", &another.session()}});
  cache->ClearSpace(space, by);
  check({{Why::kCleared, space, "", by}});
  cache->Clear();
  check({{Why::kCleared, 0, "", nullptr}, {Why::kCleared, space, "", nullptr}});
  Settle(*cache);
  check({});
  cache->StopListening(&listener);
  client.Set("key", "v", space);
  check({});
}

TEST(ChangeListener, IsToldWhatIsPastItsEndWhoeverFindsIt) {
  const auto cache = MakeCache();
  Client client(*cache);
  Listener listener;
  cache->Listen(&listener);
  const Session* const by = &client.session();
  const auto past = [&] {
    client.SetUntil(kLongAgoUs, "key", "v");
    listener.Take();
  };
  past();
  client.Get("key");
  CHECK(listener.Take() == std::vector<Told>({{Why::kExpired, 0, "key", by}}));
  past();
  client.Touch("key");
  CHECK(listener.Take() == std::vector<Told>({{Why::kExpired, 0, "key", by}}));
  past();
  client.Delete("key");
  CHECK(listener.Take() == std::vector<Told>({{Why::kExpired, 0, "key", by}}));
  past();
  Settle(*cache);
  CHECK(listener.Take() == std::vector<Told>({{Why::kExpired, 0, "key", nullptr}}));
  cache->StopListening(&listener);
}

TEST(ChangeListener, IsToldEvictionsAndRefusals) {
  const auto cache = MakeCache();
  Client client(*cache);
  Listener listener;
  cache->Listen(&listener);
  std::set<std::string> there;
  for (uint64_t i = 0; i < 3000; ++i) client.Set(Numbered("key", i), Filled("v", 1 + i * 7 % 3000));
  client.Set("large", Filled("v", 300000));
  bool evicted = false;
  for (const Told& told : listener.Take()) {
    CHECK(told.why == Why::kWritten || told.why == Why::kEvicted);
    CHECK_EQ(told.by, told.why == Why::kWritten ? &client.session() : nullptr);
    evicted = evicted || told.why == Why::kEvicted;
    told.why == Why::kWritten ? static_cast<void>(there.insert(told.key)) : static_cast<void>(there.erase(told.key));
  }
  CHECK(evicted);
  const auto keys = testing::ScannedKeys(*cache);
  CHECK(std::set<std::string>(keys.begin(), keys.end()) == there);
  // A set that is refused takes the old value with it.
  client.Set("key", "v");
  std::vector<testing::View> views;
  for (uint64_t i = 0; i < 3000; ++i) {
    if (auto view = client.ExposeUnlimited(Numbered("key", i))) views.push_back(std::move(*view));
  }
  listener.Take();
  CHECK(client.Set("key", Filled("v", 400000)) != SetOutcome::kStored);
  const auto told = listener.Take();
  CHECK(!told.empty() && told.back().key == "key" &&
        (told.back().why == Why::kDeleted || told.back().why == Why::kEvicted));
  cache->StopListening(&listener);
}

// The changes of one key are told in their order, so the last one that was told is what is there.
TEST(ChangeListener, IsToldTheChangesOfAKeyInTheirOrder) {
  const auto cache = MakeCache(4 * kMiB);
  Listener listener;
  cache->Listen(&listener);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Client client(*cache);
      check::Random random(check::Seed() + t);
      for (int i = 0; i < 3000; ++i) {
        const std::string key = Numbered("key", random.Below(20));
        random.OneIn(3) ? static_cast<void>(client.Delete(key)) : static_cast<void>(client.Set(key, "v"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  cache->StopListening(&listener);
  std::set<std::string> there;
  for (const Told& told : listener.Take()) {
    told.why == Why::kWritten ? static_cast<void>(there.insert(told.key)) : static_cast<void>(there.erase(told.key));
  }
  const auto keys = testing::ScannedKeys(*cache);
  CHECK(std::set<std::string>(keys.begin(), keys.end()) == there);
}

}  // namespace zerohop
