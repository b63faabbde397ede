#include "fingerprint/known_inputs.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

struct Input {
  std::vector<std::byte> head, data;
  HashInput hashed() const { return {head, data}; }
};

std::vector<std::byte> RandomBytes(check::Random& random, size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::byte& each : bytes) each = static_cast<std::byte>(random.Below(256));
  return bytes;
}

KeccakState StartOf(check::Random& random) {
  KeccakState state{};
  AbsorbBlocks(state, RandomBytes(random, kSha3Rate));
  return state;
}

}  // namespace

TEST(KnownInputs, GiveWhatHashingGives) {
  check::Random random(check::Seed());
  KnownInputs known;
  const KeccakState starts[] = {StartOf(random), StartOf(random)};
  std::vector<Input> inputs;
  for (int i = 0; i < 600; ++i) {
    const size_t most = i % 50 == 0 ? KnownInputs::kInputBytesMax + 10 : i % 5 == 0 ? 9000 : 300;
    inputs.push_back({RandomBytes(random, random.Below(12)), RandomBytes(random, random.Below(most))});
  }
#if defined(ZEROHOP_SANITIZED)
  constexpr int kAsked = 2'000;
#else
  constexpr int kAsked = 20'000;
#endif
  for (int i = 0; i < kAsked; ++i) {
    const KeccakState& start = starts[random.Below(2)];
    Input& input = inputs[random.Below(1 + random.Below(inputs.size()))];
    // One that is the same but for a byte.
    if (random.Below(16) == 0 && !input.data.empty()) input.data[random.Below(input.data.size())] ^= std::byte{1};
    // One whose bytes are the same, and its head another length.
    if (random.Below(64) == 0 && !input.head.empty()) {
      input.data.insert(input.data.begin(), input.head.back());
      input.head.pop_back();
    }
    CHECK(known.DigestOf(start, input.hashed()) == Sha3From(start, input.hashed()));
    CHECK(known.bytes() <= KnownInputs::kBytesMax);
  }
  CHECK(known.bytes() > 10'000);
}

TEST(KnownInputs, OfBatchesToo) {
  check::Random random(check::Seed());
  KnownInputs known;
  const KeccakState start = StartOf(random);
  std::vector<Input> inputs;
  for (int i = 0; i < 200; ++i) inputs.push_back({RandomBytes(random, 6), RandomBytes(random, random.Below(3000))});
  for (int round = 0; round < 6; ++round) {
    std::vector<HashInput> batch;
    for (int i = 0; i < 100; ++i) batch.push_back(inputs[random.Below(inputs.size())].hashed());
    std::vector<std::byte> digests(batch.size() * kDigestBytes), expected(digests.size());
    known.DigestMany(start, batch, digests.data());
    Sha3ManyFrom(start, batch, expected.data());
    CHECK(digests == expected);
    std::byte none;
    known.DigestMany(start, {}, &none);
  }
}

TEST(KnownInputs, StayWithinTheirMemory) {
  check::Random random(check::Seed());
  KnownInputs known;
  const KeccakState start = StartOf(random);
  // Twice each, so that it would be kept.
  for (int i = 0; i < 300; ++i) {
    const Input input{{}, RandomBytes(random, KnownInputs::kInputBytesMax - random.Below(1000))};
    for (int twice = 0; twice < 2; ++twice) {
      const Digest digest = known.DigestOf(start, input.hashed());
      if (i % 20 == 0) CHECK(digest == Sha3From(start, input.hashed()));
    }
    CHECK(known.bytes() <= KnownInputs::kBytesMax);
  }
  CHECK(known.bytes() > KnownInputs::kBytesMax / 2);
}

}  // namespace zerohop
