// worker.h: one thread of a server: it waits for its clients, runs what they ask, and sends what is answered.
//
// A wake-up
//   wait (epoll)  ->  lock, shared  ->  for each client that sent something: a *turn*  ->  unlock  ->  wait
// A turn
//   one recv  ->  requests are parsed where they lie  ->  each is run (dispatch.h)  ->  one sendmsg
//
// GETs that follow each other are looked up together, and small SETs are stored together.  Values are sent from the
// cache's memory: the *pass's guard* keeps it from being reused until they were sent.  Before a command that may write,
// the guard is left: no writer waits for us; what was not sent is pinned or copied.
//
// Fairness  a turn takes a share of a wake-up's commands and bytes (`Share`), and 0.5 ms of slow commands.  Who took a
//           whole share is *heavy* and waits in `ready_`, where everyone else comes first: heavy clients are served one
//           turn after the other for 4 ms of a wake-up, then whoever has spoken meanwhile is heard.  So are
//           what was pushed sent, and closed clients buried: a part of each in a wake-up.
//           A large value is copied into the cache in steps (`Stage`), and memory given back in pieces (`scraps`).
//           A client whose replies are not read is not served until it reads, but its requests are taken in, up to
//           client-query-buffer-limit.
//   worker.cc         the loop, messages, timers, the end      worker_accept.cc  clients come
//   worker_turn.cc    in: read, parse, run                     worker_send.cc    out
//   worker_together.cc  requests that are run together
//
// Threads   everything is the worker's own, but Post and what server_lock.h allows.
#pragma once

#include <pthread.h>
#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cache/cache.h"
#include "cache/staged_value.h"
#include "cache/store_run.h"
#include "resp/changes.h"
#include "resp/client.h"
#include "resp/command_times.h"
#include "resp/counts.h"
#include "resp/dispatch.h"
#include "resp/look_ahead.h"
#include "resp/output.h"
#include "resp/reply.h"
#include "resp/scraps.h"
#include "resp/server.h"
#include "resp/socket_batch.h"

namespace zerohop::resp {

class Listener;

// To a client of a worker.
struct Message {
  enum class Kind : uint8_t {
    kPush,        // bytes that are a whole reply of the client's protocol: after what it is being answered
    kMessage,     // `shared`, of a channel, to all of `clients`, without the first byte: `*` or `>`, as their protocol
                  // has it
    kClose,       // CLIENT KILL
    kResume,      // it waits no longer
    kInvalidate,  // changes.h
    kHandOut,     // to the worker itself: what was collected for clients that track
    kInput,       // of a stream
    kSent,        // a stream takes more
    kOpen,        // a stream
    kStop,
  };
  Kind kind;
  uint64_t client = 0;
  std::string bytes = {};
  SharedTextRef shared = {};
  std::vector<uint64_t> clients = {};
  std::unique_ptr<Client> opened = {};
  uint64_t until_us = 0;
  Invalidation invalidation = {};
};

class Worker {
 public:
  Worker(Server& server, size_t index);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  Status Open();  // descriptors
  Status Listen(std::shared_ptr<Listener> listener);
  Status Run();  // starts the thread
  void Join();

  // Any thread, whatever it holds.  Returns how many messages wait: who posts many of them slows down.
  size_t Post(Message message);

  // Whose thread this is; null: of none.
  static Worker* Running();

  // For commands.  REQUIRES: called by this worker, or with the lock held exclusively.

  Server& server() const { return server_; }
  Session& session() { return session_; }
  size_t index() const { return index_; }
  uint64_t now_us() const { return now_us_; }  // when the wake-up began, to some ms
  WorkerCounts& counts() { return counts_; }
  CommandTimes& command_times() { return command_times_; }
  Client* Find(uint64_t client);                                                      // null: not one of its clients
  uint64_t current_client() const { return current_ != nullptr ? current_->id : 0; }  // whose turn it is
  // Changes::HandOut is called at the end of the wake-up.  From this worker's own thread.
  void HandOutSoon() { hand_out_ = true; }
  bool hands_out_soon() const { return hand_out_; }
  const std::unordered_map<uint64_t, std::unique_ptr<Client>>& clients() const { return clients_; }

