// cache.h: the engine: keys and values in segments, found through the index, evicted by segments.
//
//   Set   reserve in a stream -> write -> point the index at it            (no room: the evictor makes some)
//   Find  index -> compare the key in the entry -> where the value lies    (under a ReadGuard)
//
// A value's bytes never change or move while they can be seen: overwriting appends, deleting only forgets, and a
// segment is reused when neither the index, nor a reader, nor an exposure refers to it.
//
// Threads    any, each with a Session of its own.  Lock order in base/mutex.h.
// Limits     key 0..65 535 bytes; value up to half of the arena, and less than 4 GiB.
// Memory     segments + index <= max_bytes.  Fixed, beyond that: 64 bytes a segment, this object, and while the index
//            grows, old and new array of one shard of 64, and a segment until the next eviction.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/mutex.h"
#include "base/status.h"
#include "cache/arena.h"
#include "cache/epoch.h"
#include "cache/evictor.h"
#include "cache/index.h"
#include "cache/session.h"
#include "cache/stream.h"

namespace zerohop {

enum class Verify : uint8_t {
  kOff,
  kSample,  // the checksum of every kVerifyEvery-th hit
  kTrap,    // JavaScript gets a write-protected mapping, and every hit's checksum is compared
};

struct CacheOptions {
  size_t max_bytes = 0;
  Verify verify = Verify::kSample;
  bool operator==(const CacheOptions&) const = default;
};

using Bytes = std::span<const std::byte>;

// Where a value lies.  Valid while the ReadGuard it was found under lives, or an exposure of `segment`.
struct Hit {
  uint32_t segment;
  uint32_t bytes;
  uint64_t at;  // of the value, an arena offset
  uint64_t entry_at;
  bool cooling;  // the segment is next in line for eviction
};

enum class SetOutcome { kStored, kRefusedPinned, kRefusedReaders, kRefusedMemory, kTooLarge };

struct CacheUsage {
  CountTotals counts{};
  size_t entries, index_bytes, arena_bytes, segment_bytes;
  uint32_t segments, free_segments, retired_segments, committed_segments, exposed_segments, exposure_limit;
  bool evicting;
};

class Cache {
 public:
  static Result<std::unique_ptr<Cache>> Create(const CacheOptions& options);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // A keyspace: its keys are apart from all others'.  The same name again must come with the same scope and codec.
  // Scopes other than "" (public) get segments of their own.  Space 0 is the cache itself: bytes, public.
  Result<uint16_t> OpenSpace(const std::string& name, const std::string& scope, const std::string& codec)
      EXCLUDES(spaces_mutex_);

  void Join(Session* session);
  void Part(Session* session);  // its counts stay
  const EpochDomain& epochs() const { return epochs_; }

  // kPeek: not counted, neither as a lookup nor as a use of the entry.
  enum class Use { kCount, kPeek };
  std::optional<Hit> Find(const ReadGuard& guard, Session& session, uint16_t space, Bytes key, Use use = Use::kCount);
  bool Has(uint16_t space, Bytes key);

  // Copies `value` in.  Refused: nothing is stored, and an older value of the key is gone too, so that no one reads
  // what the caller meant to replace.  Too large is the caller's mistake, and changes nothing.  `value` may be memory
  // that others write: then the copy may be torn.
  SetOutcome Set(Session& session, uint16_t space, Bytes key, Bytes value);
  bool Delete(Session& session, uint16_t space, Bytes key);
  void Clear();

  // The largest value that `Set` can take with a key of `key_bytes`.
  size_t ValueBytesMax(size_t key_bytes) const;

  // Exposure.  See Arena; the limit follows from how far reclamation lags.
  // `prompt`: see Evictor::Limit.
  bool TryExpose(const ReadGuard& guard, uint32_t segment, bool prompt);
  // For a hit whose segment cools: moves the entry to one that does not, and returns where it is then.
  std::optional<Hit> Rescue(const ReadGuard& guard, uint16_t space, Bytes key, const Hit& hit);
  // Grows when segments have begun to cool or were retired: buffers over them should be let go of.
  uint32_t notice() const { return evictor_.notice(); }
  bool ShouldLetGo(uint32_t segment) const;
  void Taint(uint32_t segment) { arena_->segment(segment).tainted.store(true, std::memory_order_relaxed); }
  bool evicting() const { return evictor_.evicting(); }
  Evictor::Want want() const { return evictor_.want(); }
  void Satisfy() { evictor_.Satisfy(); }

  Arena& arena() const { return *arena_; }
  const CacheOptions& options() const { return options_; }

  // Frees what nobody sees any more; `idle`: give free segments' pages back too.
  void Maintain(bool idle);
  CacheUsage Usage();

 private:
  static constexpr uint32_t kVerifyEvery = 256;

  Cache(const CacheOptions& options, Arena* arena);

  struct Space {
    std::string name, scope, codec;
    uint16_t scope_id;
  };
  struct Scope {
    std::string name;
    std::unique_ptr<Stream> newcomers;
  };
  static constexpr size_t kSpacesMax = 1024;

  uint64_t HashOf(uint16_t space, Bytes key) const { return HashInSpace(hash_key_, space, key.data(), key.size()); }
  static bool SampleIsDue(Session& session);
  // True if the entry at `at` has this key; fills `entry`.
  bool Matches(uint64_t at, uint16_t space, Bytes key, Entry* entry) const;
  Stream& NewcomersOf(uint16_t space);
  SetOutcome SetSmall(Session& session, uint16_t space, uint64_t hash, Bytes key, Bytes value);
  SetOutcome SetLarge(Session& session, uint16_t space, uint64_t hash, Bytes key, Bytes value);
  void Write(const Reservation& reservation, uint16_t space, Bytes key, Bytes value);
  bool Publish(const Reservation& reservation, uint16_t space, uint64_t hash, Bytes key);
  void Forget(uint64_t at);
  bool IsLarge(size_t key_bytes, size_t value_bytes) const;

  const CacheOptions options_;
  const HashKey hash_key_;
  Arena* const arena_;  // one reference of it is ours
  EpochDomain epochs_;
  Index index_;
  std::atomic<uint64_t> seal_clock_{1};

  // Spaces and scopes are only ever added: readers go through the snapshot pointers below without the lock.
  Mutex spaces_mutex_;
  std::vector<Space> spaces_ GUARDED_BY(spaces_mutex_);
  std::vector<std::unique_ptr<Scope>> scopes_ GUARDED_BY(spaces_mutex_);
  std::unique_ptr<std::atomic<Stream*>[]> stream_of_space_;  // kSpacesMax of them

  Evictor evictor_;

  Mutex sessions_mutex_;
  std::vector<Session*> sessions_ GUARDED_BY(sessions_mutex_);
  CountTotals departed_ GUARDED_BY(sessions_mutex_){};
};

}  // namespace zerohop
