// sha3.h: SHA3-256 [FIPS202] of one message, and of many that begin alike.
//
// A message is a start (whole blocks, absorbed once and used again) and an input of two parts: a short head and the
// data, which need not lie side by side.  Many inputs are absorbed side by side, as many as the processor has lanes
// for; one that ends early makes room for the next.
//
// Threads  any: pure functions.   Cost  per 136 bytes: one permutation, or its share of one
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "fingerprint/keccak.h"

namespace zerohop {

inline constexpr size_t kSha3Rate = 136;  // bytes of a block
inline constexpr size_t kDigestBytes = 32;
using Digest = std::array<std::byte, kDigestBytes>;

struct HashInput {
  std::span<const std::byte> head, data;
};

// REQUIRES: blocks.size() % kSha3Rate == 0
void AbsorbBlocks(KeccakState& state, std::span<const std::byte> blocks);

// The digest of what `start` has absorbed, and the input.
Digest Sha3From(const KeccakState& start, const HashInput& input);

// The same of each input; `digests` has room for kDigestBytes of each.
void Sha3ManyFrom(const KeccakState& start, std::span<const HashInput> inputs, std::byte* digests,
                  const ManyKeccak* way = WidestKeccak());

}  // namespace zerohop
