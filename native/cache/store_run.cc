#include "cache/store_run.h"

#include <algorithm>
#include <utility>

#include "cache/evictor.h"

namespace zerohop {
namespace {

// By `key_is_bytes`.
constexpr StoreOptions kOptions[] = {{.keep_old = true}, {.key_is_bytes = true, .keep_old = true}};

}  // namespace

SetOutcome StoreRun::Next() {
  if (next_ == written_) WriteSome();
  return next_ < written_ ? StoreWritten() : StoreAlone();
}

// Reserves room for the next stores, and writes their entries, as far as they may go together.
void StoreRun::WriteSome() {
  Leave();
  const CacheOptions& options = cache_.options();
  if (options.max_entries != SIZE_MAX || options.admission) return;
  const auto left = stores_.subspan(next_);
  std::array<EntrySize, Cache::kBatchMax> sizes;
  size_t count = 0;
  for (const size_t most = std::min(left.size(), sizes.size()); count < most; ++count) {
    const size_t key_bytes = left[count].key.size(), value_bytes = left[count].value.size();
    if (cache_.IsLarge(key_bytes, value_bytes)) break;
    sizes[count] = {0, key_bytes, value_bytes};
  }
  if (count == 0) return;
  cache_.DrainAccesses(session_);
  mark_ = cache_.spaces_.MarkOf(space_);
  count =
      cache_.keyspaces_.NewcomersOf(space_).ReserveSome(std::span(sizes).first(count), Evictor::kSpareSegments, rooms_);
  if (count == 0) return;
  const uint32_t ticks = cache_.Ticks();
  for (size_t i = 0; i < count; ++i) {
    const PlainStore& store = left[i];
    cache_.Write(rooms_[i], NewcomerOf(store), ticks);
  }
  cache_.arena_->segment(rooms_[0].segment)
      .live_entries.fetch_add(static_cast<uint32_t>(count), std::memory_order_relaxed);
  first_ = next_;
  written_ = next_ + count;
  guard_.emplace(cache_.epochs_, session_);
}

Cache::Newcomer StoreRun::NewcomerOf(const PlainStore& store) {
  return {space_, mark_, store.hash, store.key, store.value, kOptions[store.key_is_bytes], no_tags_, 0, {}};
}

SetOutcome StoreRun::StoreWritten() {
  const PlainStore& store = stores_[next_];
  const Reservation& room = rooms_[next_ - first_];
  ++next_;
  const Cache::Newcomer newcomer = NewcomerOf(store);
  Index::Writer writer{&session_};
  SetOutcome outcome = cache_.Point(*guard_, session_, writer, room, newcomer);
  while (writer.busy) [[unlikely]] {
      guard_.reset();
      cache_.gate_.Await();
      guard_.emplace(cache_.epochs_, session_);
      outcome = cache_.Point(*guard_, session_, writer, room, newcomer);
    }
  if (outcome == SetOutcome::kStored) [[likely]] {
    ++stored_;
    stored_bytes_ += room.layout.end - room.entry_at;
  } else {
    cache_.CountRefusal(session_, space_, outcome);
  }
  return outcome;
}

SetOutcome StoreRun::StoreAlone() {
  const PlainStore& store = stores_[next_];
  written_ = ++next_;
  StoreOptions options = kOptions[store.key_is_bytes];
  options.hash = &store.hash;
  return cache_.Set(session_, space_, store.key, store.value, options);
}

void StoreRun::Leave() {
  if (!guard_) return;
  guard_.reset();
  // What was not asked for is written, and nobody finds it.
  cache_.arena_->segment(rooms_[0].segment)
      .live_entries.fetch_sub(static_cast<uint32_t>(written_ - next_), std::memory_order_relaxed);
  cache_.keyspaces_.NewcomersOf(space_).Finish(rooms_[0], static_cast<uint32_t>(written_ - first_));
  Counters& counters = session_.Of(space_);
  counters.Add(Count::kSets, std::exchange(stored_, 0));
  counters.Add(Count::kStoredBytes, std::exchange(stored_bytes_, 0));
  cache_.PayFromBudget();
}

}  // namespace zerohop
