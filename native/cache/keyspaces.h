// keyspaces.h: opening and clearing keyspaces: their names, their scopes, and the streams that their entries go to.
//
//   keyspace   a name, with one scope and one codec.  Its number leads to its stream.
//   scope      a tenant.  Its entries have segments of their own, and so streams of their own.
//
// spaces.h has the numbers that entries refer to.  Clearing a keyspace gives it a new number.  When all numbers are
// taken, upkeep.h makes dead ones usable again.
//
// Threads  any.  Keyspaces and scopes are only ever added, under `mutex_`; NewcomersOf reads without it.
//          Lock order: mutex_ before upkeep, evictor and the session list.
// Limits   Spaces::kSpacesMax keyspaces; scopes_max() scopes, which follows from the number of segments
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "cache/arena.h"
#include "cache/evictor.h"
#include "cache/session_list.h"
#include "cache/spaces.h"
#include "cache/stream.h"
#include "cache/upkeep.h"

namespace zerohop {

class Keyspaces {
 public:
  // What it works on.  All of them outlive it.
  struct Parts {
    Arena& arena;
    Spaces& spaces;
    Upkeep& upkeep;
    Evictor& evictor;
    SessionList& sessions;
    std::atomic<uint64_t>& seal_clock;
  };

  explicit Keyspaces(const Parts& parts);

  // The keyspace of that name; it is added if there is none.  kOptions: it has another scope, codec or terms, or no
  // keyspace or scope can be added.  Empty terms are like any; the first who has some sets them.
  Result<uint16_t> Open(const std::string& name, const std::string& scope, const std::string& codec,
                        const std::string& terms) EXCLUDES(mutex_);

  // Gives the keyspace a new number, so that nothing stored before is found any more.
  void Renew(uint16_t space);

  // Where the keyspace's new entries go.
  Stream& NewcomersOf(uint16_t space) const { return *stream_of_space_[space].load(std::memory_order_acquire); }

  size_t scopes() const EXCLUDES(mutex_);
  // Each scope holds up to two open segments that no other scope can use.
  size_t scopes_max() const {
    return std::clamp<size_t>(parts_.arena.segment_count() / kSegmentsOfScope, 2, Evictor::kScopesMax);
  }

 private:
  static constexpr uint32_t kSegmentsOfScope = 8;  // so at most a quarter of the segments are open

  struct Scope {
    std::string name;
    std::unique_ptr<Stream> newcomers;
  };

  // The scope's number; it is added if there is none of that name.
  Result<uint16_t> ScopeOf(const std::string& name) REQUIRES(mutex_);

  const Parts parts_;
  const std::unique_ptr<std::atomic<Stream*>[]> stream_of_space_;  // Spaces::kSpacesMax of them

  mutable Mutex mutex_;
  std::vector<Scope> scopes_ GUARDED_BY(mutex_);
};

}  // namespace zerohop
