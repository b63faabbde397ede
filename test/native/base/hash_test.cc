#include "base/hash.h"

#include <array>
#include <cstring>
#include <set>
#include <vector>

#include "cache/index.h"
#include "check.h"

namespace zerohop {
namespace {

// SipHash-c-d written from the paper's definition: rotations by shifts, words assembled byte by byte, rounds a
// parameter.
uint64_t SipHashByDefinition(int c, int d, uint64_t k0, uint64_t k1, const std::vector<uint8_t>& message) {
  uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                   k1 ^ 0x7465646279746573u};
  const auto rotate = [](uint64_t x, int by) { return (x << by) | (x >> (64 - by)); };
  const auto half = [&](int a, int b, int by, bool turn) {
    v[a] += v[b];
    v[b] = rotate(v[b], by) ^ v[a];
    if (turn) v[a] = rotate(v[a], 32);
  };
  const auto rounds = [&](int count) {
    for (int i = 0; i < count; ++i) {
      half(0, 1, 13, true);
      half(2, 3, 16, false);
      half(0, 3, 21, false);
      half(2, 1, 17, true);
    }
  };
  std::vector<uint8_t> padded = message;
  while (padded.size() % 8 != 7) padded.push_back(0);
  padded.push_back(static_cast<uint8_t>(message.size()));
  for (size_t at = 0; at < padded.size(); at += 8) {
    uint64_t word = 0;
    for (size_t i = 0; i < 8; ++i) word += uint64_t{padded[at + i]} << (8 * i);
    v[3] ^= word;
    rounds(c);
    v[0] ^= word;
  }
  v[2] ^= 0xff;
  rounds(d);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

constexpr uint64_t kPaperK0 = 0x0706050403020100u, kPaperK1 = 0x0f0e0d0c0b0a0908u;

std::vector<uint8_t> CountingUp(size_t bytes) {
  std::vector<uint8_t> message(bytes);
  for (size_t i = 0; i < bytes; ++i) message[i] = static_cast<uint8_t>(i);
  return message;
}

}  // namespace

TEST(SipHash13, TheReferenceGivesThePapersVectorWithTwoAndFourRounds) {
  // Appendix A of [AB12]: key 00 01 … 0f, message 00 01 … 0e.
  CHECK_EQ(SipHashByDefinition(2, 4, kPaperK0, kPaperK1, CountingUp(15)), 0xa129ca6149be45e5u);
}

TEST(SipHash13, AgreesWithTheReferenceForEveryLengthAndAlignment) {
  check::Random random(check::Seed());
  for (size_t bytes = 0; bytes <= 300; ++bytes) {
    std::vector<uint8_t> message(bytes);
    for (uint8_t& each : message) each = static_cast<uint8_t>(random.Next());
    const uint64_t k0 = random.Next(), k1 = random.Next();
    std::vector<uint8_t> shifted(bytes + 8);
    const size_t shift = bytes % 8;
    if (bytes > 0) std::memcpy(shifted.data() + shift, message.data(), bytes);
    CHECK_EQ(SipHash13({k0, k1}, shifted.data() + shift, bytes), SipHashByDefinition(1, 3, k0, k1, message));
  }
}

TEST(SipHash13, GivesThePublishedValueOfTheEmptyMessage) {
  // The first vector of SipHash-1-3 in Rust's standard library (library/core/src/hash/sip.rs' tests).
  CHECK_EQ(SipHash13({kPaperK0, kPaperK1}, nullptr, 0), 0xabac0158050fc4dcu);
}

TEST(ProcessHashKey, StaysTheSameWithinAProcess) {
  const HashKey first = ProcessHashKey(), second = ProcessHashKey();
  CHECK_EQ(first.k0, second.k0);
  CHECK_EQ(first.k1, second.k1);
  CHECK((first.k0 | first.k1) != 0);
}

TEST(HashInSpace, GivesEveryKeyspaceItsOwnHashOfAKey) {
  std::set<uint64_t> seen;
  for (uint32_t space = 0; space < 1024; ++space) {
    seen.insert(HashInSpace({1, 2}, static_cast<uint16_t>(space), "key", 3));
  }
  CHECK_EQ(seen.size(), size_t{1024});
}

TEST(HashInSpace, ShardAndTagBitsAreDisjointAndBothSpread) {
  // The index takes the shard from the bottom 6 bits and the tag from the top ones: within each shard the top four
  // bits must still take all their values about equally often.
  static_assert(Index::kTagBits + 6 <= 64);
  constexpr int kKeys = 1 << 17;
  std::array<std::array<int, 16>, 64> counts{};
  for (int i = 0; i < kKeys; ++i) {
    const uint64_t hash = HashInSpace({3, 4}, 0, &i, sizeof(i));
    ++counts[hash & 63][hash >> 60];
  }
  constexpr int kMean = kKeys / (64 * 16);  // 128; six standard deviations are 68
  for (const auto& shard : counts) {
    for (const int count : shard) CHECK(count > kMean - 68 && count < kMean + 68);
  }
}

}  // namespace zerohop
