// cache_model_test.cc: random operations of the whole core against an oracle, in one thread and in four.
//
// A cache may forget; it may not be wrong.  What must hold after every operation:
//   a hit is the value that was set last, with its terms; a key that was missed stays missed until it is set again;
//   what was deleted, by key or by tag, cleared or is past its end is not found, by whatever way it is asked for;
//   after a set returned no thread sees an older value; a remembered answer whose words did not move is the last value;
//   a view's bytes never change, whatever else happens, also after the cache is gone;
//   memory and entries stay within their limits; and when all is let go of, every segment is free again.
//
//   oracle.h   what values are made from         actor.{h,cc}   one thread: operations and what they must give
//
// ZEROHOP_MODEL_OPS   operations of each test, all threads together.  The seed is printed; --seed=N gives it again.
#include <memory>
#include <thread>
#include <vector>

#include "cache/client.h"
#include "check.h"
#include "model/actor.h"

namespace zerohop {
namespace {

using model::Actor;
using model::Plan;
using testing::View;

#if !defined(ZEROHOP_MODEL_OPS)
#define ZEROHOP_MODEL_OPS 60000
#endif

// The index may grow while every segment is in use: the next eviction makes up for it.
void CheckWithinBudget(Cache& cache) {
  const size_t allowed = cache.options().max_bytes + cache.arena().segment_bytes();
  CHECK(cache.arena().ResidentBytes() + cache.Usage().index_bytes <= allowed);
}

void Play(const Plan& plan) {
  auto cache = testing::MakeCache(plan.max_bytes, plan.verify, plan.max_entries);
  model::SharedKeys shared;
  const std::vector<uint16_t> spaces = {0, testing::OpenedSpace(*cache, "public too"),
                                        testing::OpenedSpace(*cache, "private", "tenant"),
                                        testing::OpenedSpace(*cache, "shared")};
  const uint64_t operations = check::FromEnvironment("ZEROHOP_MODEL_OPS", ZEROHOP_MODEL_OPS) / plan.threads;
  std::vector<std::unique_ptr<Actor>> actors;
  for (uint64_t i = 0; i < plan.threads; ++i) {
    actors.push_back(std::make_unique<Actor>(*cache, plan, i, spaces, shared));
  }
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

  testing::CheckSettledCountsAgree(*cache);
  CHECK(cache->Usage().entries <= plan.max_entries);
  CHECK_EQ(cache->Usage().counts[static_cast<size_t>(Count::kCorrupted)], uint64_t{0});
  uint64_t hits = 0, near_hits = 0, refused = 0;
  for (const auto& actor : actors) {
    hits += actor->hits();
    near_hits += actor->near_hits();
    refused += actor->refused();
  }
  // The test tests nothing if nearly everything misses or is refused.
  CHECK(hits > operations * plan.threads / 20);
  if (plan.max_entries != SIZE_MAX) CHECK(near_hits > operations * plan.threads / 1000);  // else it evicts all the time
  CHECK(refused < operations * plan.threads / plan.refused_one_in);

  // One actor's views outlive the cache; without the others', every segment but what these show is free again.
  const std::deque<View> kept = actors[0]->TakeViews();
  for (const auto& actor : actors) actor->DropViews();
  cache->Clear();
  cache->Maintain(/*idle=*/true);
  const CacheUsage usage = cache->Usage();
  CHECK_EQ(usage.entries, size_t{0});
  CHECK_EQ(usage.indexed, size_t{0});
  CHECK_EQ(usage.free_segments + usage.exposed_segments, usage.segments);
  CHECK_EQ(usage.retired_segments, usage.exposed_segments);
  actors.clear();
  cache.reset();
  for (const View& view : kept) CHECK(view.Unchanged());
}

constexpr size_t kMiB = testing::kMiB;

}  // namespace

TEST(CacheModel, OneThreadOnTheSmallestCache) { Play({kMiB, Verify::kSample, 1, 2000, 12000, 200}); }

TEST(CacheModel, OneThreadWithTinyValuesOnly) { Play({kMiB, Verify::kOff, 1, 10000, 300, 1u << 30}); }

TEST(CacheModel, OneThreadWithManyLargeValues) { Play({2 * kMiB, Verify::kSample, 1, 300, 16000, 30}); }

TEST(CacheModel, OneThreadInTrapMode) { Play({2 * kMiB, Verify::kTrap, 1, 2000, 12000, 200}); }

// So much room that nothing is evicted, and near caches keep what they are told.
TEST(CacheModel, OneThreadWithALimitOfEntries) {
  Play({.max_bytes = 64 * kMiB,
        .verify = Verify::kSample,
        .threads = 1,
        .keys = 2000,
        .small_bytes_max = 3000,
        .large_one_in = 20000,
        .max_entries = 300});
}

TEST(CacheModel, FourThreads) { Play({4 * kMiB, Verify::kSample, 4, 1500, 12000, 200}); }

// Eight segments, one of them for the index, serve the streams of two scopes; views pin up to four: often none is left.
TEST(CacheModel, FourThreadsOnTheSmallestCache) { Play({kMiB, Verify::kSample, 4, 500, 8000, 500, 3, 4}); }

TEST(CacheModel, FourThreadsWithALimitOfEntries) {
  Play({.max_bytes = 64 * kMiB,
        .verify = Verify::kSample,
        .threads = 4,
        .keys = 1000,
        .small_bytes_max = 3000,
        .large_one_in = 20000,
        .max_entries = 500});
}

}  // namespace zerohop
