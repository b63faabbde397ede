// cache_scan.cc: the keys of a keyspace: all of a shard, or a random one.  ScanFrom is in the header.
#include "base/random.h"
#include "cache/cache.h"
#include "cache/entry.h"

namespace zerohop {

std::vector<ScannedKey> Cache::Scan(Session& session, size_t shard, uint16_t space) {
  ReadGuard guard(epochs_, session);
  const uint16_t incarnation = spaces_.IncarnationOf(space);
  const uint64_t now = NowUs();
  std::vector<ScannedKey> keys;
  index_.VisitShard(shard, [&](uint64_t at, AccessState) {
    Entry entry;
    if (!ReadAt(at, &entry) || entry.header.space != incarnation) return;
    if (ExpiresUs(arena_->bytes(), at, entry.header) <= now) return;
    const std::byte* const key = arena_->bytes() + entry.layout.key_at;
    keys.push_back({{key, key + entry.header.key_bytes}, entry.header.key_is_bytes()});
  });
  return keys;
}

std::optional<ScannedKey> Cache::RandomKey(Session& session, uint16_t space) {
  constexpr int kDraws = 64;            // buckets to try.  A choice: enough if one key in some dozens is the keyspace's
  const size_t buckets_a_guard = 4096;  // a choice: while a guard lives, no memory is used again
  std::optional<ScannedKey> some;
  size_t seen = 0;
  // Each key that is seen is as likely as any other.
  const auto visit = [&](Bytes key, bool is_bytes) {
    if (NextRandom(session.random) % ++seen != 0) return;
    some = ScannedKey{{key.begin(), key.end()}, is_bytes};
  };
  for (int draw = 0; draw < kDraws && !some; ++draw) {
    ReadGuard guard(epochs_, session);
    ScanFrom(guard, space, NextRandom(session.random) % Index::kScanEnd, SIZE_MAX, 1, visit);
  }
  if (some || EntriesOf(space) == 0) return some;
  // The keyspace has few of all keys: a whole round, from a random place on.
  const uint64_t begin = NextRandom(session.random) % Index::kScanEnd;
  uint64_t at = begin;
  for (bool round = false; !some && !(round && at >= begin);) {
    ReadGuard guard(epochs_, session);
    at = ScanFrom(guard, space, at, 1, buckets_a_guard, visit);
    if (at == 0) {
      if (round) break;
      round = true;
    }
  }
  return some;
}

}  // namespace zerohop
