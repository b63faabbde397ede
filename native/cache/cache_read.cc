#include <array>
#include <cstring>

#include "base/checksum.h"
#include "base/random.h"
#include "cache/cache.h"
#include "cache/entry.h"

namespace zerohop {

// The caller will read the value, so its lines are fetched together with the header's (D27 in docs/DECISIONS.md).  The
// first two lines start the processor's own prefetcher, which would come to the last one late.
void Cache::FetchAhead(uint64_t at, size_t key_bytes, size_t value_bytes) const {
  const std::byte* const entry = arena_->bytes() + at;
  const std::byte* const value = arena_->bytes() + LayOut(at, 0, key_bytes, kWideValueBytes).value_at;
  __builtin_prefetch(entry);
  __builtin_prefetch(value);
  if (value_bytes <= kCacheLineBytes) return;
  __builtin_prefetch(value + kCacheLineBytes);
  __builtin_prefetch(value + value_bytes - kCacheLineBytes);
}

// One hit in kVerifyEvery on average, at irregular distances: at a fixed distance, some keys of a steady pattern would
// never be compared.
bool Cache::VerifiesNow(Session& session, bool tainted) const {
  if (options_.verify == Verify::kTrap) return true;
  if (options_.verify == Verify::kOff) {
    session.verify_in = UINT32_MAX;
    return false;
  }
  if (session.verify_now) return !(session.verify_now = false);
  if (session.verify_in > 0) {
    --session.verify_in;
    return tainted;
  }
  session.verify_in = static_cast<uint32_t>(NextRandom(session.random) >> 33) % (2 * kVerifyEvery - 1);
  return true;
}

bool Cache::Drop(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash, uint64_t at, Bytes key,
                 Change::Why why) {
  const auto removed = index_.Remove(
      hash, [at](uint64_t each) { return each == at; },
      [&](uint64_t) {
        version_words_->KeyChanged(hash);
        Untag(at, hash);
        changes_.Tell({why, space, hash, key, &session});
      });
  if (!removed) return false;
  Forget(at);
  spaces_.Count(incarnation, -1);
  return true;
}

void Cache::DropUnreadable(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash, uint64_t at,
                           Bytes key, bool corrupted, Use use) {
  Counters& counters = session.Of(space);
  const auto why = corrupted ? Change::Why::kEvicted : Change::Why::kExpired;
  if (Drop(session, space, incarnation, hash, at, key, why))
    counters.Add(corrupted ? Count::kCorrupted : Count::kExpired);
  version_words_->KeyChanged(hash);
  if (use != Use::kPeek) counters.Add(Count::kMisses);
}

[[gnu::always_inline]] inline Hit Cache::HitAt(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash,
                                               Bytes key, Use use, uint64_t at, const Entry& entry, Moment& now) {
  Counters& counters = session.Of(space);
  counters.usual_value_bytes = entry.header.value_bytes;
  const uint32_t index = arena_->SegmentOf(at);
  const Segment& segment = arena_->segment(index);
  const bool corrupted =
      MustVerify(session, segment.tainted.load(std::memory_order_relaxed)) && !Intact(arena_->bytes(), entry);
  const uint64_t expires_us = ExpiresUs(arena_->bytes(), at, entry.header);
  if (corrupted || now.HasCome(expires_us)) [[unlikely]] {
    DropUnreadable(session, space, incarnation, hash, at, key, corrupted, use);
    return {};
  }
  if (use == Use::kCount) counters.Add(Count::kHits);
  return {index,
          entry.header.value_bytes,
          entry.layout.value_at,
          at,
          hash,
          expires_us,
          segment.cooling.load(std::memory_order_relaxed)};
}

// All of a hit is in one function, but for what happens now and then: each call would save and load what it needs.
template <bool kAlone>
[[gnu::always_inline]] inline Hit Cache::FindHashed(Session& session, uint16_t space, uint16_t incarnation,
                                                    uint64_t hash, Bytes key, Use use) {
  Entry entry{};
  const std::optional<uint64_t> at = index_.Find(
      hash,
      [&](uint64_t candidate) {
        if (kAlone) FetchAhead(candidate, key.size(), session.Of(space).usual_value_bytes);
        return Matches(candidate, incarnation, key, &entry);
      },
      [&](std::atomic<uint16_t>& access_state) {
        if (use != Use::kPeek) policy_.Touch(session, hash, access_state);
      });
  if (!at) {
    if (use != Use::kPeek) session.Of(space).Add(Count::kMisses);
    return {};
  }
  Moment now;
  return HitAt(session, space, incarnation, hash, key, use, *at, entry, now);
}

Hit Cache::FindFetched(Session& session, uint16_t space, uint16_t incarnation, uint64_t hash, Bytes key, Use use) {
  return FindHashed<false>(session, space, incarnation, hash, key, use);
}

Hit Cache::Find(const ReadGuard&, Session& session, uint16_t space, Bytes key, Use use, VersionMark* mark) {
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  const uint64_t hash = HashOf(space, key);
  if (mark != nullptr) {
    // Before the lookup.  A set in between makes the answer stale at once; a stale answer never looks fresh.
    mark->word = version_words_->WordOf(hash);
    mark->version = version_words_->Read(mark->word);
  }
  if (use != Use::kPeek) DrainAccesses(session);
  return FindHashed<true>(session, space, incarnation, hash, key, use);
}

void Cache::FindMany(const ReadGuard& guard, Session& session, uint16_t space, std::span<const Bytes> keys,
                     std::span<Hit> hits, Use use) {
  DrainAccesses(session);
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  std::array<uint64_t, kBatchMax> hashes;
  for (size_t i = 0; i < keys.size(); ++i) {
    hashes[i] = HashOf(space, keys[i]);
    index_.Prefetch(guard, hashes[i]);
  }
  // What the index says now holds for the whole batch: a set that comes later may be seen, or not.  Values are not
  // fetched: the processor would wait for so many lines at once, even if nobody reads them (D27).
  struct Candidate {
    uint64_t at;
    std::atomic<uint16_t>* access_state;  // null: there is none
  };
  std::array<Candidate, kBatchMax> candidates;
  for (size_t i = 0; i < keys.size(); ++i) {
    candidates[i].access_state = nullptr;
    index_.Candidates(guard, hashes[i], [&](uint64_t at, std::atomic<uint16_t>& access_state) {
      __builtin_prefetch(arena_->bytes() + at);
      policy_.PrefetchTouch(hashes[i], access_state);
      candidates[i] = {at, &access_state};
    });
  }
  Moment now;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto [at, access_state] = candidates[i];
    Entry entry;
    if (access_state != nullptr && Matches(at, incarnation, keys[i], &entry)) [[likely]] {
      if (use != Use::kPeek) policy_.Touch(session, hashes[i], *access_state);
      hits[i] = HitAt(session, space, incarnation, hashes[i], keys[i], use, at, entry, now);
    } else {
      hits[i] = FindFetched(session, space, incarnation, hashes[i], keys[i], use);
    }
  }
}

