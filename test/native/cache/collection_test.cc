// What happens between a refusal and its being final: those who hold buffers are asked to collect, and the store is
// tried again.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
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

// A thread with buffers over segments, as an isolate has: its views are garbage, and go when it collects.
class Isolate final : public BufferHolder {
 public:
  // What a collection of each kind frees.
  struct Garbage {
    bool young = false, old = false;
  };

  Isolate(Cache& cache, Garbage garbage) : client(cache), garbage_(garbage) { client.session().holder = this; }
  ~Isolate() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    posted_.notify_one();
    thread_.join();
  }

  // Until a store of its own is refused: every segment is pinned.
  void PinEverything() {
    StopOwnCollections own(*this);
    SetOutcome outcome = SetOutcome::kStored;
    for (int i = 0; i < 1000 && outcome == SetOutcome::kStored; ++i) {
      outcome = client.Set(Numbered("filler", i), Filled("filler", 8000));
      if (auto view = client.ExposeUnlimited(Numbered("filler", i))) views_.push_back(std::move(*view));
    }
    CHECK_EQ(outcome, SetOutcome::kRefusedPinned);
  }

  // From now on it runs its event loop on a thread of its own, and collects there when it is asked to.
  void Run() {
    thread_ = std::thread([this] {
      std::unique_lock lock(mutex_);
      for (;;) {
        posted_.wait(lock, [this] { return ends_ || wanted_ != CollectionNeed::kNothing; });
        if (ends_) return;
        Free(std::exchange(wanted_, CollectionNeed::kNothing));
      }
    });
  }

  void OnNotice() override { ++notices; }
  bool OnCollectionWanted(CollectionNeed need) override {
    ++asked;
    {
      const std::lock_guard lock(mutex_);
      if (views_.empty()) return false;
      wanted_ = std::max(wanted_, need);
    }
    posted_.notify_one();
    return true;
  }
  bool Collect(CollectionNeed need) override {
    if (!collects_) return false;
    ++(need == CollectionNeed::kYoung ? young : whole);
    Free(need);
    return true;
  }

  std::atomic<int> notices{0}, asked{0};
  int young = 0, whole = 0;  // collections of its own
  Client client;

 private:
  struct StopOwnCollections {
    explicit StopOwnCollections(Isolate& isolate) : isolate(isolate) { isolate.collects_ = false; }
    ~StopOwnCollections() { isolate.collects_ = true; }
    Isolate& isolate;
  };

  void Free(CollectionNeed need) {
    if (need == CollectionNeed::kYoung ? garbage_.young : garbage_.old) views_.clear();
  }

  const Garbage garbage_;
  bool collects_ = true;
  std::vector<View> views_;
  std::mutex mutex_;
  std::condition_variable posted_;
  CollectionNeed wanted_ = CollectionNeed::kNothing;
  bool ends_ = false;
  std::thread thread_;
};

uint64_t RefusedPinned(Cache& cache) { return cache.CountsOf(0)[static_cast<size_t>(Count::kRefusedPinned)]; }

}  // namespace

