// sketch.h: how often a key was asked for lately, in four bits a counter.
//
// A count-min sketch [CM05].  The counters of one key lie in one cache line.  An addition raises only the lowest of
// them (conservative update).  All counters are halved now and then [TLFU17], so that old counts age.  Collisions can
// only make a count too high; saturation at 15 and halving can only make it too low.
//
//   hash -> one 64-byte block -> one counter of 32 in each of its 4 rows -> the lowest of them
//
// Threads  any: counters are relaxed atomics, and a race loses one addition at most.  One thread at a time may call
//          HalveBlocks meanwhile.
//          A sketch does not grow: its owner replaces it with a larger one.
// Cost     Add: one cache line.  HalveBlocks: 64 bytes a block; the owner spreads it over the requests.
//
// [CM05] Cormode & Muthukrishnan, J. Algorithms 55(1), 2005   [TLFU17] Einziger et al., ACM TOS 13(4), 2017
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/constants.h"
#include "base/zeroed_array.h"

namespace zerohop {

class FrequencySketch {
 public:
  static constexpr uint32_t kCountMax = 15;

  // `bytes` is rounded down to whole blocks; there is one at least.
  explicit FrequencySketch(size_t bytes) : blocks_(std::max<size_t>(1, bytes / sizeof(Block))) {}

  // Counts the key once more; returns its count with this one.
  uint32_t Add(uint64_t hash) { return AddByRow(hash, std::make_index_sequence<kRows>()); }

  // Fetches the line that Add will change.
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&blocks_[BlockOf(hash)], 1); }

  // The key's count so far.
  uint32_t Estimate(uint64_t hash) const {
    const Block& block = blocks_[BlockOf(hash)];
    uint32_t lowest = kCountMax;
    for (uint32_t row = 0; row < kRows; ++row) {
      const auto at = static_cast<uint32_t>(hash >> (row * kColumnBits)) & (kColumns - 1);
      const uint64_t word = block.words[row * kWordsInRow + at / kCountersInWord].load(std::memory_order_relaxed);
      lowest = std::min(lowest, static_cast<uint32_t>(word >> (at % kCountersInWord * kCounterBits)) & kCountMax);
    }
    return lowest;
  }

  // Halves the counters of the next `count` blocks, round and round.
  void HalveBlocks(size_t count) {
    constexpr uint64_t kWithoutLowBits = 0x7777777777777777u;
    for (; count > 0; --count) {
      for (std::atomic<uint64_t>& word : blocks_[next_].words) {
        word.store(word.load(std::memory_order_relaxed) >> 1 & kWithoutLowBits, std::memory_order_relaxed);
      }
      next_ = next_ + 1 == blocks_.size() ? 0 : next_ + 1;
    }
  }

  // Its blocks from `from` to `to` count for each key at least what the smaller one does.  REQUIRES: blocks() is a
  // multiple of smaller.blocks().
  void CopyFrom(const FrequencySketch& smaller, size_t from, size_t to) {
    const size_t ratio = blocks_.size() / smaller.blocks_.size();
    for (size_t block = from; block < to; ++block) {
      for (size_t word = 0; word < kRows * kWordsInRow; ++word) {
        const uint64_t counters = smaller.blocks_[block / ratio].words[word].load(std::memory_order_relaxed);
        blocks_[block].words[word].store(counters, std::memory_order_relaxed);
      }
    }
  }

  // Gives memory back, from the end.  REQUIRES: nobody counts in it any more.
  void Truncate(size_t blocks) { blocks_.Truncate(blocks); }

  size_t blocks() const { return blocks_.size(); }
  size_t bytes() const { return blocks_.size() * sizeof(Block); }

 private:
  static constexpr uint32_t kRows = 4;         // a key is counted too high only if it collides in all of them [CM05]
  static constexpr uint32_t kCounterBits = 4;  // the policy tells counts apart up to 12
  static_assert(kCountMax == (1u << kCounterBits) - 1, "a counter is full at kCountMax");
  static constexpr uint32_t kCountersInWord = 64 / kCounterBits;
  static constexpr uint32_t kWordsInRow = 2;
  static constexpr uint32_t kColumns = kWordsInRow * kCountersInWord;
  static constexpr uint32_t kColumnBits = 5;
  static_assert(kColumns == 1u << kColumnBits, "a row's column is a few bits of the hash");
  static_assert(kRows * kColumnBits <= 32, "the block comes from the other half of the hash");

  struct alignas(kCacheLineBytes) Block {
    std::array<std::atomic<uint64_t>, kRows * kWordsInRow> words{};
  };
  static_assert(sizeof(Block) == kCacheLineBytes, "one line a key");

  // Written out row by row: compilers leave it a loop, with everything in memory.
  template <size_t... kRow>
  uint32_t AddByRow(uint64_t hash, std::index_sequence<kRow...>) {
    std::atomic<uint64_t>* const words = blocks_[BlockOf(hash)].words.data();
    const uint32_t at[] = {static_cast<uint32_t>(hash >> (kRow * kColumnBits)) & (kColumns - 1)...};
    std::atomic<uint64_t>* const places[] = {&words[kRow * kWordsInRow + at[kRow] / kCountersInWord]...};
    const uint32_t shifts[] = {at[kRow] % kCountersInWord * kCounterBits...};
    const uint64_t seen[] = {places[kRow]->load(std::memory_order_relaxed)...};
    const uint32_t counts[] = {static_cast<uint32_t>(seen[kRow] >> shifts[kRow]) & kCountMax...};
    uint32_t lowest = kCountMax;
    ((lowest = counts[kRow] < lowest ? counts[kRow] : lowest), ...);
    if (lowest == kCountMax) return lowest;
    // Adds to the word that was loaded, not to a later state of it: a counter that is full by now would carry into the
    // next one.
    (places[kRow]->store(seen[kRow] + (uint64_t{counts[kRow] == lowest} << shifts[kRow]), std::memory_order_relaxed),
     ...);
    return lowest + 1;
  }

  size_t BlockOf(uint64_t hash) const { return static_cast<size_t>((hash >> 32) * blocks_.size() >> 32); }

  ZeroedArray<Block> blocks_;
  size_t next_ = 0;  // to be halved
};

