// session.h: one thread's membership of one cache: its epoch record, its counters, and its buffer
// holder.
//
// A Session belongs to one thread (an isolate, or a thread of a native test) from Cache::Join to Cache::Part.
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

// A thread's lookups that the policy has not seen yet; see shared_policy.h.
struct AccessBuffer {
  struct Access {
    uint64_t hash;
    uint32_t at;  // in ticks
    AccessState access_state;
  };
  static constexpr uint32_t kAccesses = 64;
  uint32_t requests = 0, hits = 0;
  uint32_t drain_at = kAccesses;  // requests
  uint32_t count = 0;
  std::array<Access, kAccesses> accesses;
};

struct Session {
  EpochRecord record;
  Counters counters;                      // of no keyspace
  uint32_t verify_in = 0;                 // hits until the next sampled checksum
  uint64_t random = 0x9e3779b97f4a7c15u;  // draws the distance to the one after
  uint64_t refused = 0;                   // by the policy
  uint64_t spared = 0;                    // hash of an entry that its evictions move and never evict; 0: none
  uint64_t evicted = 0;                   // entries that its sets pushed out, all keyspaces
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

  // The counters of a keyspace; without memory for them, those of none.  Owner only.
  Counters& Of(uint16_t space) noexcept {
    Counters* known = by_space[space].load(std::memory_order_relaxed);
    if (known == nullptr) [[unlikely]] {
      known = new (std::nothrow) Counters();
      if (known == nullptr) return counters;
      by_space[space].store(known, std::memory_order_release);
    }
    return *known;
  }
  // Any thread, while the session is in its cache's list.
  void AddTo(CountTotals& totals, uint16_t space) const {
    const Counters* const known = by_space[space].load(std::memory_order_acquire);
    if (known != nullptr) known->AddTo(totals);
  }

 private:
  std::unique_ptr<std::atomic<Counters*>[]> by_space { new std::atomic<Counters*>[ Spaces::kSpacesMax ]() };
};

// While it lives, the memory of what the owner finds is not reused.  It ends when the value is copied or its segment is
// exposed.  Make no Node-API call that may collect garbage meanwhile: every writer would wait for it.  Do not nest.
class ReadGuard {
 public:
  ReadGuard(const EpochDomain& epochs, Session& session) : session_(session) { epochs.Enter(session.record); }
  ~ReadGuard() { EpochDomain::Leave(session_.record); }
  ReadGuard(const ReadGuard&) = delete;
  ReadGuard& operator=(const ReadGuard&) = delete;

 private:
  Session& session_;
};

}  // namespace zerohop