TEST(Collection, OfAnIsolateMakesRoomForAStoreOfAThreadWithoutOne) {
  for (const Isolate::Garbage garbage : {Isolate::Garbage{.young = true}, Isolate::Garbage{.old = true}}) {
    const auto cache = MakeCache();
    Isolate isolate(*cache, garbage);
    Client server(*cache);
    isolate.PinEverything();
    const uint64_t refused = RefusedPinned(*cache);
    isolate.Run();
    // In a rare case the isolate's thread gets no processor for longer than the server waits.
    SetOutcome outcome;
    int tries = 0;
    while ((outcome = server.Set("key", Filled("value", 3000))) == SetOutcome::kRefusedPinned && ++tries < 20) {
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
    CHECK_EQ(outcome, SetOutcome::kStored);
    CHECK_EQ(server.Get("key"), std::optional<std::string>(Filled("value", 3000)));
    CHECK_EQ(RefusedPinned(*cache), refused + static_cast<uint64_t>(tries));  // no try but those that were answered
    CHECK(isolate.asked > 0);
    CHECK_EQ(isolate.young + isolate.whole, 0);  // no thread collects another's heap
    CheckCountsAgree(*cache);
  }
}

TEST(Collection, ThatFreesNothingEndsInOneRefusal) {
  const auto cache = MakeCache();
  Isolate isolate(*cache, {});
  Client server(*cache);
  isolate.PinEverything();
  isolate.Run();
  const uint64_t refused = RefusedPinned(*cache);
  CHECK_EQ(server.Set("key", Filled("value", 3000)), SetOutcome::kRefusedPinned);
  CHECK_EQ(RefusedPinned(*cache), refused + 1);
  CHECK_EQ(isolate.asked.load(), 2);  // for the young generation, and for the whole heap
  CHECK(!server.Get("key"));
  CheckCountsAgree(*cache);
}

TEST(Collection, IsNotAskedForAtEveryRefusal) {
  const auto cache = MakeCache();
  Isolate isolate(*cache, {});
  Client server(*cache);
  isolate.PinEverything();
  isolate.Run();
  constexpr int kStores = 50;
  for (int i = 0; i < kStores; ++i) CHECK_EQ(server.Set("key", Filled("value", 3000)), SetOutcome::kRefusedPinned);
  CHECK(isolate.asked < 2 * kStores);
}

TEST(Collection, IsAskedOfNobodyWhereNobodyHoldsABuffer) {
  const auto cache = MakeCache();
  Isolate idle(*cache, {.young = true});
  Client pinning(*cache), server(*cache);
  std::vector<View> views;
  SetOutcome outcome = SetOutcome::kStored;
  for (int i = 0; i < 1000 && outcome == SetOutcome::kStored; ++i) {
    outcome = pinning.Set(Numbered("filler", i), Filled("filler", 8000));
    if (auto view = pinning.ExposeUnlimited(Numbered("filler", i))) views.push_back(std::move(*view));
  }
  CHECK_EQ(outcome, SetOutcome::kRefusedPinned);
  CHECK_EQ(server.Set("key", Filled("value", 3000)), SetOutcome::kRefusedPinned);
  CHECK_EQ(idle.asked.load(), 2);  // once by each of the two, who did not ask for more
}

TEST(Collection, OfItsOwnHeapIsWhatAnIsolatesThreadTriesFirst) {
  const auto cache = MakeCache();
  Isolate young(*cache, {.young = true});
  young.PinEverything();
  CHECK_EQ(young.client.Set("key", Filled("value", 3000)), SetOutcome::kStored);
  CHECK_EQ(young.young, 1);
  CHECK_EQ(young.whole, 0);
  CHECK_EQ(young.asked.load(), 0);
}

TEST(Collection, OfTheWholeHeapFollowsWhereTheYoungGenerationHeldNothing) {
  const auto cache = MakeCache();
  Isolate old(*cache, {.old = true});
  old.PinEverything();
  CHECK_EQ(old.client.Set("key", Filled("value", 3000)), SetOutcome::kStored);
  CHECK_EQ(old.young, 1);
  CHECK_EQ(old.whole, 1);
}

TEST(Collection, MakesRoomForTheEndOfATouchedEntryToo) {
  const auto cache = MakeCache();
  Isolate isolate(*cache, {.young = true});
  CHECK_EQ(isolate.client.Set("key", "value"), SetOutcome::kStored);
  isolate.PinEverything();
  REQUIRE(isolate.client.Has("key"));  // its segment is pinned, like all others
  CHECK_EQ(isolate.client.Touch("key", NowUs() + 1000000000), std::optional(SetOutcome::kStored));
  CHECK_EQ(isolate.young, 1);
  CHECK_EQ(RefusedPinned(*cache), uint64_t{1});  // the one that PinEverything ended with
}

TEST(Collection, IsPrecededByNoticesToReleaseBuffers) {
  const auto cache = MakeCache();
  Isolate isolate(*cache, {});
  CHECK_EQ(isolate.client.Set("key", "value"), SetOutcome::kStored);
  CHECK_EQ(isolate.notices.load(), 0);
  cache->Clear();
  CHECK(isolate.notices > 0);
}

}  // namespace zerohop
