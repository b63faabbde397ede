// What one thread did is what all others see.
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
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

}  // namespace

TEST(Cache, ASetThatReturnedIsSeenByEveryOtherThread) {
  const auto cache = MakeCache(4 * kMiB);
  std::atomic<int> published{-1};
  std::thread reader([&] {
    Client client(*cache);
    for (int seen = -1; seen < 4999;) {
      const int now = published.load(std::memory_order_acquire);
      if (now == seen) {
        std::this_thread::yield();
        continue;
      }
      seen = now;
      const auto value = client.Get("key");
      CHECK(value.has_value() && std::stoi(*value) >= seen);
    }
  });
  Client client(*cache);
  for (int i = 0; i < 5000; ++i) {
    CHECK_EQ(client.Set("key", std::to_string(i)), SetOutcome::kStored);
    published.store(i, std::memory_order_release);
  }
  reader.join();
}

TEST(Cache, NoSetIsRefusedWhenNothingIsSeen) {
  const auto cache = MakeCache();
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Client client(*cache);
      const std::string key = Numbered("thread", t), value = Filled("v", 3000);
      for (int i = 0; i < 4000; ++i) refused += client.Set(key + std::to_string(i % 300), value) != SetOutcome::kStored;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(refused.load(), 0);
  CheckCountsAgree(*cache);
}

// Who empties a segment looks its entries up while others make the index larger: the outgrown array must outlive that.
TEST(Cache, SegmentsAreEvictedWhileTheIndexGrows) {
  for (int round = 0; round < 20; ++round) {
    const auto cache = MakeCache();
    std::atomic<bool> evicting{false}, done{false};
    std::thread evictor([&] {
      Client client(*cache);
      const std::string value = Filled("v", 2000);
      for (int i = 0; !done; ++i) {
        CHECK_EQ(client.Set(Numbered("large", i), value), SetOutcome::kStored);
        if (i == 1000) evicting = true;
      }
    });
    while (!evicting) std::this_thread::yield();
    Client client(*cache);
    for (int i = 0; i < 5000; ++i) CHECK_EQ(client.Set(Numbered("small", i), "value"), SetOutcome::kStored);
    done = true;
    evictor.join();
    CheckCountsAgree(*cache);
  }
}

}  // namespace zerohop
