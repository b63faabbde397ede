#include "cache/segment_walk.h"

#include <algorithm>

#include "base/clock.h"

namespace zerohop {
namespace {

// While a segment is walked, the header of the entry so many further on is fetched: a miss to memory takes as long as
// some four entries.
constexpr uint64_t kEntriesAhead = 4;

}  // namespace

bool SegmentWalk::Walk(Session* session, uint32_t index) {
  entries_.clear();
  segment_.reset();
  std::optional<ReadGuard> guard;  // keeps an index table that is outgrown meanwhile
  if (session != nullptr) guard.emplace(epochs_, *session);
  std::byte* const arena = arena_.bytes();
  const uint64_t start = arena_.StartOf(index);
  const uint64_t end = start + arena_.segment(index).used_bytes;
  for (uint64_t at = start; at < end;) {
    const std::optional<Entry> entry = ReadEntry(arena, at, end);
    if (!entry) return false;
    // Each header says where the next one lies.  Entries of a segment are mostly alike, so the places of those to come
    // can be guessed, and fetched side by side.
    __builtin_prefetch(arena + std::min(end, at + kEntriesAhead * (entry->layout.end - at)));
    const uint64_t hash = HashOfEntry(arena_, spaces_, hash_key_, *entry);
    if (guard) index_.Prefetch(*guard, hash);
    entries_.push_back({*entry, at, hash, -1, AccessState()});
    at = entry->layout.end;
  }
  const uint64_t now_us = NowUs();
  std::erase_if(entries_, [&](WalkedEntry& one) {
    const std::optional<AccessState> access_state =
        guard ? index_.SeenAccessStateOf(*guard, one.hash, one.at) : index_.AccessStateOf(one.hash, one.at);
    if (!access_state) return true;  // overwritten, deleted or never published
    one.access_state = *access_state;
    const EntryHeader& header = one.entry.header;
    if (spaces_.Alive(header.space) && ExpiresUs(arena, one.at, header) > now_us) {
      one.worth = appraiser_.WorthOf(*access_state, one.at, one.entry);
    }
    return false;
  });
  segment_ = index;
  return true;
}

}  // namespace zerohop
