#include "cache/cache.h"

#include <algorithm>
#include <utility>

namespace zerohop {
namespace {

size_t SegmentBytesFor(size_t max_bytes) {
  size_t segment_bytes = kSegmentBytesMax;
  while (segment_bytes > kSegmentBytesMin && max_bytes / segment_bytes < kSegmentsWanted) segment_bytes /= 2;
  return segment_bytes;
}

// Choices, until something is known of the entries: the bytes that one is expected to take, and the number of entries
// for which the policy takes memory at first.
constexpr size_t kFirstEntryBytes = 4096;
constexpr size_t kFirstEntries = 1024;
// How long a segment must have been free before its pages are given back, while the cache is used.  A choice: a stream
// of sets needs it again long before.
constexpr uint64_t kDecommitUs = 1'000'000;

// Sketch and tracker take 24 to 48 bytes an entry, but at most 1/32 of max_bytes (D45 in docs/DECISIONS.md).
constexpr size_t kPolicyShare = 32;
// Each of the two starts with at most 1/64 of max_bytes.
constexpr size_t kPolicyFirstShare = 64;
static_assert(2 * kPolicyShare <= kPolicyFirstShare, "the first memory of both is within the policy's share");

size_t FirstCapacity(const CacheOptions& options) {
  return std::min(options.max_entries, options.max_bytes / kFirstEntryBytes);
}

Policy::Options PolicyOptions(const CacheOptions& options) {
  Policy::Options of_policy;
  of_policy.kind = options.policy;
  of_policy.aging = options.aging;
  of_policy.sketch_bytes_min = std::min(of_policy.sketch_bytes_min, options.max_bytes / kPolicyFirstShare);
  of_policy.tracker_bytes_min = std::min(of_policy.tracker_bytes_min, options.max_bytes / kPolicyFirstShare);
  return of_policy;
}

void AddTotals(CountTotals& sum, const CountTotals& more) {
  for (size_t i = 0; i < kCountNumber; ++i) sum[i] += more[i];
}

}  // namespace

Result<std::unique_ptr<Cache>> Cache::Create(const CacheOptions& options) {
  if (options.max_bytes < kMaxBytesMin || options.max_bytes > Index::kArenaBytesMax) {
    return Status{Code::kInvalid, "maxBytes must lie between 1 MiB and 512 GiB"};
  }
  const MappingKind kind = options.verify == Verify::kTrap ? MappingKind::kMirrored : MappingKind::kPrivate;
  std::shared_ptr<VersionWords> version_words = VersionWords::Create(options.max_bytes);
  if (version_words == nullptr) return Status{Code::kNoMemory, "the system refused memory"};
  Result<Arena*> arena = Arena::Create(
      options.max_bytes, options.segment_bytes != 0 ? options.segment_bytes : SegmentBytesFor(options.max_bytes), kind);
  if (!arena.ok()) return arena.status();
  try {
    return std::unique_ptr<Cache>(new Cache(options, arena.value(), std::move(version_words)));
  } catch (const std::bad_alloc&) {
    arena.value()->Unref();
    return Status{Code::kNoMemory, "the system refused memory"};
  }
}

Cache::Cache(const CacheOptions& options, Arena* arena, std::shared_ptr<VersionWords> version_words)
    : options_(options),
      hash_key_(ProcessHashKey()),
      arena_(arena),
      version_words_(std::move(version_words)),
      index_(epochs_),
      policy_(PolicyOptions(options), epochs_, FirstCapacity(options), kFirstEntries, options.max_bytes / kPolicyShare),
      appraiser_(*arena, policy_, options.weigh_cost_and_bytes),
      exposure_(*arena, *version_words_, [this] { sessions_.Announce(); }),
      tags_(hash_key_, options.max_bytes),
      eviction_records_(options.max_bytes),
      evictor_({*arena, index_, epochs_, spaces_, tags_, *version_words_, policy_, appraiser_, exposure_,
                eviction_records_, seal_clock_, hash_key_, changes_}),
      upkeep_({*arena, index_, epochs_, spaces_, tags_, evictor_, sessions_, *version_words_, changes_, hash_key_}),
      keyspaces_({*arena, spaces_, upkeep_, evictor_, sessions_, seal_clock_}) {
  const Result<uint16_t> root = OpenSpace("", "", "bytes");
  static_cast<void>(root);
}

Cache::~Cache() {
  arena_->Close();
  arena_->Unref();
}

void Cache::ClearSpace(uint16_t space, const Session* by) {
  ExclusiveGate::Pass pass(gate_, by);
  MutexLock lock(removal_mutex_);
  keyspaces_.Renew(space);
  version_words_->AllChanged();
  changes_.Tell({Change::Why::kCleared, space, 0, {}, by});
}

void Cache::Clear(const Session* by) {
  {
    ExclusiveGate::Pass pass(gate_, by);
    MutexLock lock(removal_mutex_);
    const size_t spaces = spaces_.size();
    for (size_t space = 0; space < spaces; ++space) keyspaces_.Renew(static_cast<uint16_t>(space));
    version_words_->AllChanged();
    for (size_t space = 0; space < spaces; ++space) {
      changes_.Tell({Change::Why::kCleared, static_cast<uint16_t>(space), 0, {}, by});
    }
  }
  // What others store from here on belongs to the new numbers, and stays.
  upkeep_.DropDead();
  PayFromBudget();
  evictor_.RetireAll();
  version_words_->AllChanged();  // nothing is evicted now: near caches may begin again
}

void Cache::Listen(ChangeListener* listener) {
  MutexLock lock(removal_mutex_);
  ChangeFeed::Listeners listeners = changes_.Copy();
  listeners.push_back(listener);
  const auto before = changes_.Replace(std::move(listeners));
  index_.AwaitWriters();  // a change is told under the lock of a shard, or under ours: so nobody uses the old list now
}

void Cache::StopListening(ChangeListener* listener) {
  MutexLock lock(removal_mutex_);
  ChangeFeed::Listeners listeners = changes_.Copy();
  std::erase(listeners, listener);
  const auto before = changes_.Replace(std::move(listeners));
  index_.AwaitWriters();
}

// ---- Upkeep and figures

SharedPolicy::Fill Cache::FillLevel(const Session& session) {
  const size_t entries = index_.size();
  size_t capacity = entries;
  if (!evicting()) {
    // As many as fit if further entries are like those that are there.
    const size_t used = arena_->segment_count() - arena_->free_segments();
    const size_t usable = arena_->usable_segments();
    constexpr size_t kTelling = 2;  // segments in use from which that can be told
    capacity = used < kTelling ? std::max(entries, FirstCapacity(options_)) : entries * std::max(used, usable) / used;
  }
  const bool settled = arena_->committed_segments() <= arena_->usable_segments();
  capacity = std::min(capacity, options_.max_entries);
  // From half full on the model is kept up, so that it is fitted before the first eviction (Policy::PlanFit).
  const bool roomy = entries < capacity / 2;
  return {entries, capacity, settled, gate_.IsOwner(session), roomy};
}

void Cache::Maintain(bool idle) {
  evictor_.Tidy();
  index_.Tidy();
  if (idle) {
    arena_->DecommitFree();
  } else {
    const uint64_t now_us = NowUs();
    uint64_t due_us = decommit_due_us_.load(std::memory_order_relaxed);
    if (now_us >= due_us && decommit_due_us_.compare_exchange_strong(due_us, now_us + kDecommitUs)) {
      arena_->DecommitUnneeded();
    }
  }
  upkeep_.Step();
  PayFromBudget();
}

uint64_t Cache::Activity() const {
  CountTotals counts = sessions_.Totals();
  for (size_t space = 0; space < spaces_.size(); ++space) AddTotals(counts, CountsOf(static_cast<uint16_t>(space)));
  counts[static_cast<size_t>(Count::kForcedGcs)] = 0;  // an idle cache's own doing
  uint64_t sum = 0;
  for (const uint64_t count : counts) sum += count;
  return sum;
}

CacheUsage Cache::Usage() {
  CacheUsage usage{};
  usage.counts = sessions_.Totals();
  usage.entries = spaces_.Entries();
  usage.keyspaces = spaces_.size();
  usage.scopes = keyspaces_.scopes();
  usage.keyspaces_max = Spaces::kSpacesMax;
  usage.scopes_max = keyspaces_.scopes_max();
  for (size_t space = 0; space < spaces_.size(); ++space) {
    AddTotals(usage.counts, CountsOf(static_cast<uint16_t>(space)));
  }
  usage.indexed = index_.size();
  usage.index_bytes = index_.bytes() + tags_.bytes() + policy_.bytes();
  usage.policy_bytes = policy_.bytes();
  usage.policy_capacity = policy_.capacity();
  usage.policy_tick = policy_.tick_requests();
  usage.age_us = CoarseNowUs() - born_us_;
  usage.threshold = appraiser_.threshold();
  usage.segment_bytes = arena_->segment_bytes();
  usage.segments = arena_->segment_count();
  usage.arena_bytes = usage.segment_bytes * usage.segments;
  usage.fixed_bytes = version_words_->size() + eviction_records_.bytes() +
                      size_t{usage.segments} * (sizeof(Segment) + VictimSelector::bytes_a_segment()) + sizeof(*this);
  usage.free_segments = arena_->free_segments();
  usage.retired_segments = arena_->retired_segments();
  usage.committed_segments = arena_->committed_segments();
  usage.exposed_segments = arena_->exposed_segments();
  usage.exposure_limit = exposure_.Limit(/*prompt=*/true);
  usage.evicting = evicting();
  return usage;
}

}  // namespace zerohop
