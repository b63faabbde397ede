#include "cache/cache.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

#include "base/reserve.h"

namespace zerohop {
namespace {

size_t SegmentBytesFor(size_t max_bytes) {
  size_t segment_bytes = kSegmentBytesMax;
  while (segment_bytes > kSegmentBytesMin && max_bytes / segment_bytes < kSegmentsWanted) segment_bytes /= 2;
  return segment_bytes;
}

// Until something is known of the entries: how many there might be, and for how many the policy takes memory at first.
constexpr size_t kFirstEntryBytes = 4096;
constexpr size_t kFirstEntries = 1024;

// What the policy may take for its sketch and its learner, in parts of max_bytes: 24 to 48 bytes an entry, as long as
// that is no more.
constexpr size_t kPolicyShare = 32;

size_t FirstCapacity(const CacheOptions& options) {
  return std::min(options.max_entries, options.max_bytes / kFirstEntryBytes);
}

Policy::Options PolicyOptions(const CacheOptions& options) {
  Policy::Options of_policy;
  of_policy.kind = options.policy;
  of_policy.aging = options.aging;
  // A small cache has a small one.
  of_policy.sketch_bytes_min = std::min(of_policy.sketch_bytes_min, options.max_bytes / 64);
  of_policy.tracker_bytes_min = std::min(of_policy.tracker_bytes_min, options.max_bytes / 64);
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
      tags_(hash_key_, options.max_bytes),
      eviction_records_(options.max_bytes),
      stream_of_space_(new std::atomic<Stream*>[Spaces::kSpacesMax]()),
      evictor_({*arena, index_, epochs_, spaces_, tags_, *version_words_, policy_, eviction_records_,
                options.weigh_cost_and_bytes, seal_clock_, hash_key_, changes_, [this] { sessions_.Announce(); }}) {
  Join(&upkeep_);
  const Result<uint16_t> root = OpenSpace("", "", "bytes");
  static_cast<void>(root);
}

Cache::~Cache() {
  arena_->Close();
  arena_->Unref();
}

Result<uint16_t> Cache::OpenSpace(const std::string& name, const std::string& scope, const std::string& codec) {
  MutexLock lock(scopes_mutex_);
  if (const std::optional<uint16_t> known = spaces_.Find(name)) {
    const Spaces::Space space = spaces_.At(*known);
    if (space.scope == scope && space.codec == codec) return *known;
    // Not which scope: it may be another tenant's, and its name nobody else's business.
    const std::string why = space.scope != scope ? "in another scope" : "with codec " + space.codec + ", not " + codec;
    return Status{Code::kOptions, "keyspace '" + name + "' is open " + why + "; give one of the two another name"};
  }
  if (spaces_.size() == Spaces::kSpacesMax) {
    return Status{Code::kOptions,
                  "all " + std::to_string(Spaces::kSpacesMax) +
                      " keyspaces of the cache are taken, and stay until its last handle is closed; open one for each "
                      "kind of value, put what differs by user or request into the key, or open a cache of another "
                      "name"};
  }
  const auto known = std::find_if(scopes_.begin(), scopes_.end(), [&](const auto& one) { return one->name == scope; });
  const auto scope_id = static_cast<uint16_t>(known - scopes_.begin());
  if (known == scopes_.end()) {
    const size_t limit = ScopesMax();
    if (scopes_.size() >= limit) {
      return Status{Code::kOptions,
                    "all " + std::to_string(limit) +
                        " scopes that maxBytes allows are taken (each has segments of its own), and stay until the "
                        "last handle of the cache is closed; raise maxBytes, use fewer scopes, or open a cache of "
                        "another name"};
    }
    auto added = std::make_unique<Scope>();
    added->name = scope;
    added->newcomers = std::make_unique<Stream>(*arena_, seal_clock_, scope_id);
    EnsureRoom(scopes_, scopes_.size() + 1);  // what may run out of memory comes before what changes something
    evictor_.AddScope(scope_id, *added->newcomers);
    scopes_.push_back(std::move(added));
  }
  sessions_.ReserveSpaces(spaces_.size() + 1);
  std::optional<uint16_t> id;
  while (!(id = spaces_.Add({name, scope, codec, scope_id}))) BuryAll();
  stream_of_space_[*id].store(scopes_[scope_id]->newcomers.get(), std::memory_order_release);
  return *id;
}

// ---- Clearing

void Cache::Renew(uint16_t space) {
  // All numbers are taken by entries that nobody can find: a pass over the index frees them.
  while (!spaces_.Renew(space)) BuryAll();
}

void Cache::ClearSpace(uint16_t space, const Session* by) {
  ExclusiveGate::Pass pass(gate_, by);
  MutexLock lock(removal_mutex_);
  Renew(space);
  version_words_->AllChanged();
  changes_.Tell({Change::Why::kCleared, space, 0, {}, by});
}

void Cache::Clear(const Session* by) {
  {
    ExclusiveGate::Pass pass(gate_, by);
    MutexLock lock(removal_mutex_);
    const size_t spaces = spaces_.size();
    for (size_t space = 0; space < spaces; ++space) Renew(static_cast<uint16_t>(space));
    version_words_->AllChanged();
    for (size_t space = 0; space < spaces; ++space) {
      changes_.Tell({Change::Why::kCleared, static_cast<uint16_t>(space), 0, {}, by});
    }
  }
  // What others store from here on belongs to the new numbers, and stays.
  index_.Sweep([this](uint64_t at) {
    EntryHeader header;
    std::memcpy(&header, arena_->bytes() + at, sizeof(header));
    if (spaces_.Alive(header.space)) return false;
    evictor_.Untag(at);
    Forget(at);
    return true;
  });
  PayFromBudget();
  evictor_.RetireAll(nullptr);
  version_words_->AllChanged();  // nothing is evicted now: near caches may begin again
}

void Cache::Listen(ChangeListener* listener) {
  MutexLock lock(removal_mutex_);
  changes_.Set(listener);
  index_.AwaitWriters();
}

// Removes what is dead or past its time from one shard.
void Cache::SweepDead(size_t shard) {
  const uint64_t now = NowUs();
  Session* const session = &upkeep_;
  index_.SweepShard(shard, [this, now, session](uint64_t at) {
    Entry entry;
    if (!ReadAt(at, &entry)) return false;  // written over: found when it is asked for, or its segment evicted
    const EntryHeader& header = entry.header;
    if (spaces_.Alive(header.space)) {
      if (ExpiresUs(arena_->bytes(), at, header) > now) return false;
      const uint16_t space = spaces_.SpaceOf(header.space);
      const Bytes key(arena_->bytes() + entry.layout.key_at, header.key_bytes);
      const uint64_t hash = HashOf(space, key);
      version_words_->KeyChanged(hash);
      changes_.Tell({Change::Why::kExpired, space, hash, key, nullptr});
      spaces_.Count(header.space, -1);
      session->Of(space).Add(Count::kExpired);
    }
    evictor_.Untag(at);
    Forget(at);
    return true;
  });
}

void Cache::BuryAll() {
  MutexLock lock(upkeep_mutex_);
  const uint64_t pass = spaces_.BeginPass();
  for (size_t shard = 0; shard < Index::kShards; ++shard) SweepDead(shard);
  // A reader that asked for the number before the pass may still compare entries with it; a lookup takes microseconds.
  const uint64_t epoch = epochs_.Advance();
  while (!epochs_.Passed(epoch)) std::this_thread::yield();
  spaces_.Buried(pass);
}

// ---- Upkeep and figures

SharedPolicy::Fill Cache::FillLevel() {
  const size_t entries = index_.size();
  size_t capacity = entries;
  if (!evicting()) {
    // As many as will fit if they go on like this.
    const size_t used = arena_->segment_count() - arena_->free_segments();
    const size_t usable = arena_->usable_segments();
    constexpr size_t kTelling = 2;  // segments from which something follows
    capacity = used < kTelling ? std::max(entries, FirstCapacity(options_)) : entries * std::max(used, usable) / used;
  }
  return {entries, std::min(capacity, options_.max_entries), arena_->committed_segments() <= arena_->usable_segments()};
}

void Cache::Maintain(bool idle) {
  evictor_.Tidy();
  index_.Tidy();
  if (idle) arena_->DecommitFree();
  if (!upkeep_mutex_.TryLock()) return;  // another thread is at it
  if (spaces_.any_dead() || any_expiry_.load(std::memory_order_relaxed)) {
    if (next_shard_ == 0) pass_ = spaces_.BeginPass();
    SweepDead(next_shard_);
    next_shard_ = (next_shard_ + 1) % Index::kShards;
    if (next_shard_ == 0 && epochs_.Passed(epochs_.Advance())) spaces_.Buried(pass_);
  }
  DropOrphans();
  upkeep_mutex_.Unlock();
  PayFromBudget();
}

// Looks through a part of the tags for links that no entry has any more: JavaScript wrote over the entry that had them.
void Cache::DropOrphans() {
  constexpr size_t kPasses = Index::kShards;  // as many as a pass over the index takes
  std::array<Tags::Link, 64> links;
  const size_t slots = tags_.slots() / kPasses + 1;
  for (size_t looked = 0; looked < slots; looked += links.size()) {
    const size_t count = tags_.Look(&next_link_, std::min(links.size(), slots - looked), links);
    for (const Tags::Link& link : std::span(links).first(count)) DropOrphan(link);
  }
}

bool Cache::TryExpose(const ReadGuard&, uint32_t index, bool prompt) {
  const Segment& segment = arena_->segment(index);
  // A large value cannot be moved out of the way, so it is shown while it lasts.
  if (segment.cooling.load(std::memory_order_relaxed) && segment.view_at == 0) return false;
  const uint32_t limit = evictor_.Limit(prompt);
  // Seen by someone already: one more buffer over it pins nothing more.
  if (segment.exposures.load(std::memory_order_relaxed) == 0 &&
      arena_->exposed_segments() + segment.run_segments > limit) {
    if (prompt) evictor_.SignalPressure();
    return false;
  }
  return arena_->TryExpose(index, limit);
}

bool Cache::ShouldReleaseBuffer(uint32_t index) const {
  const Segment& segment = arena_->segment(index);
  return segment.cooling.load(std::memory_order_relaxed) ||
         segment.state.load(std::memory_order_acquire) == SegmentState::kRetired;
}

CacheUsage Cache::Usage() {
  CacheUsage usage{};
  usage.counts = sessions_.Totals();
  usage.entries = spaces_.Entries();
  usage.keyspaces = spaces_.size();
  {
    MutexLock lock(scopes_mutex_);
    usage.scopes = scopes_.size();
  }
  usage.keyspaces_max = Spaces::kSpacesMax;
  usage.scopes_max = ScopesMax();
  for (size_t space = 0; space < spaces_.size(); ++space) {
    AddTotals(usage.counts, CountsOf(static_cast<uint16_t>(space)));
  }
  usage.indexed = index_.size();
  usage.index_bytes = index_.bytes() + tags_.bytes() + policy_.bytes();
  usage.policy_bytes = policy_.bytes();
  usage.policy_capacity = policy_.capacity();
  usage.policy_tick = policy_.tick_requests();
  usage.threshold = evictor_.threshold();
  usage.segment_bytes = arena_->segment_bytes();
  usage.segments = arena_->segment_count();
  usage.arena_bytes = usage.segment_bytes * usage.segments;
  usage.fixed_bytes = version_words_->size() + eviction_records_.bytes() +
                      size_t{usage.segments} * (sizeof(Segment) + Evictor::bytes_a_segment()) + sizeof(*this);
  usage.free_segments = arena_->free_segments();
  usage.retired_segments = arena_->retired_segments();
  usage.committed_segments = arena_->committed_segments();
  usage.exposed_segments = arena_->exposed_segments();
  usage.exposure_limit = evictor_.Limit(/*prompt=*/true);
  usage.evicting = evicting();
  return usage;
}

}  // namespace zerohop
