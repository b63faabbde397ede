#include <array>
#include <cstring>

#include "base/checksum.h"
#include "cache/cache.h"
#include "cache/entry.h"

namespace zerohop {

bool Cache::Matches(uint64_t at, uint16_t incarnation, Bytes key, Entry* entry) const {
  // The value's first line is fetched together with the header: whoever finds the entry will read it.
  __builtin_prefetch(arena_->bytes() + LayOut(at, 0, key.size(), kWideValueBytes).value_at);
  const uint32_t index = arena_->SegmentOf(at);
  const uint64_t limit =
      arena_->StartOf(index) + uint64_t{arena_->segment(index).run_segments} * arena_->segment_bytes();
  const std::optional<Entry> found = ReadEntry(arena_->bytes(), at, limit);
  if (!found || found->header.space != incarnation || found->header.key_bytes != key.size()) return false;
  if (!key.empty() && std::memcmp(arena_->bytes() + found->layout.key_at, key.data(), key.size()) != 0) return false;
  *entry = *found;
  return true;
}

// One hit in kVerifyEvery on average, at irregular distances: a fixed one would never see some keys of a steady
// pattern.
bool Cache::SampleIsDue(Session& session) {
  if (session.verify_now) [[unlikely]]
    return !(session.verify_now = false);
  if (session.verify_in-- > 0) return false;
  session.random = session.random * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX generator
  session.verify_in = static_cast<uint32_t>(session.random >> 33) % (2 * kVerifyEvery - 1);
  return true;
}

bool Cache::Drop(uint16_t incarnation, uint64_t hash, uint64_t at) {
  if (!index_.Remove(hash, [at](uint64_t each) { return each == at; })) return false;
  Forget(at);
  spaces_.Count(incarnation, -1);
  return true;
}

std::optional<Hit> Cache::Find(const ReadGuard&, Session& session, uint16_t space, Bytes key, Use use) {
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  return FindHashed(session, space, incarnation, HashOf(incarnation, key), key, use);
}

std::optional<Hit> Cache::FindHashed(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash, Bytes key,
                                     Use use) {
  const bool counts = use == Use::kCount;
  Entry entry;
  const std::optional<uint64_t> at =
      index_.Find(hash, counts ? Index::Touch::kCount : Index::Touch::kNone,
                  [&](uint64_t candidate) { return Matches(candidate, incarnation, key, &entry); });
  if (!at) {
    if (counts) session.Of(space).Add(Count::kMisses);
    return std::nullopt;
  }
  const uint32_t segment = arena_->SegmentOf(*at);
  const bool tainted = arena_->segment(segment).tainted.load(std::memory_order_relaxed);
  const bool due =
      options_.verify == Verify::kTrap || (options_.verify == Verify::kSample && (SampleIsDue(session) || tainted));
  const bool corrupted = due && !Intact(arena_->bytes(), entry);
  const uint64_t expires_us = ExpiresUs(arena_->bytes(), *at, entry.header);
  if (corrupted || Expired(expires_us)) [[unlikely]] {
    if (Drop(incarnation, hash, *at)) session.Of(space).Add(corrupted ? Count::kCorrupted : Count::kExpired);
    near_->KeyChanged(hash);
    if (counts) session.Of(space).Add(Count::kMisses);
    return std::nullopt;
  }
  if (counts) session.Of(space).Add(Count::kHits);
  return Hit{segment, entry.header.value_bytes, entry.layout.value_at, *at, hash, expires_us,
             arena_->segment(segment).cooling.load(std::memory_order_relaxed)};
}

void Cache::FindMany(const ReadGuard&, Session& session, uint16_t space, std::span<const Bytes> keys,
                     std::span<std::optional<Hit>> hits) {
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  std::array<uint64_t, kBatchMax> hashes;
  for (size_t i = 0; i < keys.size(); ++i) {
    hashes[i] = HashOf(incarnation, keys[i]);
    index_.Prefetch(hashes[i]);
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    index_.Candidates(hashes[i], [&](uint64_t at) {
      __builtin_prefetch(arena_->bytes() + at);
      __builtin_prefetch(arena_->bytes() + LayOut(at, 0, keys[i].size(), kWideValueBytes).value_at);
    });
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    hits[i] = FindHashed(session, space, incarnation, hashes[i], keys[i], Use::kCount);
  }
}

std::optional<EntryFacts> Cache::Describe(const ReadGuard&, Session& session, uint16_t space, Bytes key) {
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  const std::optional<Hit> hit =
      FindHashed(session, space, incarnation, HashOf(incarnation, key), key, Use::kPeek);
  if (!hit) return std::nullopt;
  EntryHeader header;
  std::memcpy(&header, arena_->bytes() + hit->entry_at, sizeof(header));
  const uint32_t age = (Ticks() - header.written()) & EntryHeader::kWrittenMax;
  return EntryFacts{*hit, age * kTickUs, index_.UsesOf(hit->hash, hit->entry_at).value_or(0),
                    CostOf(arena_->bytes(), hit->entry_at, header)};
}

std::vector<ScannedKey> Cache::Scan(size_t shard, uint16_t space) {
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  const uint64_t now = NowUs();
  std::vector<ScannedKey> keys;
  index_.VisitShard(shard, [&](uint64_t at, uint32_t) {
    const uint32_t index = arena_->SegmentOf(at);
    const uint64_t limit =
        arena_->StartOf(index) + uint64_t{arena_->segment(index).run_segments} * arena_->segment_bytes();
    const std::optional<Entry> entry = ReadEntry(arena_->bytes(), at, limit);
    if (!entry || entry->header.space != incarnation) return;
    if (ExpiresUs(arena_->bytes(), at, entry->header) <= now) return;
    const std::byte* const key = arena_->bytes() + entry->layout.key_at;
    keys.push_back({{key, key + entry->header.key_bytes}, entry->header.key_is_bytes()});
  });
  return keys;
}

std::optional<Hit> Cache::Rescue(const ReadGuard&, uint16_t space, Bytes key, const Hit& hit) {
  Entry entry;
  // Written over meanwhile: a copy will show it.
  if (!Matches(hit.entry_at, spaces_.IncarnationOf(space), key, &entry)) return std::nullopt;
  const auto to = evictor_.Rescue(entry, hit.entry_at, hit.hash);
  if (!to) return std::nullopt;
  const EntryLayout layout =
      LayOut(*to, entry.header.extension_words(), entry.header.key_bytes, entry.header.value_bytes);
  Hit moved = hit;
  moved.segment = arena_->SegmentOf(*to);
  moved.at = layout.value_at;
  moved.entry_at = *to;
  moved.cooling = false;
  return moved;
}

}  // namespace zerohop
