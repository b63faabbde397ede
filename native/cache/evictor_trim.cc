// maxEntries: the least worth of a sample goes, entry by entry.
#include <algorithm>
#include <limits>

#include "cache/evictor.h"

namespace zerohop {
namespace {

// Entries that are compared, and buckets of the index that are looked at for them at most.
constexpr size_t kCompared = 16;
constexpr int kLooked = 64;

// Segments that were emptied are given back once in so many entries.
constexpr uint32_t kTidyEvery = 1024;

}  // namespace

// Lets one entry go.  False if none was found but `newcomer`.
bool Evictor::TrimOne(Session& session, uint64_t newcomer, bool everywhere) {
  ReadGuard guard(parts_.epochs, session);
  const uint64_t now_us = NowUs();
  std::optional<Walked> least;
  float next = std::numeric_limits<float>::infinity();  // the least of the others
  size_t compared = 0;
  bool expired = false;
  const auto compare = [&](uint64_t at, AccessState access_state) {
    if (at == newcomer || expired) return;
    Entry entry;
    if (!parts_.arena.TryRead(at, &entry) || Dead(entry.header)) return;
    ++compared;
    expired = Expired(at, entry.header, now_us);
    const float worth = expired ? -1 : WorthPerByte(access_state, at, entry);
    if (least && worth >= least->worth) {
      next = std::min(next, worth);
      return;
    }
    if (least) next = least->worth;
    least = Walked{entry, at, 0, worth, access_state};
  };
  if (everywhere) {
    for (size_t shard = 0; shard < Index::kShards; ++shard) parts_.index.VisitShard(shard, compare);
  } else {
    for (int looked = 0; looked < kLooked && compared < kCompared; ++looked) {
      parts_.index.Sample(guard, Draw(), compare);
    }
  }
  if (!least) return false;
  const Count why = expired ? Count::kExpired : Count::kTrimmedEntries;
  const size_t before = parts_.spaces.Entries();
  least->hash = HashOf(least->entry);
  if (EvictEntry(&session, *least, why, next)) return true;
  // Gone meanwhile; or someone wrote over the key, and the slot is found by its place.
  const size_t swept = parts_.index.Sweep([&](uint64_t at) {
    if (at != least->at) return false;
    Uncount(at);
    Untag(at);
    parts_.arena.segment(parts_.arena.SegmentOf(at)).live_entries.fetch_sub(1, std::memory_order_relaxed);
    return true;
  });
  Add(&session, Count::kCorrupted, swept);
  return swept > 0 || parts_.spaces.Entries() < before;
}

void Evictor::Trim(Session& session, size_t entries_max, uint64_t newcomer) {
  MutexLock lock(mutex_);
  while (parts_.spaces.Entries() > entries_max) {
    // A sample of a nearly empty index may show nothing: then all of it does.
    if (!TrimOne(session, newcomer, /*everywhere=*/false) && !TrimOne(session, newcomer, /*everywhere=*/true)) return;
    if (++trimmed_ % kTidyEvery == 0 && RetireEmpty(/*decommit=*/false)) Notify();
  }
}

}  // namespace zerohop
