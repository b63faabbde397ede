#include <array>
#include <cstring>

#include "base/checksum.h"
#include "cache/cache.h"
#include "cache/entry.h"

namespace zerohop {

// Whoever finds the entry will read its value: its lines are fetched together with the header's, and not after it.
// The first ones start the processor's own prefetcher, which then runs ahead; the last one it would come to late.
void Cache::FetchAhead(uint64_t at, size_t key_bytes, size_t value_bytes) const {
  const std::byte* const entry = arena_->bytes() + at;
  const std::byte* const value = arena_->bytes() + LayOut(at, 0, key_bytes, kWideValueBytes).value_at;
  __builtin_prefetch(entry);
  __builtin_prefetch(value);
  if (value_bytes <= kCacheLineBytes) return;
  __builtin_prefetch(value + kCacheLineBytes);
  __builtin_prefetch(value + value_bytes - kCacheLineBytes);
}

bool Cache::ReadAt(uint64_t at, Entry* entry) const {
  const uint32_t index = arena_->SegmentOf(at);
  const uint64_t limit =
      arena_->StartOf(index) + uint64_t{arena_->segment(index).run_segments} * arena_->segment_bytes();
  return TryReadEntry(arena_->bytes(), at, limit, entry);
}

bool Cache::Matches(uint64_t at, uint16_t incarnation, Bytes key, Entry* entry) const {
  if (!ReadAt(at, entry)) return false;
  if (entry->header.space != incarnation || entry->header.key_bytes != key.size()) return false;
  return key.empty() || std::memcmp(arena_->bytes() + entry->layout.key_at, key.data(), key.size()) == 0;
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
  const auto removed = index_.Remove(
      hash, [at](uint64_t each) { return each == at; }, [&] { near_->KeyChanged(hash); });
  if (!removed) return false;
  Forget(at);
  spaces_.Count(incarnation, -1);
  return true;
}

Hit Cache::Find(const ReadGuard&, Session& session, uint16_t space, Bytes key, Use use, NearMark* mark) {
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  const uint64_t hash = HashOf(space, key);
  if (mark != nullptr) {
    // Before the lookup: a set in between makes the answer stale at once, and never the other way round.
    mark->word = near_->WordOf(hash);
    mark->version = near_->Read(mark->word);
  }
  return FindHashed(session, space, incarnation, hash, key, use);
}

Hit Cache::FindHashed(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash, Bytes key, Use use) {
  Hit hit;
  const bool counts = use == Use::kCount;
  Counters& counters = session.Of(space);
  Entry entry{};
  const std::optional<uint64_t> at =
      index_.Find(hash, counts ? Index::Touch::kCount : Index::Touch::kNone, [&](uint64_t candidate) {
        FetchAhead(candidate, key.size(), counters.usual_value_bytes);
        return Matches(candidate, incarnation, key, &entry);
      });
  if (!at) {
    if (counts) counters.Add(Count::kMisses);
    return hit;
  }
  counters.usual_value_bytes = entry.header.value_bytes;
  const uint32_t segment = arena_->SegmentOf(*at);
  const bool tainted = arena_->segment(segment).tainted.load(std::memory_order_relaxed);
  const bool due =
      options_.verify == Verify::kTrap || (options_.verify == Verify::kSample && (SampleIsDue(session) || tainted));
  const bool corrupted = due && !Intact(arena_->bytes(), entry);
  const uint64_t expires_us = ExpiresUs(arena_->bytes(), *at, entry.header);
  if (corrupted || Expired(expires_us)) [[unlikely]] {
    if (Drop(incarnation, hash, *at)) counters.Add(corrupted ? Count::kCorrupted : Count::kExpired);
    near_->KeyChanged(hash);
    if (counts) counters.Add(Count::kMisses);
    return hit;
  }
  if (counts) counters.Add(Count::kHits);
  hit.segment = segment;
  hit.bytes = entry.header.value_bytes;
  hit.at = entry.layout.value_at;
  hit.entry_at = *at;
  hit.hash = hash;
  hit.expires_us = expires_us;
  hit.cooling = arena_->segment(segment).cooling.load(std::memory_order_relaxed);
  return hit;
}

void Cache::FindMany(const ReadGuard&, Session& session, uint16_t space, std::span<const Bytes> keys,
                     std::span<Hit> hits) {
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  std::array<uint64_t, kBatchMax> hashes;
  for (size_t i = 0; i < keys.size(); ++i) {
    hashes[i] = HashOf(space, keys[i]);
    index_.Prefetch(hashes[i]);
  }
  const uint32_t value_bytes = session.Of(space).usual_value_bytes;
  for (size_t i = 0; i < keys.size(); ++i) {
    index_.Candidates(hashes[i], [&](uint64_t at) { FetchAhead(at, keys[i].size(), value_bytes); });
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    hits[i] = FindHashed(session, space, incarnation, hashes[i], keys[i], Use::kCount);
  }
}

std::optional<EntryFacts> Cache::Describe(const ReadGuard&, Session& session, uint16_t space, Bytes key) {
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  const Hit hit = FindHashed(session, space, incarnation, HashOf(space, key), key, Use::kPeek);
  if (!hit) return std::nullopt;
  // Read again, and not believed again.
  Entry entry;
  if (!ReadAt(hit.entry_at, &entry)) return std::nullopt;
  const uint32_t age = (Ticks() - entry.header.written()) & EntryHeader::kWrittenMax;
  return EntryFacts{hit, age * kTickUs, index_.UsesOf(hit.hash, hit.entry_at).value_or(0),
                    CostOf(arena_->bytes(), hit.entry_at, entry.header)};
}

std::vector<ScannedKey> Cache::Scan(Session& session, size_t shard, uint16_t space) {
  ReadGuard guard(epochs_, session);
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  const uint64_t now = NowUs();
  std::vector<ScannedKey> keys;
  index_.VisitShard(shard, [&](uint64_t at, uint32_t) {
    Entry entry;
    if (!ReadAt(at, &entry) || entry.header.space != incarnation) return;
    if (ExpiresUs(arena_->bytes(), at, entry.header) <= now) return;
    const std::byte* const key = arena_->bytes() + entry.layout.key_at;
    keys.push_back({{key, key + entry.header.key_bytes}, entry.header.key_is_bytes()});
  });
  return keys;
}

Hit Cache::Rescue(const ReadGuard&, uint16_t space, Bytes key, const Hit& hit) {
  Entry entry;
  // Written over meanwhile: a copy will show it.
  if (!Matches(hit.entry_at, spaces_.IncarnationOf(space), key, &entry)) return {};
  const auto to = evictor_.Rescue(entry, hit.entry_at, hit.hash);
  if (!to) return {};
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
