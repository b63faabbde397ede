// entry.h: how one entry lies in a segment.
//
//   entry + 0   u32  value_bytes
//         + 4   u32  checksum of the value (base/checksum.h)
//         + 8   u16  key_bytes
//         + 10  u16  space          the keyspace the key belongs to
//         + 12  u32  reserved       0; expiry will live here
//         + 16       key, then padding
//         + value_at               value, 64-aligned from 256 bytes up, else 8-aligned; then padding to 8
//
// Little-endian, position-independent.  An entry is written once, before the index knows it, and its bytes never change
// while anyone can see them.  JavaScript can reach the bytes through a view's `.buffer`, so a header that is read back
// is not believed: `ReadEntry` copies it and checks it against the segment's end before anything is done with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/checksum.h"
#include "base/constants.h"

namespace zerohop {

struct EntryHeader {
  uint32_t value_bytes;
  uint32_t checksum;
  uint16_t key_bytes;
  uint16_t space;
  uint32_t reserved;
};
static_assert(sizeof(EntryHeader) == 16, "the layout above");

// Where the parts of an entry lie; all offsets are arena offsets.
struct EntryLayout {
  uint64_t key_at;
  uint64_t value_at;
  uint64_t end;  // of the entry, padding included: where the next one starts
};

// REQUIRES: entry_at % kEntryAlignBytes == 0.  Cache lines are lines of the arena, whose base is page-aligned.
constexpr EntryLayout LayOut(uint64_t entry_at, size_t key_bytes, size_t value_bytes) {
  const uint64_t key_at = entry_at + sizeof(EntryHeader);
  const size_t alignment = value_bytes >= kWideValueBytes ? kCacheLineBytes : kEntryAlignBytes;
  const uint64_t value_at = AlignUp(key_at + key_bytes, alignment);
  return {key_at, value_at, AlignUp(value_at + value_bytes, kEntryAlignBytes)};
}

// The most bytes an entry can take, wherever it starts.
constexpr size_t EntryBytesMax(size_t key_bytes, size_t value_bytes) {
  return LayOut(0, key_bytes, value_bytes).end + kCacheLineBytes;
}

// An entry read back and found to lie inside [.., limit).
struct Entry {
  EntryHeader header;
  EntryLayout layout;
};

inline std::optional<Entry> ReadEntry(const std::byte* arena, uint64_t entry_at, uint64_t limit) {
  if (entry_at + sizeof(EntryHeader) > limit) return std::nullopt;
  Entry entry;
  std::memcpy(&entry.header, arena + entry_at, sizeof(EntryHeader));
  entry.layout = LayOut(entry_at, entry.header.key_bytes, entry.header.value_bytes);
  if (entry.layout.end > limit) return std::nullopt;
  return entry;
}

// True if the value still has the checksum it was written with.
inline bool Intact(const std::byte* arena, const Entry& entry) {
  return Checksum(arena + entry.layout.value_at, entry.header.value_bytes) == entry.header.checksum;
}

}  // namespace zerohop
