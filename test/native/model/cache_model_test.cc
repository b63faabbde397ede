// cache_model_test.cc: random operations against an oracle, in one thread and in four.
//
// A cache may forget; it may not be wrong.  What must hold after every operation:
//   a hit is the value that was set last; a key that was missed stays missed until it is set again;
//   a view's bytes never change, whatever else happens, also after the cache is gone;
//   memory stays within the budget (cache_test.cc is stricter); and when all is let go of, every segment is free again.
// Values are made from (key, version, length), so the oracle remembers three numbers for each.  Threads have keys of
// their own, where the oracle is exact, and share others, whose values say themselves what they are.
//
// ZEROHOP_MODEL_OPS   operations of each test, all threads together (default 60 000)
#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::Client;
using testing::View;

constexpr uint64_t kOperations = 60000;

// What a value is made from, and begins with where it is long enough.
struct Origin {
  uint64_t key;
  uint64_t version;
  uint64_t bytes;
  bool operator==(const Origin&) const = default;
};

std::string ValueOf(const Origin& origin) {
  std::string value(origin.bytes, '\0');
  check::Random random(origin.key * 0x10001 + origin.version);
  size_t at = 0;
  if (value.size() >= sizeof(origin)) {
    std::memcpy(value.data(), &origin, sizeof(origin));
    at = sizeof(origin);
  }
  for (; at < value.size(); at += 8) {
    const uint64_t word = random.Next();
    std::memcpy(value.data() + at, &word, std::min<size_t>(8, value.size() - at));
  }
  return value;
}

// True if the value is one that someone may have set under `key`.
bool ExplainsItself(std::string_view value, uint64_t key) {
  Origin origin;
  if (value.size() < sizeof(origin)) return false;
  std::memcpy(&origin, value.data(), sizeof(origin));
  return origin.key == key && origin.bytes == value.size() && ValueOf(origin) == value;
}

struct Plan {
  size_t max_bytes;
  Verify verify;
  uint64_t threads;
  uint64_t keys;  // of each thread
  size_t small_bytes_max;
  uint64_t large_one_in;         // sets
  size_t views_max = 200;        // held by each thread
  uint64_t refused_one_in = 20;  // operations, at most
};

// One thread: its own keys with their oracle, the shared keys, and the views it holds.
class Actor {
 public:
  Actor(Cache& cache, const Plan& plan, uint64_t number, const std::vector<uint16_t>& spaces)
      : client_(cache), plan_(plan), number_(number), spaces_(spaces), random_(check::Seed() * 31 + number) {}

  void Act() {
    const uint64_t choice = random_.Below(1000);
    if (plan_.threads > 1 && random_.OneIn(5)) return ActOnShared();
    const uint64_t key = random_.Below(random_.OneIn(2) ? plan_.keys : plan_.keys / 10);
    if (choice < 420) return Set(key);
    if (choice < 800) return Get(key);
    if (choice < 830) return Has(key);
    if (choice < 880) return Delete(key);
    if (choice < 960) return Expose(key);
    if (choice < 990) return LetGo();
    if (choice < 998) return CompareOneView();
    if (random_.OneIn(20)) client_.cache().Clear();
    if (random_.OneIn(10)) client_.cache().Maintain(random_.OneIn(2));
  }

  void CompareViews() const {
    for (const View& view : views_) CHECK(view.Unchanged());
  }
  void DropViews() { views_.clear(); }
  std::deque<View> TakeViews() { return std::move(views_); }
  uint64_t hits() const { return hits_; }
  uint64_t refused() const { return refused_; }

 private:
  // The space follows from the key, and is no part of it.
  uint16_t SpaceOf(uint64_t key) const { return spaces_[key % spaces_.size()]; }
  std::string NameOf(uint64_t key) const {
    // Lengths from 2 to about 120 bytes.
    return std::to_string(number_) + "/" + std::to_string(key / spaces_.size()) + std::string(key % 7 * 16, 'x');
  }
  static std::string SharedName(uint64_t key) { return "shared/" + std::to_string(key); }

  uint64_t SomeBytes() {
    if (random_.OneIn(plan_.large_one_in)) return random_.Below(client_.cache().ValueBytesMax(200));
    return random_.OneIn(2) ? random_.Below(300) : random_.Below(plan_.small_bytes_max);
  }

  void Set(uint64_t key) {
    const Origin origin{key, ++version_, SomeBytes()};
    switch (client_.Set(NameOf(key), ValueOf(origin), SpaceOf(key))) {
      case SetOutcome::kStored: oracle_[key] = origin; break;
      case SetOutcome::kTooLarge: CHECK(!"a value within the limit was too large"); break;
      default:
        // Refused: and the older value is gone too.
        ++refused_;
        oracle_.erase(key);
        CHECK(!client_.Has(NameOf(key), SpaceOf(key)));
    }
  }

  void Compare(uint64_t key, std::optional<std::string_view> value) {
    if (!value) {
      oracle_.erase(key);  // evicted or never there: from now on it must stay so
      return;
    }
    ++hits_;
    const auto known = oracle_.find(key);
    CHECK(known != oracle_.end());
    if (known != oracle_.end()) CHECK(*value == ValueOf(known->second));
  }

  void Get(uint64_t key) {
    const auto value = client_.Get(NameOf(key), SpaceOf(key));
    Compare(key, value ? std::optional<std::string_view>(*value) : std::nullopt);
  }

  void Has(uint64_t key) {
    if (client_.Has(NameOf(key), SpaceOf(key))) {
      CHECK(oracle_.contains(key));
    } else {
      oracle_.erase(key);
    }
  }

