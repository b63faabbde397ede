#include "cache/registry.h"

#include <set>
#include <thread>
#include <vector>

#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

const CacheOptions kSmall{kMaxBytesMin, Verify::kSample};

std::shared_ptr<Cache> Opened(Registry& registry, const std::string& name, const CacheOptions& options = kSmall) {
  Result<std::shared_ptr<Cache>> opened = registry.Open(name, options);
  REQUIRE(opened.ok());
  return opened.value();
}

}  // namespace

TEST(Registry, GivesTheSameCacheForTheSameName) {
  Registry registry;
  const auto first = Opened(registry, "embeddings"), second = Opened(registry, "embeddings");
  CHECK(first == second);
  CHECK(first != Opened(registry, "results"));
}

TEST(Registry, GivesANewCacheForNoName) {
  Registry registry;
  CHECK(Opened(registry, "") != Opened(registry, ""));
}

TEST(Registry, RefusesTheSameNameWithOtherOptions) {
  Registry registry;
  const auto held = Opened(registry, "embeddings");
  for (const CacheOptions& other :
       {CacheOptions{2 * kMaxBytesMin, Verify::kSample}, CacheOptions{kMaxBytesMin, Verify::kOff}}) {
    const Result<std::shared_ptr<Cache>> opened = registry.Open("embeddings", other);
    REQUIRE(!opened.ok());
    CHECK_EQ(opened.status().code(), Code::kOptions);
    CHECK(opened.status().detail().find("'embeddings'") != std::string::npos);
  }
}

TEST(Registry, ForgetsACacheThatNobodyHolds) {
  Registry registry;
  {
    const auto held = Opened(registry, "embeddings");
    testing::Client client(*held);
    CHECK_EQ(client.Set("key", "value"), SetOutcome::kStored);
  }
  const auto again = Opened(registry, "embeddings", {2 * kMaxBytesMin, Verify::kOff});
  testing::Client client(*again);
  CHECK(!client.Get("key"));
}

TEST(Registry, PassesOnThatACacheCannotBeMade) {
  Registry registry;
  const Result<std::shared_ptr<Cache>> opened = registry.Open("tiny", {kMaxBytesMin - 1, Verify::kOff});
  REQUIRE(!opened.ok());
  CHECK_EQ(opened.status().code(), Code::kInvalid);
}

TEST(Registry, GivesThreadsThatOpenAtOnceOneCache) {
  Registry registry;
  std::vector<std::shared_ptr<Cache>> opened(4);
  std::vector<std::thread> threads;
  for (auto& slot : opened) threads.emplace_back([&] { slot = Opened(registry, "shared"); });
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(std::set(opened.begin(), opened.end()).size(), size_t{1});
}

}  // namespace zerohop