// The sketch of the score policy: 4 rows of 65 536 counters of 16 bits, each row with a hash of its own.
//
// Threads as above.  Cost  Add: four cache lines.
class WideSketch {
 public:
  static constexpr uint32_t kCountMax = UINT16_MAX;

  uint32_t Add(uint64_t hash) {
    const std::array<size_t, kRows> at = PlacesOf(hash);
    uint32_t lowest = kCountMax;
    for (const size_t each : at) lowest = std::min<uint32_t>(lowest, counters_[each].load(std::memory_order_relaxed));
    if (lowest == kCountMax) return lowest;
    for (const size_t each : at) {
      const uint16_t count = counters_[each].load(std::memory_order_relaxed);
      if (count < kCountMax) counters_[each].store(static_cast<uint16_t>(count + 1), std::memory_order_relaxed);
    }
    return lowest + 1;
  }

  // Halves the next `count` counters, round and round.
  void Halve(size_t count) {
    for (; count > 0; --count, next_ = (next_ + 1) % (kRows * kColumns)) {
      std::atomic<uint16_t>& counter = counters_[next_];
      counter.store(static_cast<uint16_t>(counter.load(std::memory_order_relaxed) / 2), std::memory_order_relaxed);
    }
  }

  static constexpr size_t counters() { return kRows * kColumns; }
  static constexpr size_t bytes() { return counters() * sizeof(uint16_t); }

 private:
  static constexpr size_t kRows = 4;
  static constexpr size_t kColumns = 65536;

  static std::array<size_t, kRows> PlacesOf(uint64_t hash) {
    std::array<size_t, kRows> at;
    for (size_t row = 0; row < kRows; ++row) at[row] = row * kColumns + ((hash >> (16 * row)) & (kColumns - 1));
    return at;
  }

  std::vector<std::atomic<uint16_t>> counters_ = std::vector<std::atomic<uint16_t>>(kRows * kColumns);
  size_t next_ = 0;
};

}  // namespace zerohop
