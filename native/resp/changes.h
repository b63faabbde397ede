// changes.h: who is told that a key changed: clients that keep its value (CLIENT TRACKING), and clients that WATCH it.
//
// The cache tells every change, whoever made it: a client, code of this process, an eviction, an entry's end.  What
// nobody asked for costs a fence and a few loads.  The cache is listened to from the first client on that asks.
//
// Tracking  a key is noted before it is looked up: a change that the lookup did not see finds the note.  The message
// goes
//           to the client's worker, which hands it out between two commands: so it comes after the reply that it is
//           about.  To a client of the thread's own worker it is handed out at once, or after the running command's
//           reply.
// BCAST     keys are collected by prefix, and handed out at the end of the wake-up in which they changed.
// WATCH     a client's flag is set; EXEC reads it when no other writer is left.
//
// Threads   OnChange: any, under locks of the cache.  The rest: workers, with the server's lock shared.
// Locks     those of the tables, which are leaves but for workers' mailboxes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "cache/cache.h"
#include "resp/client.h"
#include "resp/key_table.h"
#include "resp/prefix_table.h"

namespace zerohop::resp {

class Server;

// To a client that tracks: the bytes of an array of keys, or nothing for "all keys".
struct Invalidation {
  enum class About : uint8_t { kKey, kPrefix, kEverything };
  About about;
  std::string keys;
  uint64_t changed_by = 0;  // the client that did; 0: someone else
  bool redirected = false;  // it was meant for another client, and the reader gets it instead
};

// A key that a client watches.
struct Watched {
  uint16_t space;
  std::string key;
  std::atomic<bool>* changed;       // the client's
  std::atomic<bool> existed{true};  // when it was watched; true until that is known
};

class Changes final : public ChangeListener {
 public:
  explicit Changes(Server& server) : server_(server) {}
  ~Changes();
  Changes(const Changes&) = delete;
  Changes& operator=(const Changes&) = delete;

  void OnChange(const Change& change) noexcept override;

  // CLIENT TRACKING.  `flags` are bits of ClientFlags.  REQUIRES: called by the client's worker.
  void Track(Client& client, uint64_t redirect, uint32_t flags, const std::vector<std::string_view>& prefixes);
  void Untrack(Client& client);
  // The client is about to read the key.
  void Remember(Client& client, std::string_view key);
  // Keys leave the table until it has at most so many; their clients are told as if they had changed.
  void Trim(size_t keys_max);
  // By the client's worker.
  void Deliver(Client& client, const Invalidation& what);
  // Hands out what was collected since: once a wake-up, and after a command that cleared a database.
  void HandOut();
  void TellCleared();

  // WATCH.  `watched` stays where it is until Unwatch.
  void Watch(Watched* watched);
  void Unwatch(Watched* watched);
  void Listen();  // to the cache, from now on

  size_t tracked_keys() const { return readers_.keys(); }
  size_t tracked_items() const { return readers_.items(); }
  size_t prefix_count() const { return prefixes_.size(); }
  size_t tracking_clients() const { return tracking_count_.load(std::memory_order_relaxed); }

 private:
  friend struct TrackingPart;
  Worker* RunningWorker() const;
  void Send(uint64_t client, Invalidation what);
  void Write(Client& client, const Invalidation& what);
  void TellReaders(std::string_view key, uint64_t changed_by);
  void TellWatchers(const Change& change);
  void Gone(uint64_t client, const std::set<std::string>& prefixes, bool was_tracking);

  Server& server_;
  KeyTable<uint64_t> readers_;  // clients by key
  KeyTable<Watched*> watchers_;
  PrefixTable prefixes_;
  std::atomic<size_t> tracking_count_{0};
  std::atomic<bool> cleared_{false};  // a database was, and clients were not told yet
  uint64_t random_ GUARDED_BY(mutex_) = 1;
  Mutex mutex_;
  std::set<uint64_t> tracking_ GUARDED_BY(mutex_);  // clients
  bool listening_ GUARDED_BY(mutex_) = false;
};

// What tracking keeps of a client: made with CLIENT TRACKING ON, and gone with the client.
struct TrackingPart final : ClientPart {
  TrackingPart(Changes& its_changes, uint64_t its_client) : changes(its_changes), client(its_client) {}
  ~TrackingPart() override { changes.Gone(client, prefixes, on); }
  Changes& changes;
  const uint64_t client;
  bool on = false;
  std::set<std::string> prefixes;
};

}  // namespace zerohop::resp
