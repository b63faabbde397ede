#include "model/play.h"

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "cache/client.h"
#include "check.h"

namespace zerohop::model {

using testing::View;

namespace {

#if !defined(ZEROHOP_MODEL_OPS)
#define ZEROHOP_MODEL_OPS 60000
#endif

// The index may grow while every segment is in use: the next eviction makes up for it.
void CheckWithinBudget(Cache& cache) {
  const size_t allowed = cache.options().max_bytes + cache.arena().segment_bytes();
  CHECK(cache.arena().ResidentBytes() + cache.Usage().index_bytes <= allowed);
}

}  // namespace

void Play(const Plan& plan) {
  auto cache = testing::MakeCache(plan.max_bytes, plan.verify, plan.max_entries);
  SharedKeys shared;
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
  uint64_t hits = 0, near_hits = 0, refused = 0, stored_if = 0;
  for (const auto& actor : actors) {
    hits += actor->hits();
    near_hits += actor->near_hits();
    refused += actor->refused();
    stored_if += actor->stored_if();
  }
  // The test tests nothing if nearly everything misses or is refused.
  CHECK(hits > operations * plan.threads / 20);
  CHECK(stored_if > operations * plan.threads / 200);
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

}  // namespace zerohop::model
