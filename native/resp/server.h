// server.h: a server that speaks Redis's protocol on one cache: its listeners, workers and what they share.
//
//   Start   sockets, then one thread a worker (worker.h)       any thread
//   Stop    no new clients; replies go out; threads end        any thread but a worker's; joins them
//
// A Server keeps its cache alive until it is destroyed.  No JavaScript runs for a request.
//
// Locks   lock(): see server_lock.h.  `mailbox` of each worker and `streams_mutex_` are leaves.
// Memory  64 KiB in and out a worker; a client without a request in pieces and without unread replies: under 2 KiB.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "cache/cache.h"
#include "resp/config.h"
#include "resp/counts.h"
#include "resp/server_lock.h"
#include "resp/shared_text.h"
#include "resp/stream_end.h"

namespace zerohop::resp {

class Worker;
struct Command;
struct Client;
struct Message;
class AclLog;
class Changes;
class PubSub;
class Users;

// What a feature keeps of a server: like ClientPart.
struct ServerPart {
  virtual ~ServerPart() = default;
};

// Figures that can be read while it runs; since it was started, but for `clients`.
struct ServerFigures {
  uint64_t clients, connections, rejected_connections, commands, errors, bytes_in, bytes_out;
};

// Why the commands of clients wait (CLIENT PAUSE).
enum class Pause : uint8_t { kNone, kWrites, kAll };

class Server {
 public:
  static Result<std::unique_ptr<Server>> Start(std::shared_ptr<Cache> cache, Config config);
  // Stops it, if nobody did.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Closes the listeners, then the clients: at once, or, with `drain_ms`, when each has got the replies to what it had
  // sent, but not later than that.  Joins the threads.  Calls after the first return when it is done.
  void Stop(uint64_t drain_ms = 0);

  // Any thread.
  ServerFigures Figures();
  // How long each command took that was measured: a histogram of each worker that ran it.  They are the server's, and
  // grow while they are read.
  struct TimesOfCommand {
    const Command* command;
    std::vector<const Histogram*> of_workers;
  };
  std::vector<TimesOfCommand> CommandTimesNow();
  // Whether the user `default` is let in with this password.
  bool Admits(std::string_view password);
  bool RefusesStrangersNow();  // RefusesStrangers, for who holds no lock

  // The port that TCP clients reach; 0 without TCP.
  int port() const { return port_; }

  // Streams: connections whose bytes somebody else carries (stream_end.h).  Any thread.
  uint64_t OpenStream(std::string peer, std::string local, StreamEnd::Output output);
  // False: there is no such stream any more, or more than StreamEnd::kUnreadMax was fed that the worker did not come
  // to.
  bool Feed(uint64_t id, std::string_view bytes) EXCLUDES(streams_mutex_);
  // So many bytes of those that `output` was given were passed on.
  void Sent(uint64_t id, size_t bytes) EXCLUDES(streams_mutex_);
  // `output` is not called again once this has returned.
  void CloseStream(uint64_t id) EXCLUDES(streams_mutex_);

  // What ZH.STATS tells beside the engine's figures: members of a JSON object, without its braces.  Whoever runs the
  // server keeps them up to date.  Any thread.
  void SetSections(std::string members) EXCLUDES(sections_mutex_);
  std::string sections() EXCLUDES(sections_mutex_);

  // What follows is for commands.

  Cache& cache() const { return *cache_; }
  ServerLock& lock() { return lock_; }
  Config& config() { return config_; }  // read: lock held shared; written: exclusively
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }

  size_t database_count() const { return listed_ != 0 ? listed_ : cache_->space_count(); }
  // The keyspace of a database; opened when it is first asked for.  REQUIRES: database < database_count().
  Result<uint16_t> SpaceOf(size_t database);
  // The same, if it is open: none otherwise, and then it has no keys.
  std::optional<uint16_t> OpenedSpaceOf(size_t database) const;
  // Each database that can have keys: visit(database, space).
  template <class Visit>
  void EachDatabase(Visit visit) const {
    for (size_t database = 0, count = database_count(); database < count; ++database) {
      const auto space = listed_ != 0 ? OpenedSpaceOf(database) : std::optional(static_cast<uint16_t>(database));
      if (space) visit(database, *space);
    }
  }

  // Unix time and the cache's clock, tied together once: what EXPIREAT was given comes back to the millisecond.
  uint64_t unix_offset_us() const { return unix_offset_us_; }
  int64_t UnixMs(uint64_t clock_us) const { return static_cast<int64_t>((clock_us + unix_offset_us_) / 1000); }
  uint64_t ClockUs(int64_t unix_ms) const { return static_cast<uint64_t>(unix_ms) * 1000 - unix_offset_us_; }
  uint64_t started_us() const { return started_us_; }
  const std::string& run_id() const { return run_id_; }  // 40 hexadecimal digits, other ones for each server

  // REQUIRES: the lock, exclusively.
  Client* FindClient(uint64_t id);
  void EachClient(const std::function<void(Client&)>& visit);
  WorkerCounts TotalCounts() const;
  CountTotals CacheCounts() const;  // of the databases, since the last reset
  void ResetCounts();
  uint64_t client_count() const { return clients_.load(std::memory_order_relaxed); }  // needs no lock

