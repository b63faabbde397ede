#include "fingerprint/sha3.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace zerohop {
namespace {

// What SHA-3 appends to a message: 01 that tells it from other uses of Keccak, then 10*1.
constexpr std::byte kFirstPad{0x06}, kLastPad{0x80};

// Pads what is in a block's first bytes.
void PadBlock(std::byte* block, size_t bytes) {
  std::memset(block + bytes, 0, kSha3Rate - bytes);
  block[bytes] |= kFirstPad;
  block[kSha3Rate - 1] |= kLastPad;
}

// The blocks of an input, the last one padded.
class Blocks {
 public:
  explicit Blocks(const HashInput& input) : input_(input), left_(input.head.size() + input.data.size()) {
    if (!HasOtherNans(input.nans, input.data)) return;
    unified_.assign(input.data.begin(), input.data.end());
    UnifyNans(input.nans, unified_);
    input_.data = unified_;
  }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  // The next block; valid until the one after it.
  const std::byte* Next() {
    const size_t head = input_.head.size();
    const size_t at = at_;
    at_ += kSha3Rate;
    if (left_ >= kSha3Rate && at >= head) {
      left_ -= kSha3Rate;
      ended_ = input_.padded && left_ == 0;
      return input_.data.data() + (at - head);
    }
    const size_t count = std::min(left_, kSha3Rate);
    const size_t of_head = at < head ? std::min(head - at, count) : 0;
    if (of_head > 0) std::memcpy(buffer_, input_.head.data() + at, of_head);
    if (count > of_head) std::memcpy(buffer_ + of_head, input_.data.data() + (at + of_head - head), count - of_head);
    if (count == kSha3Rate) {
      left_ -= kSha3Rate;
      return buffer_;
    }
    PadBlock(buffer_, count);
    ended_ = true;
    return buffer_;
  }
  // Whether Next has given the last block.
  bool ended() const { return ended_; }

 private:
  HashInput input_;
  std::vector<std::byte> unified_;  // the data with one kind of NaN, if it has others
  size_t at_ = 0, left_;
  bool ended_ = false;
  std::byte buffer_[kSha3Rate];
};

uint64_t WordAt(const std::byte* at) {
  uint64_t word;  // little-endian, as every machine that this runs on
  std::memcpy(&word, at, sizeof(word));
  return word;
}

void AbsorbBlock(KeccakState& state, const std::byte* block) {
  for (size_t lane = 0; lane < kRateLanes; ++lane) state[lane] ^= WordAt(block + lane * sizeof(uint64_t));
  PermuteKeccak(state);
}

void Finish(KeccakState& state, Blocks& blocks, std::byte* digest) {
  while (!blocks.ended()) AbsorbBlock(state, blocks.Next());
  std::memcpy(digest, state.data(), kDigestBytes);
}

// Inputs side by side.
class SideBySide {
 public:
  SideBySide(const KeccakState& start, std::span<const HashInput> inputs, std::byte* digests, const ManyKeccak& way)
      : start_(start), inputs_(inputs), digests_(digests), way_(way), width_(way.width) {}

  void Run() {
    for (uint32_t place = 0; place < width_; ++place) Take(place);
    while (active_ > 1) {
      const std::byte* blocks[kKeccakWidthMax];
      for (uint32_t place = 0; place < width_; ++place) {
        blocks[place] = places_[place].blocks ? places_[place].blocks->Next() : kNothing;
      }
      way_.absorb(lanes_, start_.data(), std::exchange(fresh_, 0), blocks);
      for (uint32_t place = 0; place < width_; ++place) {
        if (!places_[place].blocks || !places_[place].blocks->ended()) continue;
        for (size_t lane = 0; lane < kDigestBytes / sizeof(uint64_t); ++lane) {
          std::memcpy(places_[place].digest + lane * sizeof(uint64_t), &lanes_[lane * width_ + place],
                      sizeof(uint64_t));
        }
        --active_;
        Take(place);
      }
    }
    // The last input is finished alone.
    for (uint32_t place = 0; place < width_; ++place) {
      if (!places_[place].blocks) continue;
      KeccakState state = start_;
      if ((fresh_ >> place & 1) == 0) {
        for (size_t lane = 0; lane < kKeccakLanes; ++lane) state[lane] = lanes_[lane * width_ + place];
      }
      Finish(state, *places_[place].blocks, places_[place].digest);
    }
  }

 private:
  // Begins the next input at this place.
  void Take(uint32_t place) {
    places_[place].blocks.reset();
    if (next_ == inputs_.size()) return;
    places_[place].blocks.emplace(inputs_[next_]);
    places_[place].digest = digests_ + next_++ * kDigestBytes;
    fresh_ |= 1u << place;
    ++active_;
  }

  static constexpr std::byte kNothing[kSha3Rate] = {};  // for a place without an input

  struct Place {
    std::optional<Blocks> blocks;
    std::byte* digest = nullptr;
  };

  const KeccakState& start_;
  const std::span<const HashInput> inputs_;
  std::byte* const digests_;
  const ManyKeccak& way_;
  const uint32_t width_;
  size_t next_ = 0;
  uint32_t active_ = 0;
  uint32_t fresh_ = 0;  // places whose state is the start's, by bit
  Place places_[kKeccakWidthMax];
  alignas(64) uint64_t lanes_[kKeccakLanes * kKeccakWidthMax] = {};
};

}  // namespace

size_t PadMessage(std::byte* message, size_t bytes) {
  const size_t whole = bytes / kSha3Rate * kSha3Rate;
  PadBlock(message + whole, bytes - whole);
  return whole + kSha3Rate;
}

void AbsorbBlocks(KeccakState& state, std::span<const std::byte> blocks) {
  for (size_t at = 0; at + kSha3Rate <= blocks.size(); at += kSha3Rate) AbsorbBlock(state, blocks.data() + at);
}

Digest Sha3From(const KeccakState& start, const HashInput& input) {
  KeccakState state = start;
  Blocks blocks(input);
  Digest digest;
  Finish(state, blocks, digest.data());
  return digest;
}

void Sha3ManyFrom(const KeccakState& start, std::span<const HashInput> inputs, std::byte* digests,
                  const ManyKeccak* way) {
  if (way != nullptr && inputs.size() > 1) {
    SideBySide(start, inputs, digests, *way).Run();
    return;
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Digest digest = Sha3From(start, inputs[i]);
    std::memcpy(digests + i * kDigestBytes, digest.data(), kDigestBytes);
  }
}

}  // namespace zerohop
