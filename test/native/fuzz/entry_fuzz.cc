// entry_fuzz.cc: an arena of hostile bytes: whatever a header claims, nothing outside the limit is read.
//
// The input is the segment itself, in a heap block of exactly its size.
#include <cstdlib>
#include <cstring>
#include <memory>

#include "cache/entry.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// Everything that is read of an entry.
void ReadAll(std::byte* arena, uint64_t at, const zerohop::Entry& entry) {
  static_cast<void>(Intact(arena, entry));
  static_cast<void>(ExpiresUs(arena, at, entry.header));
  static_cast<void>(CostOf(arena, at, entry.header));
  const zerohop::TagIds tags = TagsOf(arena, at, entry.header);
  Require(tags.size() <= zerohop::kTagsMax);
  const std::byte* const end = arena + entry.layout.key_at;
  Require(tags.empty() || reinterpret_cast<const std::byte*>(tags.data() + tags.size()) <= end);
  for (const uint32_t tag : tags) asm volatile("" ::"r"(tag));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace zerohop;
  const std::unique_ptr<std::byte[]> arena(new std::byte[bytes]);
  if (bytes > 0) std::memcpy(arena.get(), data, bytes);
  // As eviction walks a segment: entry after entry, until one contradicts the end.
  uint64_t last = 0;
  for (uint64_t at = 0; at < bytes;) {
    const std::optional<Entry> entry = ReadEntry(arena.get(), at, bytes);
    if (!entry) break;
    Require(entry->layout.key_at + entry->header.key_bytes <= entry->layout.value_at);
    Require(entry->layout.value_at + entry->header.value_bytes <= entry->layout.end);
    Require(entry->layout.end > at && entry->layout.end <= bytes);
    ReadAll(arena.get(), at, *entry);
    last = at;
    at = entry->layout.end;
  }
  // As a lookup reads it: from any place, with any limit.
  for (uint64_t at = 0; at < bytes; at += kEntryAlignBytes) {
    const uint64_t limit = bytes - (at + last) % 64 % bytes;
    if (const std::optional<Entry> entry = ReadEntry(arena.get(), at, limit)) {
      Require(entry->layout.end <= limit);
      ReadAll(arena.get(), at, *entry);
    }
  }
  return 0;
}