  // Bytes that are a whole reply in the client's protocol, from this worker's own thread: after the reply of the
  // command that runs, before that of the next.  Not taken back by CLIENT REPLY OFF.
  void Push(Client& client, std::string_view bytes);
  // The same of a message, without the first byte.
  void PushMessage(Client& client, const SharedTextRef& text);
  // The running command has taken so long, which nobody measured.
  void Spent(uint64_t us) { spent_us_ += us; }
  // ... so long that its client's turn is over.
  void SpentAll() { spent_us_ += kTurnUs; }
  // It is closed at the end of the wake-up; what it was answered so far still goes out, as far as its socket takes it.
  void Close(Client& client);
  // It is closed because of what it holds.
  void GiveUp(Client& client);
  // The running command waits: it is run again when `Resume` was called, or at `until_us`.  The handler answers
  // nothing.
  void Park(Client& client, Parked why, uint64_t until_us);
  void Resume(Client& client);
  // The running command has done a part: it is run again in the client's next turn.  The handler answers nothing.
  void GoOnInSteps(Client& client) { client.Put(kClientInSteps); }
  // Copies a part of a large value into the cache before the running command stores it.  False: the command goes on in
  // the client's next turn, and the handler returns.  True: `options->staged` has the value, if it was staged.
  bool Stage(Client& client, uint16_t space, Bytes key, Bytes value, StoreOptions* options) {
    return value.size() < kStagedBytesMin || StageSome(client, space, key, value, options);
  }
  static constexpr size_t kStagedBytesMin = size_t{1} << 20;  // a smaller value is copied in one go
  // What was staged for the client is given up.
  void Unstage(const Client& client) {
    if (staging_ && staging_->client == client.id) [[unlikely]]
      staging_.reset();
  }
  // CONFIG SET changed what timers follow.
  void LookAtClock() { next_cron_us_ = 0, WakeIfElsewhere(); }

  // Where its clients' memory goes.  From this worker's own thread.
  Scraps& scraps() { return scraps_; }

  // The pass's guard, entered when it is first asked for.
  const ReadGuard& Guard();
  // What was borrowed is sent or copied, and the guard left.
  void LeaveGuard();

  // The hash of a word of the running request, if it was read ahead as a key of this keyspace; else null.
  const uint64_t* HashOf(uint16_t space, Bytes word) const {
    return word.data() == hashed_key_.at && space == hashed_space_ ? &hashed_key_.hash : nullptr;
  }

  // Replies that wait for a batch are sent.  To be called before what takes long, and before others may touch clients.
  void SendDeferred() {
    if (!deferred_.empty()) [[unlikely]]
      SendDeferredNow();
  }

  // The lock goes from shared to exclusive, and back.  REQUIRES: no guard.
  void GoExclusive();
  void GoShared();

 private:
  static constexpr size_t kReadBytes = size_t{64} << 10;
  // What a wake-up's clients share, and the bounds of a turn's share.
  static constexpr size_t kWakeCommands = 32768, kTurnCommandsMin = 16, kTurnCommandsMax = 512;
  static constexpr size_t kWakeBytes = size_t{32} << 20, kTurnBytesMin = size_t{64} << 10;
  static constexpr size_t kTurnBytesMax = size_t{1} << 20;      // of replies
  static constexpr size_t kTurnInputBytes = size_t{256} << 10;  // of requests: taken in, and run
  static constexpr uint64_t kTurnUs = 500;                      // of slow commands
  static constexpr uint64_t kHeavyUs = 4000;                    // of a wake-up
  static constexpr uint64_t kAsideUs = 2000;                    // of a wake-up, for each of what is done beside turns
  static constexpr size_t kHeldOutputBytes = size_t{1} << 20;   // more, unread, and no command of the client is run
  static constexpr size_t kEventsMax = 1024;
  static constexpr size_t kAcceptsMax = 64;                   // a wake-up
  static constexpr size_t kOwnInputBytes = size_t{16} << 10;  // more of an incomplete request stays in place
  static constexpr size_t kPiecesMax = 64;                    // of one sendmsg
  static constexpr uint64_t kCronUs = 100 * 1000;
  static constexpr uint64_t kExpiryUs = 1000;  // of each kCronUs, spent on looking for entries past their end
  static constexpr uint64_t kStopPollUs = 5 * 1000;

  // The key of the running request, if its hash was needed before.
  struct HashedKey {
    const std::byte* at = nullptr;
    uint64_t hash = 0;
  };

  // A large value on its way into the cache.
  struct Staging {
    Staging(uint64_t its_client, Cache& cache, Session& session, uint16_t space, Bytes key, Bytes bytes)
        : client(its_client), value(cache, session, space, key.size(), bytes.size()) {}
    const uint64_t client;
    StagedValue value;
  };

  // Batches, see worker_batch.cc.
  static constexpr size_t kArrivedBytesMax = size_t{16} << 10;  // received of a client at once
  static constexpr size_t kDeferredBytesMax = size_t{8} << 10;  // a longer reply is sent at once

  // A reply in deferred_bytes_.
  struct Deferred {
    Client* client;
    size_t at, bytes;
  };

  // A request that waits for the next ones, to be run together with them.
  struct PlainGet {
    Bytes key;
    size_t at;  // where the request starts in what the turn runs
  };

