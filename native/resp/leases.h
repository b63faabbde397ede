// leases.h: who computes a value that is not there, so that all others need not.
//
//   ask    nobody has the lease          -> a token: the asker computes, and stores with it
//          somebody has it               -> the asker waits (worker.h: Park), or does without
//   end    stored with the token; its time is over; its client is gone; the key was deleted: the next asker gets one
//
// A token that is no longer the key's stores nothing: so a value that was computed from what was deleted meanwhile is
// not stored, nor that of a computation that was given up for lost.
//
// A store may take long, for it may have to evict.  The lease is marked meanwhile, and no lock is held: other keys'
// leases come and go, who asks for this one waits as before, and who deletes the key waits for the store, to delete
// what it stored.
//
// Threads  any.  `mutex_` is a leaf but for workers' mailboxes.
// Waits    Void and VoidAll, for stores under way.  Their callers hold no ReadGuard; and where they are in an Exclusive
//          section, they hold the lock of the server exclusively, so that no store is under way.
// Limits   kLeasesMax at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "resp/client.h"
#include "resp/server.h"

namespace zerohop::resp {

class Leases : public ServerPart {
 public:
  static constexpr size_t kLeasesMax = 100000;

  explicit Leases(Server& server) : server_(server) {}
  static Leases& Of(const Server& server) { return static_cast<Leases&>(*server.leases); }

  struct Taken {
    uint64_t token = 0;     // 0: somebody else has it
    uint64_t until_us = 0;  // when that one's time is over
    bool own = false;       // the same client has it: to wait for it would be to wait for oneself
    bool full = false;      // kLeasesMax are held
  };
  // Takes the lease of the key, if nobody has it; otherwise the client is resumed when it ends.
  Taken Take(Client& client, std::string_view key, uint64_t ttl_us) EXCLUDES(mutex_);

  // Runs `store()` and ends the lease, if the token is the key's; false: it is not.
  template <class Store>
  bool Finish(size_t database, std::string_view key, uint64_t token, Store store) EXCLUDES(mutex_) {
    const std::string name = NameOf(database, key);
    if (!BeginStore(name, token)) return false;
    store();
    EndStore(name);
    return true;
  }

  // The holder does not need it after all.
  void GiveBack(size_t database, std::string_view key, uint64_t token) { Release({{NameOf(database, key), token}}); }

  // The key is about to be deleted; or all keys of the database.  Cost: a load, where there are no leases.
  void Void(size_t database, std::string_view key) {
    if (count_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      VoidOne(database, key);
  }
  void VoidAll(size_t database) EXCLUDES(mutex_);

  size_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  struct Lease {
    uint64_t token, holder, until_us;
    std::vector<uint64_t> waiters;  // clients
    bool storing = false;           // nobody else ends it
  };
  using Table = std::unordered_map<std::string, Lease>;
  // The leases that a client has; they end with it.
  struct Held : ClientPart {
    explicit Held(Leases& leases) : leases(leases) {}
    ~Held() override { leases.Release(tokens); }
    Leases& leases;
    std::set<std::pair<std::string, uint64_t>> tokens;  // by name
  };

  static std::string NameOf(size_t database, std::string_view key) {
    return std::string{static_cast<char>(database), static_cast<char>(database >> 8)}.append(key);
  }
  bool BeginStore(const std::string& name, uint64_t token) EXCLUDES(mutex_);
  void EndStore(const std::string& name) EXCLUDES(mutex_);
  void AwaitStore() REQUIRES(mutex_);
  void VoidOne(size_t database, std::string_view key) EXCLUDES(mutex_);
  void Release(const std::set<std::pair<std::string, uint64_t>>& tokens) EXCLUDES(mutex_);
  Table::iterator End(Table::iterator lease) REQUIRES(mutex_);

  Server& server_;
  std::atomic<size_t> count_{0};
  Mutex mutex_;
  std::condition_variable_any stored_;
  Table leases_ GUARDED_BY(mutex_);
  uint64_t next_token_ GUARDED_BY(mutex_) = 1;
};

}  // namespace zerohop::resp
