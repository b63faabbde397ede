#include "cache/sketch.h"

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

// Keys and how often each was added; some often, most seldom.
template <class Sketch>
std::unordered_map<uint64_t, uint32_t> Fill(Sketch& sketch, check::Random& random, size_t keys, size_t additions) {
  std::vector<uint64_t> hashes(keys);
  for (uint64_t& hash : hashes) hash = random.Next();
  std::unordered_map<uint64_t, uint32_t> added;
  for (size_t i = 0; i < additions; ++i) {
    const uint64_t hash = hashes[std::min(random.Below(keys), random.Below(keys))];
    // What it returns is the count with this one.
    const uint32_t told = sketch.Add(hash);
    CHECK(told >= std::min(++added[hash], Sketch::kCountMax));
  }
  return added;
}

}  // namespace

TEST(FrequencySketch, NeverUndercountsUntilItIsHalved) {
  check::Random random(check::Seed());
  for (const size_t bytes : {size_t{0}, size_t{64}, size_t{1000}, size_t{64} << 10}) {
    FrequencySketch sketch(bytes);
    for (const auto& [hash, count] : Fill(sketch, random, 500, 5000)) {
      CHECK(sketch.Estimate(hash) >= std::min(count, FrequencySketch::kCountMax));
      CHECK(sketch.Estimate(hash) <= FrequencySketch::kCountMax);
    }
  }
}

TEST(FrequencySketch, CountsExactlyWhereThereIsRoomUpToItsMost) {
  check::Random random(check::Seed());
  FrequencySketch sketch(size_t{1} << 20);
  const auto added = Fill(sketch, random, 300, 3000);
  size_t wrong = 0;
  for (const auto& [hash, count] : added) {
    wrong += sketch.Estimate(hash) != std::min(count, FrequencySketch::kCountMax);
  }
  // Two of 300 keys in one of 16 384 blocks: three pairs on average; and then all of 4 columns would have to agree.
  CHECK(wrong <= 1);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t hash = random.Next();
    if (sketch.Estimate(hash) == 0) continue;
    ++wrong;
  }
  CHECK(wrong <= 2);
}

TEST(FrequencySketch, RoundsDownToWholeBlocksOfWhichThereIsOne) {
  CHECK_EQ(FrequencySketch(0).blocks(), size_t{1});
  CHECK_EQ(FrequencySketch(127).blocks(), size_t{1});
  CHECK_EQ(FrequencySketch(128).blocks(), size_t{2});
  CHECK_EQ(FrequencySketch(128).bytes(), size_t{128});
}

TEST(FrequencySketch, HalvingHalvesEachCounter) {
  check::Random random(check::Seed());
  FrequencySketch sketch(size_t{8} << 10);
  const auto added = Fill(sketch, random, 200, 2000);
  std::unordered_map<uint64_t, uint32_t> before;
  for (const auto& each : added) before[each.first] = sketch.Estimate(each.first);
  sketch.HalveBlocks(sketch.blocks());
  for (const auto& [hash, count] : before) CHECK_EQ(sketch.Estimate(hash), count / 2);
  for (int i = 0; i < 3; ++i) sketch.HalveBlocks(sketch.blocks());
  for (const auto& each : before) CHECK_EQ(sketch.Estimate(each.first), 0u);
}

TEST(FrequencySketch, HalvesBlockByBlockRoundAndRound) {
  FrequencySketch sketch(4 * 64);
  // One key in each block, by the top bits.
  const auto hash_in = [](uint64_t block) { return block << 62 | 0x1234567; };
  for (uint64_t block = 0; block < 4; ++block) {
    for (int i = 0; i < 12; ++i) sketch.Add(hash_in(block));
  }
  for (uint32_t halved = 1; halved <= 8; ++halved) {
    sketch.HalveBlocks(1);
    for (uint32_t block = 0; block < 4; ++block) {
      const uint32_t times = halved / 4 + (block < halved % 4);
      CHECK_EQ(sketch.Estimate(hash_in(block)), 12u >> times);
    }
  }
}

TEST(FrequencySketch, ALargerCopyCountsAtLeastWhatTheSmallerOneDid) {
  check::Random random(check::Seed());
  for (const size_t ratio : {1, 2, 8}) {
    FrequencySketch smaller(3 * 64), larger(3 * 64 * ratio);
    const auto added = Fill(smaller, random, 100, 600);
    larger.CopyFrom(smaller, 0, ratio);
    larger.CopyFrom(smaller, ratio, larger.blocks());
    for (const auto& [hash, count] : added) {
      CHECK_EQ(larger.Estimate(hash), smaller.Estimate(hash));
      CHECK(larger.Estimate(hash) >= std::min(count, FrequencySketch::kCountMax));
    }
  }
}

TEST(WideSketch, NeverUndercountsUntilItIsHalved) {
  check::Random random(check::Seed());
  WideSketch sketch;
  auto added = Fill(sketch, random, 20000, 200000);
  size_t wrong = 0;
  for (const auto& [hash, count] : added) wrong += sketch.Add(hash) != count + 1;
  // All four rows of 65 536 would have to be shared: 1/4 of them each.
  CHECK(wrong < added.size() / 50);
}

TEST(WideSketch, CountsToItsMostAndNoFurther) {
  WideSketch sketch;
  const uint64_t hash = 0x123456789abcdef0u;
  uint32_t told = 0;
  for (uint32_t i = 0; i < WideSketch::kCountMax - 1; ++i) told = sketch.Add(hash);
  CHECK_EQ(told, WideSketch::kCountMax - 1);
  for (int i = 0; i < 3; ++i) CHECK_EQ(sketch.Add(hash), WideSketch::kCountMax);
  // Not a neighbour either.
  CHECK_EQ(sketch.Add(hash + 0x0001000100010001u), 1u);
}

TEST(WideSketch, HalvesAllOfItInOneRound) {
  WideSketch sketch;
  const uint64_t odd = 0x1111222233334444u, few = 0xfffffffffffffffeu;
  for (int i = 0; i < 101; ++i) sketch.Add(odd);
  sketch.Add(few);
  sketch.Halve(WideSketch::counters() / 2);
  sketch.Halve(WideSketch::counters() - WideSketch::counters() / 2);
  CHECK_EQ(sketch.Add(odd), 51u);
  CHECK_EQ(sketch.Add(few), 1u);
  // A row at a time: the key's count is that of the lowest.
  sketch.Halve(WideSketch::counters() / 4);
  CHECK_EQ(sketch.Add(odd), 26u);
}

}  // namespace zerohop
