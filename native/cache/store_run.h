// store_run.h: small values that are stored one after the other, as a pipeline of SETs asks for.
//
//   StoreRun run(cache, session, space, stores);
//   for (size_t i = 0; i < stores.size(); ++i) outcome = run.Next();
//
// Each Next stores one value as Cache::Set does, in their order.  But what each of them would do alone is done once for
// as many as fit into the open segment: room is reserved under one lock, all entries are written, and then each Next
// points the index at one, all under one guard.  So no store waits for the lines that the one before it writes.
//
// What is large, or finds no room, and all in a cache that chooses its newcomers, goes through Cache::Set.
//
// Threads  one, the session's.   Lifetime  brief: while a run lives, no segment is reused.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "cache/cache.h"
#include "cache/session.h"
#include "cache/stream.h"

namespace zerohop {

// A value for a run: without an end, a cost or tags.  If it is refused, the older value of the key stays.
struct PlainStore {
  Bytes key, value;
  uint64_t hash;      // of the key, from FetchForStores
  bool key_is_bytes;  // Scan gives it back
};

class StoreRun {
 public:
  // REQUIRES: no ReadGuard of the caller.  `stores` and what it refers to stay until the run has ended.
  StoreRun(Cache& cache, Session& session, uint16_t space, std::span<const PlainStore> stores)
      : cache_(cache), session_(session), space_(space), stores_(stores), no_tags_(cache.tags_) {}
  ~StoreRun() { Leave(); }
  StoreRun(const StoreRun&) = delete;
  StoreRun& operator=(const StoreRun&) = delete;

  // Stores the next one.
  SetOutcome Next();

 private:
  void WriteSome();
  void Leave();
  Cache::Newcomer NewcomerOf(const PlainStore& store);
  SetOutcome StoreWritten();
  SetOutcome StoreAlone();

  Cache& cache_;
  Session& session_;
  const uint16_t space_;
  const std::span<const PlainStore> stores_;
  TakenTags no_tags_;
  size_t next_ = 0;
  // The entries that were written together: those of the stores from `first_` up to `written_`.
  size_t first_ = 0, written_ = 0;
  std::array<Reservation, Cache::kBatchMax> rooms_;
  Spaces::Mark mark_{};
  std::optional<ReadGuard> guard_;  // while there are any
  uint64_t stored_ = 0, stored_bytes_ = 0;
};

}  // namespace zerohop
