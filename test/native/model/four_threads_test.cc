// Nothing is wrong in four threads.
#include "cache/client.h"
#include "check.h"
#include "model/play.h"

namespace zerohop {

using model::Play;
using testing::kMiB;

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
