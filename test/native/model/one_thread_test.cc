// Nothing is wrong in one thread, however small the cache.
#include "cache/client.h"
#include "check.h"
#include "model/play.h"

namespace zerohop {

using model::Play;
using testing::kMiB;

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

}  // namespace zerohop
