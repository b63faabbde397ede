// session.h: one thread's part in one cache: its epoch record, its counters, its access buffer, and its buffer holder.
//
// A Session belongs to one thread, from Cache::Join to Cache::Part: an isolate's, a server worker's, or a native
// test's.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>

#include "cache/access_state.h"
#include "cache/buffer_holder.h"
#include "cache/counters.h"
#include "cache/epoch.h"
#include "cache/spaces.h"

namespace zerohop {

// A thread's lookups that the policy has not seen yet (shared_policy.h).
struct AccessBuffer {
  struct Access {
    uint64_t hash;
    uint32_t at;  // in ticks
    AccessState access_state;
  };
  static constexpr uint32_t kAccesses = 64;  // a choice: 1 KiB a thread, and one lock in 64 requests
  uint32_t requests = 0, hits = 0;
  uint32_t drain_at = kAccesses;  // requests
  uint32_t count = 0;
  std::array<Access, kAccesses> accesses;
};

struct Session {
  EpochRecord record;
  Counters counters;                      // counts that belong to no keyspace
  uint32_t verify_in = 0;                 // hits until the next sampled checksum
  uint64_t random = 0x9e3779b97f4a7c15u;  // draws the distance to the checksum after that
  uint64_t refused = 0;                   // sets that admission refused
  uint64_t spared = 0;                    // hash of an entry that this session's evictions move, never evict; 0: none
  uint64_t evicted = 0;                   // entries that this session's sets pushed out, in all keyspaces
  AccessBuffer access_buffer;
  bool verify_now = false;                           // the next hit's checksum is compared
  BufferHolder* holder = nullptr;                    // null: a thread without JavaScript
  std::chrono::steady_clock::time_point next_ask{};  // before this, others are not asked to collect (CollectionLadder)

  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    for (size_t space = 0; space < Spaces::kSpacesMax; ++space) delete by_space[space].load(std::memory_order_relaxed);
  }

  // The counters of a keyspace; if there is no memory for them, those that belong to no keyspace.  Owner only.
  Counters& Of(uint16_t space) noexcept {
    Counters* const known = by_space[space].load(std::memory_order_relaxed);
    return known != nullptr ? *known : NewOf(space);
  }
  // Any thread, while the session is in its cache's list.
  void AddTo(CountTotals& totals, uint16_t space) const {
    const Counters* const known = by_space[space].load(std::memory_order_acquire);
    if (known != nullptr) known->AddTo(totals);
  }

 private:
  [[gnu::noinline]] Counters& NewOf(uint16_t space) noexcept {
    auto* const made = new (std::nothrow) Counters();
    if (made == nullptr) return counters;
    by_space[space].store(made, std::memory_order_release);
    return *made;
  }

  std::unique_ptr<std::atomic<Counters*>[]> by_space { new std::atomic<Counters*>[ Spaces::kSpacesMax ]() };
};

// While a ReadGuard lives, no memory that its owner finds is used again.  It ends when the value is copied or its
// segment is exposed.  Make no Node-API call that may collect garbage meanwhile: every writer would wait for it. Guards
// of one session do not nest.
class ReadGuard {
 public:
  ReadGuard(const EpochDomain& epochs, Session& session) : session_(session) { epochs.Enter(session.record); }
  ~ReadGuard() { EpochDomain::Leave(session_.record); }
  // Ends it early: what it kept may be used again from now on.  Leaving once more, later, changes nothing.
  void End() { EpochDomain::Leave(session_.record); }
  ReadGuard(const ReadGuard&) = delete;
  ReadGuard& operator=(const ReadGuard&) = delete;

 private:
  Session& session_;
};

}  // namespace zerohop
