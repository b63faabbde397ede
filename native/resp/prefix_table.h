// prefix_table.h: which clients want to hear of every key that begins with what (CLIENT TRACKING … BCAST).
//
// Keys that change are collected at each prefix, and handed out together: `Collect` at every change, `HandOut` now and
// then.  A key that changes twice in between is told once, as changed by the last client that did.
//
// Threads  any.  The lock is a leaf, but for what `HandOut` calls: that takes a worker's mailbox.
// Memory   keys that were collected and not handed out, once a prefix.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/mutex.h"

namespace zerohop::resp {

class PrefixTable {
 public:
  using Keys = std::map<std::string, uint64_t, std::less<>>;  // and who changed it: a client, or 0

  // `no_loop`: given to HandOut again, and may change.
  void Add(std::string_view prefix, uint64_t client, bool no_loop) {
    MutexLock lock(mutex_);
    prefixes_.try_emplace(std::string(prefix)).first->second.clients.insert_or_assign(client, no_loop);
    count_.store(prefixes_.size(), std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  void Remove(std::string_view prefix, uint64_t client) {
    MutexLock lock(mutex_);
    const auto found = prefixes_.find(prefix);
    if (found == prefixes_.end()) return;
    found->second.clients.erase(client);
    if (found->second.clients.empty()) prefixes_.erase(found);
    count_.store(prefixes_.size(), std::memory_order_relaxed);
  }

  // Notes that the key changed.  True if nothing was collected before: somebody must call HandOut soon.
  bool Collect(std::string_view key, uint64_t changed_by) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (count_.load(std::memory_order_relaxed) == 0) return false;
    MutexLock lock(mutex_);
    const bool was_empty = !collected_;
    for (auto& [prefix, state] : prefixes_) {
      if (!key.starts_with(prefix)) continue;
      state.keys.insert_or_assign(std::string(key), changed_by);
      collected_ = true;
    }
    return was_empty && collected_;
  }

  // Calls `deliver(client, no_loop, keys)` for each client of each prefix that keys were collected for, and forgets the
  // keys.
  template <class Deliver>
  void HandOut(Deliver deliver) {
    MutexLock lock(mutex_);
    collected_ = false;
    for (auto& [prefix, state] : prefixes_) {
      if (state.keys.empty()) continue;
      for (const auto& [client, no_loop] : state.clients)
        deliver(client, no_loop, static_cast<const Keys&>(state.keys));
      state.keys.clear();
    }
  }

  size_t size() const { return count_.load(std::memory_order_relaxed); }

 private:
  struct Prefix {
    std::map<uint64_t, bool> clients;  // and whether it asked for NOLOOP
    Keys keys;
  };

  Mutex mutex_;
  std::map<std::string, Prefix, std::less<>> prefixes_ GUARDED_BY(mutex_);
  bool collected_ GUARDED_BY(mutex_) = false;
  std::atomic<size_t> count_{0};
};

}  // namespace zerohop::resp
