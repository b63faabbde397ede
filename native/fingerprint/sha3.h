// sha3.h: SHA3-256 [FIPS202] of one message, and of many that begin alike.
//
// A message has a start and an input.  The start is whole blocks, absorbed once and used again.  The input has two
// parts that need not lie side by side: a short head and the data.  Many inputs are absorbed side by side, as many as
// the processor has lanes for.  When one ends, the next takes its place.  NaNs of tensors are made one when it is their
// turn, since memory that was looked at is then still near.
//
// Threads  any: pure functions.   Cost  per 136 bytes: one permutation, or its share of one
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "fingerprint/keccak.h"
#include "fingerprint/nans.h"

namespace zerohop {

inline constexpr size_t kSha3Rate = kRateLanes * sizeof(uint64_t);  // bytes of a block
inline constexpr size_t kDigestBytes = 32;
using Digest = std::array<std::byte, kDigestBytes>;

struct HashInput {
  std::span<const std::byte> head, data;
  Nans nans = Nans::kNone;  // of the data.  They are hashed as if all were one
  bool padded = false;      // by PadMessage; then there is no head
};

// Pads a message of so many bytes to whole blocks, which need not be copied any more.  Returns how many bytes they are.
// REQUIRES: room for kSha3Rate bytes behind the message
size_t PadMessage(std::byte* message, size_t bytes);

// REQUIRES: blocks.size() % kSha3Rate == 0
void AbsorbBlocks(KeccakState& state, std::span<const std::byte> blocks);

// The digest of what `start` has absorbed, followed by the input.
Digest Sha3From(const KeccakState& start, const HashInput& input);

// The same of each input; `digests` has room for kDigestBytes of each.
void Sha3ManyFrom(const KeccakState& start, std::span<const HashInput> inputs, std::byte* digests,
                  const ManyKeccak* way = WidestKeccak());

}  // namespace zerohop
