// client.h: what an isolate is to the engine, for tests: a session of a cache, and views that pin segments.
//
// A View is an exposure: the bytes behind it must never change while it lives, whatever happens to the cache.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "base/clock.h"
#include "cache/cache.h"
#include "check.h"

namespace zerohop::testing {

using Names = std::vector<std::string_view>;  // of tags

inline Bytes AsBytes(std::string_view text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }

// `text` repeated up to `bytes`.
inline std::string Filled(std::string_view text, size_t bytes) {
  std::string value;
  value.reserve(bytes + text.size());
  value = text;
  // By doubling: under a sanitizer, byte by byte takes long.
  while (value.size() < bytes) value.append(value, 0, bytes - value.size());
  value.resize(bytes);
  return value;
}

// Appended: g++ 12 warns wrongly of `what + std::to_string(number)` (bug 105651).
inline std::string Numbered(std::string_view what, uint64_t number) {
  return std::string(what).append(std::to_string(number));
}

constexpr size_t kMiB = size_t{1} << 20;

inline std::unique_ptr<Cache> MakeCache(size_t max_bytes = kMaxBytesMin, Verify verify = Verify::kSample,
                                        size_t max_entries = SIZE_MAX) {
  Result<std::unique_ptr<Cache>> made = Cache::Create({max_bytes, verify, max_entries});
  REQUIRE(made.ok());
  return std::move(made.value());
}

// Times that are over, or that no test lives to see.
inline constexpr uint64_t kLongAgoUs = 1;
inline uint64_t InAnHourUs() { return NowUs() + uint64_t{3600} * 1000 * 1000; }

inline uint16_t OpenedSpace(Cache& cache, const std::string& name, const std::string& scope = "") {
  Result<uint16_t> space = cache.OpenSpace(name, scope, "bytes");
  REQUIRE(space.ok());
  return space.value();
}

// One exposure of the segment a value lies in.
class View {
 public:
  // REQUIRES: the arena counted this exposure already.
  View(Arena& arena, const Hit& hit)
      : arena_(&arena), segment_(hit.segment), data_(arena.exposed_bytes() + hit.at), bytes_(hit.bytes) {
    checksum_ = Checksum(data_, bytes_);
  }
  View(View&& other) noexcept { *this = std::move(other); }
  View& operator=(View&& other) noexcept {
    std::swap(arena_, other.arena_);
    std::swap(segment_, other.segment_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(checksum_, other.checksum_);
    return *this;
  }
  ~View() {
    if (arena_ != nullptr) arena_->Unexpose(segment_);
  }

  uint32_t segment() const { return segment_; }
  std::string_view shown() const { return {reinterpret_cast<const char*>(data_), bytes_}; }
  // What JavaScript can reach through `.buffer`, and write to unless the cache traps.
  std::byte* data() const { return const_cast<std::byte*>(data_); }
  // The bytes are those that were there when the view was made.
  bool Unchanged() const { return Checksum(data_, bytes_) == checksum_; }

 private:
  Arena* arena_ = nullptr;
  uint32_t segment_ = 0;
  const std::byte* data_ = nullptr;
  uint32_t bytes_ = 0;
  uint32_t checksum_ = 0;
};

// One thread's use of a cache.
class Client {
 public:
  explicit Client(Cache& cache) : cache_(cache) { cache_.Join(&session_); }
  ~Client() { cache_.Part(&session_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  SetOutcome Set(std::string_view key, std::string_view value, uint16_t space = 0, const StoreOptions& options = {}) {
    return cache_.Set(session_, space, AsBytes(key), AsBytes(value), options);
  }
  SetOutcome SetUntil(uint64_t expires_us, std::string_view key, std::string_view value, uint16_t space = 0) {
    return Set(key, value, space, {.expires_us = expires_us});
  }
  SetOutcome SetTagged(const Names& tags, std::string_view key, std::string_view value, uint16_t space = 0) {
    return Set(key, value, space, {.tags = tags});
  }
  std::optional<SetOutcome> Touch(std::string_view key, std::optional<uint64_t> expires_us = {}, uint16_t space = 0) {
    return cache_.Touch(session_, space, AsBytes(key), expires_us);
  }
  size_t DeleteByTag(std::string_view tag, uint16_t space = 0) { return cache_.DeleteByTag(session_, space, tag); }
  bool Delete(std::string_view key, uint16_t space = 0) { return cache_.Delete(session_, space, AsBytes(key)); }
  bool Has(std::string_view key, uint16_t space = 0) {
    ReadGuard guard(cache_.epochs(), session_);
    return cache_.Has(guard, session_, space, AsBytes(key));
  }

  // A copy of the value.
  std::optional<std::string> Get(std::string_view key, uint16_t space = 0) {
    ReadGuard guard(cache_.epochs(), session_);
    const Hit hit = cache_.Find(guard, session_, space, AsBytes(key));
    if (!hit) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(cache_.arena().bytes() + hit.at), hit.bytes);
  }

  // Up to Cache::kBatchMax of them by FindMany.
  std::vector<std::optional<std::string>> GetMany(const std::vector<std::string>& keys, uint16_t space = 0) {
    std::vector<Bytes> asked;
    for (const std::string& key : keys) asked.push_back(AsBytes(key));
    std::vector<Hit> hits(keys.size());
    ReadGuard guard(cache_.epochs(), session_);
    cache_.FindMany(guard, session_, space, asked, hits);
    std::vector<std::optional<std::string>> values;
    for (const Hit& hit : hits) {
      values.push_back(
          hit ? std::optional(std::string(reinterpret_cast<const char*>(cache_.arena().bytes() + hit.at), hit.bytes))
              : std::nullopt);
    }
    return values;
  }

  std::optional<EntryFacts> Describe(std::string_view key, uint16_t space = 0) {
    ReadGuard guard(cache_.epochs(), session_);
    return cache_.Describe(guard, session_, space, AsBytes(key));
  }

  // What a near cache would remember of the key, without a lookup that counts.
  Cache::VersionMark Mark(std::string_view key, uint16_t space = 0) {
    ReadGuard guard(cache_.epochs(), session_);
    Cache::VersionMark mark{};
    cache_.Find(guard, session_, space, AsBytes(key), Cache::Use::kPeek, &mark);
    return mark;
  }

  // Where the value lies now; for tests that look behind the scenes.
  std::optional<Hit> Locate(std::string_view key, uint16_t space = 0) {
    ReadGuard guard(cache_.epochs(), session_);
    const Hit hit = cache_.Find(guard, session_, space, AsBytes(key), Cache::Use::kPeek);
    return hit ? std::optional(hit) : std::nullopt;
  }

  // A view of the value as the binding makes it, moved out of a cooling segment first; none on a miss, or where the
  // segment may not be exposed.  `refused`, if given, tells the two apart.
  std::optional<View> Expose(std::string_view key, uint16_t space = 0, bool* refused = nullptr) {
    ReadGuard guard(cache_.epochs(), session_);
    Hit hit = cache_.Find(guard, session_, space, AsBytes(key));
    if (refused != nullptr) *refused = false;
    if (!hit) return std::nullopt;
    if (hit.cooling) {
      if (const Hit rescued = cache_.Rescue(guard, space, AsBytes(key), hit)) hit = rescued;
    }
    if (!cache_.exposure().TryExpose(guard, hit.segment, /*prompt=*/true)) {
      if (refused != nullptr) *refused = true;
      return std::nullopt;
    }
    return View(cache_.arena(), hit);
  }

  // As if a caller that asks for no permission exposed it: more segments than Limit() would allow.
  std::optional<View> ExposeUnlimited(std::string_view key, uint16_t space = 0) {
    ReadGuard guard(cache_.epochs(), session_);
    const Hit hit = cache_.Find(guard, session_, space, AsBytes(key), Cache::Use::kPeek);
    if (!hit || !cache_.arena().TryExpose(hit.segment, UINT32_MAX)) return std::nullopt;
    return View(cache_.arena(), hit);
  }

  // Of all keyspaces.
  uint64_t Counted(Count which) const {
    CountTotals totals{};
    session_.counters.AddTo(totals);
    for (size_t space = 0; space < cache_.space_count(); ++space) session_.AddTo(totals, static_cast<uint16_t>(space));
    return totals[static_cast<size_t>(which)];
  }
  Session& session() { return session_; }
  Cache& cache() { return cache_; }

 private:
  Cache& cache_;
  Session session_;
};

// So many requests of another thread that the policy's clock goes on: what is asked for next is not asked for within
// the same tick.
inline void PassTick(Cache& cache, uint16_t space = 0) {
  constexpr const char* kKey = "that PassTick asks for";
  Client client(cache);
  CHECK_EQ(client.Set(kKey, "", space), SetOutcome::kStored);
  for (uint32_t i = 0; i < 2 * AccessBuffer::kAccesses; ++i)
    client.Get(kKey, space);  // from then on the tick's length is known
  for (uint32_t left = cache.Usage().policy_tick + AccessBuffer::kAccesses; left > 0; --left) client.Get(kKey, space);
  CHECK(client.Delete(kKey, space));
}

// The keys of a keyspace, each as often as Scan tells it.
inline std::vector<std::string> ScannedKeys(Cache& cache, uint16_t space = 0) {
  Client client(cache);
  std::vector<std::string> keys;
  for (size_t shard = 0; shard < Index::kShards; ++shard) {
    for (const ScannedKey& key : cache.Scan(client.session(), shard, space)) {
      keys.emplace_back(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size());
    }
  }
  return keys;
}

// Upkeep passes over the whole index: what is dead or past its time has left.
inline void Settle(Cache& cache) {
  for (size_t i = 0; i < 2 * Index::kShards; ++i) cache.Maintain(/*idle=*/false);
}

// Every live entry is in the index once, and in its segment's count.  REQUIRES: no other thread uses the cache.
inline void CheckCountsAgree(Cache& cache) {
  size_t live = 0;
  for (uint32_t index = 0; index < cache.arena().segment_count(); ++index) {
    live += cache.arena().segment(index).live_entries.load();
    CHECK_EQ(cache.arena().segment(index).writers.load(), 0u);
  }
  CHECK_EQ(live, cache.Usage().indexed);
}

// After that, and upkeep: a keyspace's count is the number of its keys, and nothing else is in the index.
// REQUIRES: nobody wrote through a view.
inline void CheckSettledCountsAgree(Cache& cache) {
  CheckCountsAgree(cache);
  Settle(cache);
  CheckCountsAgree(cache);
  size_t entries = 0;
  for (size_t space = 0; space < cache.space_count(); ++space) {
    const std::vector<std::string> keys = ScannedKeys(cache, static_cast<uint16_t>(space));
    CHECK_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
    CHECK_EQ(cache.EntriesOf(static_cast<uint16_t>(space)), keys.size());
    entries += keys.size();
  }
  CHECK_EQ(cache.Usage().indexed, entries);
}

}  // namespace zerohop::testing
