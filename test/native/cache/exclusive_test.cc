// In an exclusive section one session alone writes, and everybody reads.
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cache/cache.h"
#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::Client;
using testing::Filled;
using testing::InAnHourUs;
using testing::kMiB;
using testing::MakeCache;
using testing::Names;
using testing::Numbered;
using testing::OpenedSpace;

}  // namespace

TEST(Exclusive, MakesEveryOtherWriterWaitUntilItEnds) {
  const auto cache = MakeCache(4 * kMiB);
  Client owner(*cache);
  const uint16_t space = OpenedSpace(*cache, "space");
  const std::vector<std::function<void(Client&)>> writes = {
      [](Client& client) { client.Set("key", "theirs"); },
      [](Client& client) { client.Set("key", Filled("theirs", kMiB)); },
      [](Client& client) { client.Delete("key"); },
      [](Client& client) { client.Touch("key", InAnHourUs()); },
      [](Client& client) { client.Touch("ending", kNever); },
      [](Client& client) { client.DeleteByTag("tag"); },
      [](Client& client) { client.cache().ClearSpace(0); },
      [](Client& client) { client.cache().Clear(); },
  };
  for (const auto& write : writes) {
    owner.SetTagged({"tag"}, "tagged", "mine");
    owner.Set("key", "mine", space);
    owner.SetUntil(InAnHourUs(), "ending", "mine");
    owner.Set("key", "mine");
    std::atomic<bool> begun{false}, done{false};
    std::thread thread;
    {
      Exclusive alone(*cache, owner.session());
      thread = std::thread([&] {
        Client another(*cache);
        CHECK_EQ(another.Get("key"), std::optional<std::string>("mine"));  // reads do not wait
        begun = true;
        write(another);
        done = true;
      });
      while (!begun) std::this_thread::yield();
      for (int i = 0; i < 200; ++i) {
        CHECK_EQ(owner.Get("key"), std::optional<std::string>("mine"));
        CHECK_EQ(owner.Get("key", space), std::optional<std::string>("mine"));
        CHECK(owner.Has("tagged"));
        CHECK(owner.Locate("ending")->expires_us != kNever);
        CHECK(owner.Locate("key")->expires_us == kNever);
        CHECK(!done);
        std::this_thread::yield();
      }
    }
    thread.join();
    CHECK(done);
  }
}

TEST(Exclusive, LetsItsOwnerWriteInEveryWay) {
  const auto cache = MakeCache();
  Client owner(*cache);
  const Session* const by = &owner.session();
  for (int i = 0; i < 3; ++i) {
    Exclusive alone(*cache, owner.session());
    { Exclusive within(*cache, owner.session()); }
    CHECK_EQ(owner.SetTagged({"tag"}, "tagged", "v"), SetOutcome::kStored);
    CHECK_EQ(owner.Set("key", "v"), SetOutcome::kStored);
    CHECK(owner.Touch("key", InAnHourUs()) == SetOutcome::kStored);
    CHECK(owner.Delete("key"));
    CHECK_EQ(owner.DeleteByTag("tag"), size_t{1});
    for (uint64_t k = 0; k < 500; ++k) CHECK_EQ(owner.Set(Numbered("key", k), Filled("v", 4000)), SetOutcome::kStored);
    cache->Maintain(/*idle=*/false);
    cache->ClearSpace(0, by);
    cache->Clear(by);
    CHECK_EQ(cache->EntriesOf(0), size_t{0});
  }
}

// Two keys that are always written together are never seen apart by who writes them together.
TEST(Exclusive, SectionsOfManyThreadsComeOneAfterTheOther) {
  const auto cache = MakeCache(4 * kMiB);
  constexpr uint64_t kThreads = 4, kEach = 300;
  {
    Client client(*cache);
    client.Set("one", "0");
    client.Set("two", "0");
  }
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Client client(*cache);
      for (uint64_t i = 0; i < kEach; ++i) {
        client.Set(Numbered("other", t), Numbered("v", i));
        Exclusive alone(*cache, client.session());
        const auto one = client.Get("one"), two = client.Get("two");
        REQUIRE(one.has_value() && two.has_value());
        CHECK_EQ(*one, *two);
        const std::string next = std::to_string(std::stoull(*one) + 1);
        client.Set("one", next);
        client.Set("two", next);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Client client(*cache);
  CHECK_EQ(client.Get("one"), std::optional(std::to_string(kThreads * kEach)));
  testing::CheckSettledCountsAgree(*cache);
}

TEST(Exclusive, LeavesThePolicysTablesToBeGrownAfterwards) {
  const auto cache = MakeCache(64 * kMiB);
  Client owner(*cache);
  const auto bytes = [&] { return cache->Usage().policy_bytes; };
  const auto set = [&](int from, int to) {
    for (int i = from; i < to; ++i) owner.Set(Numbered("key", i), "value");
  };
  const size_t before = bytes();
  {
    Exclusive alone(*cache, owner.session());
    set(0, 20000);
    CHECK_EQ(bytes(), before);
  }
  set(20000, 30000);
  CHECK(bytes() > before);
}

}  // namespace zerohop