  static void* Main(void* self);
  void Loop();
  int WaitMs() const;
  void Wake();
  void WakeIfElsewhere();
  bool WatchListener(size_t index);
  void ListenAgain(bool listen);
  void Share(size_t clients);
  void LetOthers();
  void ServeHeavy();
  void FlushPushed();
  void HoldWithinLimit();
  size_t ShareOf(const Client& client) const;
  void Pushed(Client& client);
  void Accept(Listener& listener);
  void PauseListening();
  void Welcome(std::unique_ptr<Client> client);
  bool IsHeld(const Client& client) const;
  void GoOnLater(Client& client);
  void Enqueue(Client& client);
  void Admit(int fd, bool unix_socket, bool local);
  void ReadMailbox();
  void ReadInbox();
  void Receive(Message& message);
  void Serve(Client& client, uint32_t events);
  void Turn(Client& client, bool may_read);
  bool ReadInto(Client& client, std::string_view* input, bool* in_place);
  void OpenBatch();
  int ReceiveAhead(const epoll_event* events, int from, int count);
  bool TakesPart(const epoll_event& event) const;
  bool TakeArrived(Client& client, std::string_view* input, bool* in_place);
  void KeepArrived(Client& client);
  bool Defer(Client& client);
  void SendDeferredNow();
  bool KeepsQueryLimit(Client& client, size_t bytes);
  void ReadStream(Client& client, std::string_view bytes);
  size_t RunRequests(Client& client, std::string_view input);
  const LookAhead::Request* ReadAhead(const Client& client, std::string_view input, size_t at);
  size_t YieldTurn(Client& client, size_t at);
  bool HasEnough() const { return out_.bytes() > enough_bytes_; }
  bool RunOne(Client& client, const Args& args);
  void PutAfterReply() {
    if (after_reply_.empty()) return;
    out_.Put(after_reply_);
    after_reply_.clear();
  }
  size_t RunTogether(Client& client, size_t done);
  size_t RunGets(Client& client, size_t done);
  void RunSets(Client& client);
  void CountTogether(Client& client, size_t command, size_t count, uint64_t took_us);
  void Flush(Client& client);
  bool Send(Client& client, const iovec* pieces, size_t count, size_t* sent);
  void SendPending(Client& client);
  void CheckOutputLimits(Client& client);
  void CountHeld(Client& client);
  void Watch(Client& client);
  void Cron();
  // Each worker looks after it has served someone: the others may sleep.
  bool LooksForExpired() const { return server_.cache().expects_expiry(); }
  bool OwesReplies(const Client& client) const;
  bool StageSome(Client& client, uint16_t space, Bytes key, Bytes value, StoreOptions* options);
  void BuryClosed();
  void GiveBackScraps();
  void Forget(Client& client);
  void ProtocolError(Client& client, const std::string& text);

  Server& server_;
  const size_t index_;
  Session session_;
  WorkerCounts counts_;
  CommandTimes command_times_;
  pthread_t thread_{};
  bool running_ = false;
  int epoll_ = -1, wake_ = -1;
  uint64_t now_us_ = 0;
  uint64_t next_cron_us_ = kNever;
  size_t get_index_ = 0, set_index_ = 0;  // of GET and SET, in counts_.by_command
  std::optional<ReadGuard> guard_;
  Scraps scraps_;  // goes after all clients
  std::unique_ptr<char[]> read_buffer_;
  Output out_;                 // of the client whose turn it is
  Client* current_ = nullptr;  // whose turn it is
  std::string after_reply_;    // pushed to it while its command ran
  bool in_command_ = false;
  bool hand_out_ = false;
  bool over_limit_ = false;  // clients hold too much
  // Of the wake-up, for each turn; and what is left of it to the turn.
  size_t turn_commands_ = kTurnCommandsMax, turn_bytes_ = kTurnBytesMax;
  size_t commands_left_ = 0, enough_bytes_ = 0;
  uint64_t spent_us_ = 0;  // by the turn, on slow commands
  const bool may_batch_;   // looked up before the thread starts: CONFIG SET of another worker replaces the config
  SocketBatch batch_;
  std::unique_ptr<char[]> arrived_bytes_, deferred_bytes_;  // none without batches
  std::vector<Deferred> deferred_;
  std::optional<Staging> staging_;  // of one client at a time: what is staged cannot be evicted
  bool defers_ = false;             // replies wait for a batch: more clients are about to be served
  LookAhead look_ahead_;
  HashedKey hashed_key_;
  uint16_t hashed_space_ = 0;
  std::vector<PlainGet> gets_;  // that were parsed and not run yet
  std::vector<PlainStore> sets_;
  Plain put_off_ = Plain::kNot;  // which of the two there are
  std::unordered_map<uint64_t, std::unique_ptr<Client>> clients_;
  std::deque<Client*> ready_, flush_, closed_;
  std::vector<Client*> parked_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  uint64_t accept_again_us_ = 0;  // after the system had no descriptor left; 0: listening
  bool stopping_ = false;
  uint64_t stop_at_us_ = 0;

  Mutex mailbox_mutex_;
  std::vector<Message> mailbox_ GUARDED_BY(mailbox_mutex_);
  std::deque<Message> inbox_;  // taken from the mailbox, and not looked at yet
};

}  // namespace zerohop::resp
