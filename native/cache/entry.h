// entry.h: how one entry lies in a segment.
//
//   entry + 0   u32  value_bytes
//         + 4   u32  checksum of the value (base/checksum.h)
//         + 8   u16  key_bytes
//         + 10  u16  space          the keyspace, as it was since it was last cleared (cache/spaces.h)
//         + 12  u32  bits           31..28 extension words · 27 the key was given as bytes · 26 edited · 25..0 written
//         + 16       extension, if any: u64 expires_us · f32 cost · u32 number of tags · u32 link … · padding to 8
//         then       key, then padding
//         + value_at               value, 64-aligned from 256 bytes up, else 8-aligned; then padding to 8
//
// Little-endian, position-independent.  An entry is written once, before the index has it.  Its bytes never change
// while anyone can see them, except `expires_us`, which is read and renewed atomically.
//
// JavaScript can write to the bytes through a view's `.buffer`, so they are not trusted.  `ReadEntry` copies the
// header, and checks it against the end of the segment, before it is used.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "base/checksum.h"
#include "base/clock.h"
#include "base/constants.h"

namespace zerohop {

struct EntryHeader {
  uint32_t value_bytes;
  uint32_t checksum;
  uint16_t key_bytes;
  uint16_t space;
  uint32_t bits;

  static constexpr int kWordsShift = 28;
  static constexpr uint32_t kKeyIsBytes = 1u << 27;
  static constexpr uint32_t kEdited = 1u << 26;
  static constexpr uint32_t kWrittenMax = kEdited - 1;

  uint32_t extension_words() const { return bits >> kWordsShift; }
  bool key_is_bytes() const { return (bits & kKeyIsBytes) != 0; }
  bool edited() const { return (bits & kEdited) != 0; }
  uint32_t written() const { return bits & kWrittenMax; }
};
static_assert(sizeof(EntryHeader) == 16, "the layout above");

// The unit of `written`: 128 ms, so that 26 bits last for 99 days.  An older entry looks 99 days younger.
inline constexpr uint64_t kTickUs = 128000;

// What an entry has beyond key and value, if it has a time to live, a cost or tags.
struct EntryExtension {
  uint64_t expires_us;  // on base/clock.h; kNever if it has no end
  float cost;           // what computing it again would take, in ms; 0 if the user did not say it
  uint32_t tag_count;
};
static_assert(sizeof(EntryExtension) == 16, "the layout above");

inline constexpr size_t kTagsMax = 16;  // of one entry.  A choice: the header has 4 bits for the extension's length
using TagIds = std::span<const uint32_t>;

constexpr uint32_t ExtensionWords(size_t tags) {
  return static_cast<uint32_t>((sizeof(EntryExtension) + tags * sizeof(uint32_t) + 7) / 8);
}
inline constexpr uint32_t kExtensionWordsMax = ExtensionWords(kTagsMax);
static_assert(kExtensionWordsMax < (1u << (32 - EntryHeader::kWordsShift)), "must fit into its bits");

// Where the parts of an entry lie; all offsets are arena offsets.
struct EntryLayout {
  uint64_t key_at;
  uint64_t value_at;
  uint64_t end;  // of the entry, padding included: where the next one starts
};

// REQUIRES: entry_at % kEntryAlignBytes == 0.  Cache lines are lines of the arena, whose base is page-aligned.
constexpr EntryLayout LayOut(uint64_t entry_at, uint32_t extension_words, size_t key_bytes, size_t value_bytes) {
  const uint64_t key_at = entry_at + sizeof(EntryHeader) + uint64_t{extension_words} * 8;
  const uint64_t low_bits = (value_bytes >= kWideValueBytes ? kCacheLineBytes : kEntryAlignBytes) - 1;
  const uint64_t value_at = (key_at + key_bytes + low_bits) & ~low_bits;
  return {key_at, value_at, AlignUp(value_at + value_bytes, kEntryAlignBytes)};
}

// The most bytes an entry can take, wherever it starts.
constexpr size_t EntryBytesMax(uint32_t extension_words, size_t key_bytes, size_t value_bytes) {
  return LayOut(0, extension_words, key_bytes, value_bytes).end + kCacheLineBytes;
}

// An entry that was read back, and lies inside [.., limit).
struct Entry {
  EntryHeader header;
  EntryLayout layout;
};

// Fills `entry` in place, because every lookup does this: an optional that is returned would be copied once more.
inline bool TryReadHeader(const std::byte* arena, uint64_t entry_at, uint64_t limit, EntryHeader* header) {
  if (entry_at + sizeof(EntryHeader) > limit) return false;
  std::memcpy(header, arena + entry_at, sizeof(EntryHeader));
  return true;
}
// The rest, from the header.
[[gnu::always_inline]] inline bool TryLayOut(uint64_t entry_at, uint64_t limit, Entry* entry) {
  const uint32_t words = entry->header.extension_words();
  if (words != 0 && (words < ExtensionWords(0) || words > kExtensionWordsMax)) return false;  // nobody writes such
  entry->layout = LayOut(entry_at, words, entry->header.key_bytes, entry->header.value_bytes);
  return entry->layout.end <= limit;
}
inline bool TryReadEntry(const std::byte* arena, uint64_t entry_at, uint64_t limit, Entry* entry) {
  return TryReadHeader(arena, entry_at, limit, &entry->header) && TryLayOut(entry_at, limit, entry);
}

inline std::optional<Entry> ReadEntry(const std::byte* arena, uint64_t entry_at, uint64_t limit) {
  std::optional<Entry> entry(std::in_place);
  if (!TryReadEntry(arena, entry_at, limit, &*entry)) entry.reset();
  return entry;
}

// True if the value still has the checksum it was written with.
inline bool Intact(const std::byte* arena, const Entry& entry) {
  return Checksum(arena + entry.layout.value_at, entry.header.value_bytes) == entry.header.checksum;
}

// The word of an entry that says when it expires; null if it has none.
inline std::atomic_ref<uint64_t> ExpiryWord(std::byte* arena, uint64_t entry_at) {
  return std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(arena + entry_at + sizeof(EntryHeader)));
}

// When the entry expires; kNever if it does not.
inline uint64_t ExpiresUs(std::byte* arena, uint64_t entry_at, const EntryHeader& header) {
  if (header.extension_words() == 0) return kNever;
  return ExpiryWord(arena, entry_at).load(std::memory_order_relaxed);
}

inline float CostOf(const std::byte* arena, uint64_t entry_at, const EntryHeader& header) {
  float cost = 0;
  if (header.extension_words() != 0) {
    std::memcpy(&cost, arena + entry_at + sizeof(EntryHeader) + offsetof(EntryExtension, cost), sizeof(cost));
  }
  return cost;
}

// The entry's links to its tags (tags.h); valid while the entry is.
inline TagIds TagsOf(const std::byte* arena, uint64_t entry_at, const EntryHeader& header) {
  const uint32_t words = header.extension_words();
  if (words <= sizeof(EntryExtension) / 8) return {};
  const std::byte* const extension = arena + entry_at + sizeof(EntryHeader);
  uint32_t count;
  std::memcpy(&count, extension + offsetof(EntryExtension, tag_count), sizeof(count));
  if (count > kTagsMax || ExtensionWords(count) > words) return {};
  return {reinterpret_cast<const uint32_t*>(extension + sizeof(EntryExtension)), count};
}

}  // namespace zerohop