  // To the worker that has the client; any thread, whatever it holds.  False: there is no such client any more; one
  // that goes meanwhile gets nothing.
  bool Post(uint64_t client, Message message) EXCLUDES(directory_mutex_);
  // A message of a channel to several; one message a worker.  Returns how many the fullest mailbox has.
  size_t PostToAll(std::span<const uint64_t> clients, const SharedTextRef& text) EXCLUDES(directory_mutex_);
  bool HasClient(uint64_t client) EXCLUDES(directory_mutex_);  // any thread
  // Whether the keyspace is one of the server's databases.
  bool IsDatabase(uint16_t space) const;

  // CLIENT PAUSE.  REQUIRES: the lock, exclusively; read with it shared.
  struct {
    Pause what = Pause::kNone;
    uint64_t until_us = 0;
    uint64_t expired_before = 0;  // INFO's expired_keys: while a pause lasts nothing of what clients see is deleted
  } pause;
  // Lets clients go on that wait: all that were paused.  Any thread.
  void ResumePaused();

  // REQUIRES: the lock, shared to read and exclusively to write, unless the part has a lock of its own.
  std::unique_ptr<ServerPart> leases, touches;
  // Users' rules, listeners to channels, and who is told of changed keys.
  Users& users() { return *users_; }
  AclLog& acl_log() { return *acl_log_; }
  PubSub& pubsub() { return *pubsub_; }
  Changes& changes() { return *changes_; }

  // `maxmemory` is below what the cache takes, which cannot shrink: commands that take memory are refused.
  std::atomic<bool> out_of_memory{false};

  // What clients hold of the heap together: requests that are not complete or not run, and replies and messages that
  // they do not read.
  std::atomic<uint64_t> held_bytes{0};
  // Its limit: `maxmemory-clients`; without one as much as the cache, and at least 1 GiB, so that a value fits.
  uint64_t held_bytes_max() const {
    return config_.clients_bytes_max != 0 ? config_.clients_bytes_max : held_bytes_unless_set_;
  }
  bool HoldsTooMuch() const { return held_bytes.load(std::memory_order_relaxed) > held_bytes_max(); }
  // Until they hold no more than that; those with CLIENT NO-EVICT last.  REQUIRES: the lock, exclusively.
  void DisconnectWhoHoldsMost();

  // For workers.
  uint64_t NextClientId() { return next_client_id_.fetch_add(1, std::memory_order_relaxed); }
  bool AdmitClient();  // counts it; false: there are maxclients already
  void DismissClient() { clients_.fetch_sub(1, std::memory_order_relaxed); }
  void Enroll(uint64_t client, Worker& worker) EXCLUDES(directory_mutex_);  // it can be found from now on
  void Strike(uint64_t client) EXCLUDES(directory_mutex_);
  void ForgetStream(uint64_t id) EXCLUDES(streams_mutex_);
  // protected-mode: clients of other machines are not served as long as the default user has no password.
  bool RefusesStrangers();
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }

 private:
  Server(std::shared_ptr<Cache> cache, Config config);
  Status Open();
  Status AddUsers();
  Status OpenListeners();
  std::shared_ptr<StreamEnd> FindStream(uint64_t id) EXCLUDES(streams_mutex_);

  static constexpr uint64_t kHeldBytesMin = uint64_t{1} << 30;

  const std::shared_ptr<Cache> cache_;
  const uint64_t held_bytes_unless_set_;
  Config config_;
  const size_t listed_;  // databases of the config; 0: every keyspace is one
  ServerLock lock_;
  int port_ = 0;
  const uint64_t started_us_;
  const uint64_t unix_offset_us_;
  const std::string run_id_;
  CountTotals counts_at_reset_{};
  static constexpr uint32_t kNotOpened = UINT32_MAX;
  std::array<std::atomic<uint32_t>, Spaces::kSpacesMax> spaces_;  // by database
  std::atomic<uint64_t> next_client_id_{1};
  std::atomic<uint64_t> clients_{0};
  std::atomic<bool> stopping_{false};
  Mutex sections_mutex_;  // a leaf
  std::string sections_ GUARDED_BY(sections_mutex_);
  Mutex directory_mutex_;  // a leaf
  std::unordered_map<uint64_t, Worker*> directory_ GUARDED_BY(directory_mutex_);
  Mutex streams_mutex_;  // a leaf
  std::map<uint64_t, std::shared_ptr<StreamEnd>> streams_ GUARDED_BY(streams_mutex_);
  std::unique_ptr<Users> users_;
  std::unique_ptr<AclLog> acl_log_;
  std::unique_ptr<PubSub> pubsub_;
  std::unique_ptr<Changes> changes_;
  std::vector<std::unique_ptr<Worker>> workers_;  // behind what their clients refer to
  Mutex stop_mutex_;
  bool stopped_ GUARDED_BY(stop_mutex_) = false;
};

}  // namespace zerohop::resp
