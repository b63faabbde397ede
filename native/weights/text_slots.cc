#include "weights/text_slots.h"

#include <bit>
#include <cstring>

namespace zerohop {
namespace {

// HalfSipHash-1-3 [Aumasson, Bernstein], as lib/weights/id-index.ts has it.
uint32_t HashOf(std::span<const std::byte> text, const uint32_t key[2]) {
  uint32_t v0 = key[0], v1 = key[1], v2 = key[0] ^ 0x6c796765, v3 = key[1] ^ 0x74656462;
  const auto mix = [&](uint32_t word) {
    v3 ^= word;
    v0 += v1;
    v1 = std::rotl(v1, 5) ^ v0;
    v0 = std::rotl(v0, 16);
    v2 += v3;
    v3 = std::rotl(v3, 8) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 7) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 13) ^ v2;
    v2 = std::rotl(v2, 16);
    v0 ^= word;
  };
  size_t at = 0;
  for (; at + 4 <= text.size(); at += 4) {
    uint32_t word;
    std::memcpy(&word, text.data() + at, sizeof(word));
    mix(word);
  }
  uint32_t last = static_cast<uint32_t>(text.size()) << 24;
  for (size_t i = at; i < text.size(); ++i) last |= static_cast<uint32_t>(text[i]) << (8 * (i - at));
  mix(last);
  v2 ^= 0xff;
  for (int round = 0; round < 3; ++round) mix(0);
  return v1 ^ v3;
}

bool IsTextOf(const TextSlots& index, size_t row, std::span<const std::byte> id) {
  const double begin = row == 0 ? 0 : index.ends[row - 1];
  const double end = index.ends[row];
  // Also false for NaN.
  if (!(begin >= 0 && begin <= end && end <= static_cast<double>(index.texts.size()))) return false;
  const auto first = static_cast<size_t>(begin);
  return static_cast<size_t>(end) - first == id.size() &&
         std::memcmp(index.texts.data() + first, id.data(), id.size()) == 0;
}

}  // namespace

int32_t FindRow(const TextSlots& index, std::span<const std::byte> id) {
  const uint32_t hash = HashOf(id, index.key);
  const size_t mask = (size_t{1} << index.bits) - 1;
  size_t slot = hash >> (32 - index.bits);
  for (size_t probes = 0; probes < kProbesMax; ++probes, slot = (slot + 1) & mask) {
    const int32_t row = index.slots[2 * slot + 1];
    if (row <= 0) return -1;
    if (static_cast<uint32_t>(index.slots[2 * slot]) != hash || static_cast<size_t>(row) > index.ends.size()) continue;
    if (IsTextOf(index, static_cast<size_t>(row) - 1, id)) return row - 1;
  }
  return -1;
}

}  // namespace zerohop
