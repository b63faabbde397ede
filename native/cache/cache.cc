#include "cache/cache.h"

#include <algorithm>
#include <cstring>

#include "base/checksum.h"
#include "cache/entry.h"

namespace zerohop {
namespace {

// Left for the evictor when newcomers take segments: survivors are copied before their segment is free.
constexpr uint32_t kSpareSegments = 1;

// How often a set goes back to the evictor when other threads take the room it was given.
constexpr int kRoomAttempts = 16;

size_t SegmentBytesFor(size_t max_bytes) {
  size_t segment_bytes = kSegmentBytesMax;
  while (segment_bytes > kSegmentBytesMin && max_bytes / segment_bytes < kSegmentsWanted) segment_bytes /= 2;
  return segment_bytes;
}

}  // namespace

Result<std::unique_ptr<Cache>> Cache::Create(const CacheOptions& options) {
  if (options.max_bytes < kMaxBytesMin || options.max_bytes > Index::kArenaBytesMax) {
    return Status{Code::kInvalid, "maxBytes must lie between 1 MiB and 512 GiB"};
  }
  const MappingKind kind = options.verify == Verify::kTrap ? MappingKind::kMirrored : MappingKind::kPrivate;
  Result<Arena*> arena = Arena::Create(options.max_bytes, SegmentBytesFor(options.max_bytes), kind);
  if (!arena.ok()) return arena.status();
  return std::unique_ptr<Cache>(new Cache(options, arena.value()));
}

Cache::Cache(const CacheOptions& options, Arena* arena)
    : options_(options),
      hash_key_(ProcessHashKey()),
      arena_(arena),
      stream_of_space_(new std::atomic<Stream*>[kSpacesMax]()),
      evictor_({*arena, index_, epochs_, seal_clock_, hash_key_, [this] {
                  MutexLock lock(sessions_mutex_);
                  for (Session* session : sessions_) {
                    if (session->listener != nullptr) session->listener->OnNotice();
                  }
                }}) {
  const Result<uint16_t> root = OpenSpace("", "", "bytes");
  static_cast<void>(root);
}

Cache::~Cache() {
  arena_->Close();
  arena_->Unref();
}

Result<uint16_t> Cache::OpenSpace(const std::string& name, const std::string& scope, const std::string& codec) {
  MutexLock lock(spaces_mutex_);
  for (size_t id = 0; id < spaces_.size(); ++id) {
    const Space& space = spaces_[id];
    if (space.name != name) continue;
    if (space.scope == scope && space.codec == codec) return static_cast<uint16_t>(id);
    return Status{Code::kOptions, "keyspace '" + name + "' is open with scope '" + space.scope + "' and codec " +
                                      space.codec + ", not scope '" + scope + "' and codec " + codec};
  }
  if (spaces_.size() == kSpacesMax) {
    return Status{Code::kOptions, "a cache has at most " + std::to_string(kSpacesMax) + " keyspaces"};
  }
  const auto known = std::find_if(scopes_.begin(), scopes_.end(), [&](const auto& one) { return one->name == scope; });
  const auto scope_id = static_cast<uint16_t>(known - scopes_.begin());
  if (known == scopes_.end()) {
    // Each scope holds up to two open segments that no other scope can use.
    const size_t limit = std::max<size_t>(2, arena_->segment_count() / 8);
    if (scopes_.size() >= limit) {
      return Status{Code::kOptions, "maxBytes allows at most " + std::to_string(limit) +
                                        " scopes, each of which has segments of its own; raise maxBytes"};
    }
    auto added = std::make_unique<Scope>();
    added->name = scope;
    added->newcomers = std::make_unique<Stream>(*arena_, seal_clock_, scope_id);
    scopes_.push_back(std::move(added));
    evictor_.AddScope(scope_id);
  }
  spaces_.push_back({name, scope, codec, scope_id});
  const size_t id = spaces_.size() - 1;
  stream_of_space_[id].store(scopes_[scope_id]->newcomers.get(), std::memory_order_release);
  return static_cast<uint16_t>(id);
}

void Cache::Join(Session* session) {
  epochs_.Add(&session->record);
  MutexLock lock(sessions_mutex_);
  sessions_.push_back(session);
}

void Cache::Part(Session* session) {
  epochs_.Remove(&session->record);
  MutexLock lock(sessions_mutex_);
  sessions_.erase(std::remove(sessions_.begin(), sessions_.end(), session), sessions_.end());
  session->counters.AddTo(departed_);
}

bool Cache::Matches(uint64_t at, uint16_t space, Bytes key, Entry* entry) const {
  // The value's first line is fetched together with the header: whoever finds the entry will read it.
  __builtin_prefetch(arena_->bytes() + LayOut(at, key.size(), kWideValueBytes).value_at);
  const uint32_t index = arena_->SegmentOf(at);
  const uint64_t limit =
      arena_->StartOf(index) + uint64_t{arena_->segment(index).run_segments} * arena_->segment_bytes();
  const std::optional<Entry> found = ReadEntry(arena_->bytes(), at, limit);
  if (!found || found->header.space != space || found->header.key_bytes != key.size()) return false;
  if (!key.empty() && std::memcmp(arena_->bytes() + found->layout.key_at, key.data(), key.size()) != 0) return false;
  *entry = *found;
  return true;
}

// One hit in kVerifyEvery on average, at irregular distances: a fixed one would never see some keys of a steady
// pattern.
bool Cache::SampleIsDue(Session& session) {
  if (session.verify_in-- > 0) return false;
  session.random = session.random * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX generator
  session.verify_in = static_cast<uint32_t>(session.random >> 33) % (2 * kVerifyEvery - 1);
  return true;
}

std::optional<Hit> Cache::Find(const ReadGuard&, Session& session, uint16_t space, Bytes key, Use use) {
  const uint64_t hash = HashOf(space, key);
  const bool counts = use == Use::kCount;
  Entry entry;
  const std::optional<uint64_t> at =
      index_.Find(hash, counts ? Index::Touch::kCount : Index::Touch::kNone,
                  [&](uint64_t candidate) { return Matches(candidate, space, key, &entry); });
  if (!at) {
    if (counts) session.counters.Add(Count::kMisses);
    return std::nullopt;
  }
  const uint32_t segment = arena_->SegmentOf(*at);
  const bool tainted = arena_->segment(segment).tainted.load(std::memory_order_relaxed);
  const bool due =
      options_.verify == Verify::kTrap || (options_.verify == Verify::kSample && (SampleIsDue(session) || tainted));
  if (due && !Intact(arena_->bytes(), entry)) {
    if (index_.Remove(hash, [&at](uint64_t each) { return each == *at; })) Forget(*at);
    session.counters.Add(Count::kCorrupted);
    if (counts) session.counters.Add(Count::kMisses);
    return std::nullopt;
  }
  if (counts) session.counters.Add(Count::kHits);
  return Hit{segment, entry.header.value_bytes, entry.layout.value_at, *at,
             arena_->segment(segment).cooling.load(std::memory_order_relaxed)};
}

std::optional<Hit> Cache::Rescue(const ReadGuard&, uint16_t space, Bytes key, const Hit& hit) {
  Entry entry;
  if (!Matches(hit.entry_at, space, key, &entry)) return std::nullopt;  // written over meanwhile: a copy will show it
  const auto to = evictor_.Rescue(entry, hit.entry_at, HashOf(space, key));
  if (!to) return std::nullopt;
  const EntryLayout layout = LayOut(*to, entry.header.key_bytes, entry.header.value_bytes);
  return Hit{arena_->SegmentOf(*to), entry.header.value_bytes, layout.value_at, *to, false};
}

bool Cache::Has(uint16_t space, Bytes key) {
  Entry entry;
  return index_
      .Find(HashOf(space, key), Index::Touch::kNone,
            [&](uint64_t candidate) { return Matches(candidate, space, key, &entry); })
      .has_value();
}

void Cache::Forget(uint64_t at) {
  arena_->segment(arena_->SegmentOf(at)).live_entries.fetch_sub(1, std::memory_order_release);
}

bool Cache::Delete(Session& session, uint16_t space, Bytes key) {
  Entry entry;
  const std::optional<uint64_t> at =
      index_.Remove(HashOf(space, key), [&](uint64_t candidate) { return Matches(candidate, space, key, &entry); });
  if (!at) return false;
  Forget(*at);
  session.counters.Add(Count::kDeletes);
  return true;
}

Stream& Cache::NewcomersOf(uint16_t space) { return *stream_of_space_[space].load(std::memory_order_acquire); }

bool Cache::IsLarge(size_t key_bytes, size_t value_bytes) const {
  return EntryBytesMax(key_bytes, value_bytes) > arena_->segment_bytes() / kLargeShare;
}

size_t Cache::ValueBytesMax(size_t key_bytes) const {
  const size_t run = size_t{arena_->segment_count() / 2} * arena_->segment_bytes();
  const size_t around = EntryBytesMax(key_bytes, 0) + kCacheLineBytes;
  return std::min<size_t>(run - around, UINT32_MAX - kHugePageBytes);
}

SetOutcome Cache::Set(Session& session, uint16_t space, Bytes key, Bytes value) {
  if (value.size() > ValueBytesMax(key.size())) return SetOutcome::kTooLarge;
  const uint64_t hash = HashOf(space, key);
  const SetOutcome outcome = IsLarge(key.size(), value.size()) ? SetLarge(session, space, hash, key, value)
                                                               : SetSmall(session, space, hash, key, value);
  switch (outcome) {
    case SetOutcome::kStored: session.counters.Add(Count::kSets); return outcome;
    case SetOutcome::kRefusedPinned: session.counters.Add(Count::kRefusedPinned); break;
    case SetOutcome::kRefusedReaders: session.counters.Add(Count::kRefusedReaders); break;
    case SetOutcome::kRefusedMemory: session.counters.Add(Count::kRefusedMemory); break;
    case SetOutcome::kTooLarge: return outcome;
  }
  Entry entry;
  const auto old = index_.Remove(hash, [&](uint64_t at) { return Matches(at, space, key, &entry); });
  if (old) Forget(*old);
  return outcome;
}

SetOutcome Cache::SetSmall(Session& session, uint16_t space, uint64_t hash, Bytes key, Bytes value) {
  Stream& stream = NewcomersOf(space);
  for (int attempt = 0; attempt < kRoomAttempts; ++attempt) {
    const std::optional<Reservation> room = stream.Reserve(key.size(), value.size(), kSpareSegments);
    if (room) {
      Write(*room, space, key, value);
      const bool stored = Publish(*room, space, hash, key);
      stream.Finish(*room);
      return stored ? SetOutcome::kStored : SetOutcome::kRefusedMemory;
    }
    switch (evictor_.MakeRoom(session, kSpareSegments)) {
      case Evictor::Outcome::kMadeRoom: break;
      case Evictor::Outcome::kPinned: return SetOutcome::kRefusedPinned;
      case Evictor::Outcome::kReaders: return SetOutcome::kRefusedReaders;
    }
  }
  return SetOutcome::kRefusedPinned;
}

SetOutcome Cache::SetLarge(Session& session, uint16_t space, uint64_t hash, Bytes key, Bytes value) {
  const size_t bytes = EntryBytesMax(key.size(), value.size());
  const auto count = static_cast<uint32_t>((bytes + arena_->segment_bytes() - 1) / arena_->segment_bytes());
  uint32_t first = 0;
  switch (evictor_.MakeRun(session, count, kSpareSegments, &first)) {
    case Evictor::Outcome::kMadeRoom: break;
    case Evictor::Outcome::kPinned: return SetOutcome::kRefusedPinned;
    case Evictor::Outcome::kReaders: return SetOutcome::kRefusedReaders;
  }
  const uint64_t at = arena_->StartOf(first);
  const Reservation room{first, at, LayOut(at, key.size(), value.size())};
  Segment& segment = arena_->segment(first);
  arena_->Own(first, NewcomersOf(space).scope());
  segment.used_bytes = room.layout.end - at;
  segment.view_at = static_cast<uint32_t>(room.layout.value_at - at);
  segment.view_bytes = static_cast<uint32_t>(value.size());
  segment.writers.fetch_add(1, std::memory_order_relaxed);
  segment.sealed_at = seal_clock_.fetch_add(1, std::memory_order_relaxed);
  Write(room, space, key, value);
  const bool stored = Publish(room, space, hash, key);
  segment.state.store(SegmentState::kSealed, std::memory_order_release);
  segment.writers.fetch_sub(1, std::memory_order_release);
  return stored ? SetOutcome::kStored : SetOutcome::kRefusedMemory;
}

void Cache::Write(const Reservation& room, uint16_t space, Bytes key, Bytes value) {
  std::byte* arena = arena_->bytes();
  if (!key.empty()) std::memcpy(arena + room.layout.key_at, key.data(), key.size());
  if (!value.empty()) std::memcpy(arena + room.layout.value_at, value.data(), value.size());
  // The checksum of what was stored, not of the source: the source may be shared memory that changes meanwhile.
  const uint32_t checksum = options_.verify == Verify::kOff ? 0 : Checksum(arena + room.layout.value_at, value.size());
  const EntryHeader header{static_cast<uint32_t>(value.size()), checksum, static_cast<uint16_t>(key.size()), space, 0};
  std::memcpy(arena + room.entry_at, &header, sizeof(header));
}

bool Cache::Publish(const Reservation& room, uint16_t space, uint64_t hash, Bytes key) {
  Segment& segment = arena_->segment(room.segment);
  // Counted before it can be seen: another thread may replace the entry at once and count it down.
  segment.live_entries.fetch_add(1, std::memory_order_relaxed);
  Entry entry;
  const Index::Upserted upserted =
      index_.Upsert(hash, room.entry_at, [&](uint64_t at) { return Matches(at, space, key, &entry); });
  if (!upserted.stored) segment.live_entries.fetch_sub(1, std::memory_order_relaxed);
  if (upserted.replaced) Forget(*upserted.replaced);
  arena_->Withhold(static_cast<uint32_t>((index_.bytes() + arena_->segment_bytes() - 1) / arena_->segment_bytes()));
  return upserted.stored;
}

void Cache::Clear() {
  {
    MutexLock lock(spaces_mutex_);
    for (const auto& scope : scopes_) scope->newcomers->SealOpen();
  }
  index_.Sweep([this](uint64_t at) {
    Forget(at);
    return true;
  });
  evictor_.RetireAll(nullptr);
}

bool Cache::TryExpose(const ReadGuard&, uint32_t index, bool prompt) {
  const Segment& segment = arena_->segment(index);
  // A large value can not be moved out of the way, so it is shown while it lasts.
  if (segment.cooling.load(std::memory_order_relaxed) && segment.view_at == 0) return false;
  const uint32_t limit = evictor_.Limit(prompt);
  // Seen by someone already: one more buffer over it pins nothing more.
  if (segment.exposures.load(std::memory_order_relaxed) == 0 &&
      arena_->exposed_segments() + segment.run_segments > limit) {
    return false;
  }
  return arena_->TryExpose(index, limit);
}

bool Cache::ShouldLetGo(uint32_t index) const {
  const Segment& segment = arena_->segment(index);
  return segment.cooling.load(std::memory_order_relaxed) ||
         segment.state.load(std::memory_order_acquire) == SegmentState::kRetired;
}

void Cache::Maintain(bool idle) {
  evictor_.Tidy();
  if (idle) arena_->DecommitFree();
}

CacheUsage Cache::Usage() {
  CacheUsage usage{};
  {
    MutexLock lock(sessions_mutex_);
    usage.counts = departed_;
    for (const Session* session : sessions_) session->counters.AddTo(usage.counts);
  }
  usage.entries = index_.size();
  usage.index_bytes = index_.bytes();
  usage.segment_bytes = arena_->segment_bytes();
  usage.segments = arena_->segment_count();
  usage.arena_bytes = usage.segment_bytes * usage.segments;
  usage.free_segments = arena_->free_segments();
  usage.retired_segments = arena_->retired_segments();
  usage.committed_segments = arena_->committed_segments();
  usage.exposed_segments = arena_->exposed_segments();
  usage.exposure_limit = evictor_.Limit(/*prompt=*/true);
  usage.evicting = evicting();
  return usage;
}

}  // namespace zerohop