void Cache::FetchForStores(const ReadGuard& guard, uint16_t space, std::span<const Bytes> keys,
                           std::span<uint64_t> hashes) const {
  for (size_t i = 0; i < keys.size(); ++i) {
    hashes[i] = HashOf(space, keys[i]);
    index_.Prefetch(guard, hashes[i]);
    version_words_->Prefetch(hashes[i]);
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    index_.Candidates(guard, hashes[i],
                      [this](uint64_t at, std::atomic<uint16_t>&) { __builtin_prefetch(arena_->bytes() + at); });
  }
}

std::optional<EntryFacts> Cache::Describe(const ReadGuard&, Session& session, uint16_t space, Bytes key) {
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  const Hit hit = FindFetched(session, space, incarnation, HashOf(space, key), key, Use::kPeek);
  if (!hit) return std::nullopt;
  // The header is read again, so it is checked again.
  Entry entry;
  if (!ReadAt(hit.entry_at, &entry)) return std::nullopt;
  const uint32_t age = (Ticks() - entry.header.written()) & EntryHeader::kWrittenMax;
  const AccessState access_state = index_.AccessStateOf(hit.hash, hit.entry_at).value_or(AccessState());
  return EntryFacts{.hit = hit,
                    .age_us = age * kTickUs,
                    .frequency = policy_.FrequencyOf(access_state),
                    .gap = policy_.GapOf(access_state),
                    .idle = policy_.CapacitiesOf(access_state.Age(policy_.now())),
                    .worth = appraiser_.WorthOf(access_state, hit.entry_at, entry),
                    .threshold = appraiser_.threshold(),
                    .cost = CostOf(arena_->bytes(), hit.entry_at, entry.header),
                    .edited = entry.header.edited(),
                    .key_is_bytes = entry.header.key_is_bytes()};
}

std::optional<LastEviction> Cache::LastEvictionOf(uint16_t space, Bytes key) const {
  const auto found = eviction_records_.Find(HashOf(space, key), spaces_.IncarnationOf(space));
  if (!found) return std::nullopt;
  return LastEviction{.why = found->why,
                      .frequency = policy_.FrequencyOf(found->access_state),
                      .gap = policy_.GapOf(found->access_state),
                      .idle = policy_.CapacitiesOf(found->idle),
                      .worth = found->worth,
                      .threshold = found->threshold};
}

Hit Cache::Rescue(const ReadGuard&, uint16_t space, Bytes key, const Hit& hit) {
  Entry entry;
  // If someone wrote over the entry meanwhile, it is not moved.
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
