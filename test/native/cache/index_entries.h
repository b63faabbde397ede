// index_entries.h: what the tests of the index put into it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "cache/index.h"
#include "cache/session.h"

namespace zerohop {

// The tests' entries are their offsets: `offset -> hash` plays the arena.
inline constexpr auto kAny = [](uint64_t) { return true; };
inline auto Is(uint64_t offset) {
  return [offset](uint64_t each) { return each == offset; };
}

// An access state that could be no other's by chance.
constexpr AccessState Numbered(uint64_t number) { return AccessState(static_cast<uint16_t>(number * 40503 + 1)); }

// What is kept beside the slot that points at `offset`.
inline std::optional<uint16_t> BitsOf(Index& index, uint64_t hash, uint64_t offset) {
  const std::optional<AccessState> access_state = index.AccessStateOf(hash, offset);
  return access_state ? std::optional(access_state->bits()) : std::nullopt;
}
inline std::optional<uint16_t> SeenBitsOf(const Index& index, const ReadGuard& guard, uint64_t hash, uint64_t offset) {
  const std::optional<AccessState> access_state = index.SeenAccessStateOf(guard, hash, offset);
  return access_state ? std::optional(access_state->bits()) : std::nullopt;
}

// What a touch does: gives what is found the access state.
inline auto Give(AccessState access_state) {
  return [access_state](std::atomic<uint16_t>& word) { word.store(access_state.bits(), std::memory_order_relaxed); };
}

// A hash whose shard is 0 and whose tag, the top 28 bits, is `tag`.
constexpr uint64_t WithTag(uint64_t tag) { return tag << (64 - Index::kTagBits); }
inline constexpr uint64_t kTags = uint64_t{1} << Index::kTagBits;

}  // namespace zerohop