  void Delete(uint64_t key) {
    if (client_.Delete(NameOf(key), SpaceOf(key))) CHECK(oracle_.contains(key));
    oracle_.erase(key);
  }

  void Expose(uint64_t key) {
    bool refused = false;
    auto view = client_.Expose(NameOf(key), SpaceOf(key), &refused);
    if (refused) return;
    Compare(key, view ? std::optional(view->shown()) : std::nullopt);
    if (view) Hold(std::move(*view));
  }

  void Hold(View view) {
    views_.push_back(std::move(view));
    if (views_.size() > plan_.views_max) LetGo();
  }

  void LetGo() {
    // Seldom the oldest ones: some views are held nearly for ever.
    for (uint64_t count = random_.Below(8); count > 0 && !views_.empty(); --count) {
      const size_t at = random_.OneIn(10) ? random_.Below(views_.size()) : views_.size() - 1;
      CHECK(views_[at].Unchanged());
      views_.erase(views_.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }

  void CompareOneView() {
    if (!views_.empty()) CHECK(views_[random_.Below(views_.size())].Unchanged());
  }

  void ActOnShared() {
    const uint64_t key = random_.Below(50);
    const std::string name = SharedName(key);
    const uint64_t choice = random_.Below(10);
    if (choice < 4) {
      const uint64_t bytes = std::max<uint64_t>(sizeof(Origin), SomeBytes());
      client_.Set(name, ValueOf({key, ++version_ * plan_.threads + number_, bytes}));
    } else if (choice < 8) {
      if (const auto value = client_.Get(name)) CHECK(ExplainsItself(*value, key));
    } else if (choice < 9) {
      if (auto view = client_.Expose(name)) {
        CHECK(ExplainsItself(view->shown(), key));
        Hold(std::move(*view));
      }
    } else {
      client_.Delete(name);
    }
  }

  Client client_;
  const Plan plan_;
  const uint64_t number_;
  const std::vector<uint16_t> spaces_;
  check::Random random_;
  std::unordered_map<uint64_t, Origin> oracle_;
  std::deque<View> views_;
  uint64_t version_ = 0, hits_ = 0, refused_ = 0;
};

// The index may grow while every segment is in use: the next eviction makes up for it.
void CheckWithinBudget(Cache& cache) {
  const size_t allowed = cache.options().max_bytes + cache.arena().segment_bytes();
  CHECK(cache.arena().ResidentBytes() + cache.Usage().index_bytes <= allowed);
}

void Play(const Plan& plan) {
  auto cache = testing::MakeCache(plan.max_bytes, plan.verify);
  const std::vector<uint16_t> spaces = {0, testing::OpenedSpace(*cache, "public too"),
                                        testing::OpenedSpace(*cache, "private", "tenant")};
  const uint64_t operations = check::FromEnvironment("ZEROHOP_MODEL_OPS", kOperations) / plan.threads;
  std::vector<std::unique_ptr<Actor>> actors;
  for (uint64_t i = 0; i < plan.threads; ++i) actors.push_back(std::make_unique<Actor>(*cache, plan, i, spaces));
  const auto act = [&](Actor& actor) {
    for (uint64_t i = 0; i < operations; ++i) {
      actor.Act();
      if (i % 1024 == 0) CheckWithinBudget(*cache);
    }
    actor.CompareViews();
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < actors.size(); ++i) threads.emplace_back([&, i] { act(*actors[i]); });
  act(*actors[0]);
  for (std::thread& thread : threads) thread.join();

  testing::CheckCountsAgree(*cache);
  uint64_t hits = 0, refused = 0;
  for (const auto& actor : actors) {
    hits += actor->hits();
    refused += actor->refused();
  }
  // The test tests nothing if nearly everything misses or is refused.
  CHECK(hits > operations * plan.threads / 20);
  CHECK(refused < operations * plan.threads / plan.refused_one_in);

  // One actor's views outlive the cache; without the others', every segment but what these show is free again.
  const std::deque<View> kept = actors[0]->TakeViews();
  for (const auto& actor : actors) actor->DropViews();
  cache->Clear();
  cache->Maintain(/*idle=*/true);
  const CacheUsage usage = cache->Usage();
  CHECK_EQ(usage.entries, size_t{0});
  CHECK_EQ(usage.free_segments + usage.exposed_segments, usage.segments);
  CHECK_EQ(usage.retired_segments, usage.exposed_segments);
  actors.clear();
  cache.reset();
  for (const View& view : kept) CHECK(view.Unchanged());
}

}  // namespace

TEST(CacheModel, OneThreadOnTheSmallestCache) { Play({size_t{1} << 20, Verify::kSample, 1, 2000, 12000, 200}); }

TEST(CacheModel, OneThreadWithTinyValuesOnly) { Play({size_t{1} << 20, Verify::kOff, 1, 30000, 300, 1u << 30}); }

TEST(CacheModel, OneThreadWithManyLargeValues) { Play({size_t{2} << 20, Verify::kSample, 1, 300, 16000, 30}); }

TEST(CacheModel, OneThreadInTrapMode) { Play({size_t{2} << 20, Verify::kTrap, 1, 2000, 12000, 200}); }

TEST(CacheModel, FourThreads) { Play({size_t{4} << 20, Verify::kSample, 4, 1500, 12000, 200}); }

// Eight segments, one of them for the index, serve the streams of two scopes; views pin up to four: often none is left.
TEST(CacheModel, FourThreadsOnTheSmallestCache) { Play({size_t{1} << 20, Verify::kSample, 4, 500, 8000, 500, 3, 4}); }

}  // namespace zerohop
