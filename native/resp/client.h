// client.h: one connection, as commands see it.
//
// A Client belongs to its worker.  A command of the same worker may touch it; anyone else holds the server's lock
// exclusively (server_lock.h), or posts a message to the worker.
//
// What a feature keeps of a client hangs at a ClientPart: the feature's own file defines it, makes it when it is first
// needed and is the only one to look inside.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "resp/input.h"
#include "resp/parser.h"
#include "resp/pending_output.h"
#include "resp/stream_end.h"

namespace zerohop::resp {

class User;
class Worker;
struct Command;

// What a feature keeps of a client.
struct ClientPart {
  virtual ~ClientPart() = default;
};

// Bits of Client::flags.
enum ClientFlags : uint32_t {
  kClientUnixSocket = 1u << 0,
  kClientStream = 1u << 1,           // bytes come from Server::Feed: the inner end of TLS
  kClientCloseAfterReply = 1u << 2,  // nothing more is read; closed when all was sent
  kClientClosing = 1u << 3,          // closed at the end of the pass
  kClientProtocolError = 1u << 4,
  kClientReplyOff = 1u << 5,       // CLIENT REPLY OFF
  kClientReplySkipNext = 1u << 6,  // CLIENT REPLY SKIP was the last command: the next is not answered
  kClientReplySkip = 1u << 7,      // this one is not answered
  kClientNoEvict = 1u << 8,
  kClientTransaction = 1u << 9,         // between MULTI and EXEC: commands are queued
  kClientTransactionFailed = 1u << 11,  // a command could not be queued: EXEC gives EXECABORT
  kClientTracking = 1u << 12,           // CLIENT TRACKING ON
  kClientTrackingBroadcast = 1u << 13,
  kClientTrackingOptIn = 1u << 14,
  kClientTrackingOptOut = 1u << 15,
  kClientTrackingCaching = 1u << 16,  // CLIENT CACHING, for the next command
  kClientTrackingNoLoop = 1u << 17,
  kClientTrackingBroken = 1u << 18,  // the client that invalidations go to is gone
  kClientSubscribed = 1u << 19,      // to a channel or pattern
  kClientParked = 1u << 20,          // its next command waits: see Client::parked
  kClientInExec = 1u << 21,          // its queued commands run
  kClientInSteps = 1u << 22,         // its command has done a part, and goes on in the next turn
};

// Why a client's next command waits.
enum class Parked : uint8_t { kNot, kPaused, kBlocked };

// What CLIENT UNBLOCK said to a client that is blocked: its command ends with this when it is run again.
enum class Unblocked : uint8_t { kNot, kTimeout, kError };

struct Client {
  Client(Worker& worker, uint64_t id, int fd);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool Has(uint32_t flag) const { return (flags & flag) != 0; }
  void Put(uint32_t flag, bool value = true) { flags = value ? flags | flag : flags & ~flag; }

  // "ip:port", "[ip6]:port", the socket's path and ":0", or what OpenStream was told.
  std::string PeerText() const;
  std::string LocalText() const;

  Worker& worker;
  const uint64_t id;
  const int fd;  // -1: a stream
  uint32_t flags = 0;
  int protocol = 2;
  uint16_t database = 0;
  bool authenticated = false;
  const User* account = nullptr;  // `default` before AUTH
  std::string name, library_name, library_version;
  std::shared_ptr<StreamEnd> stream;      // null: a socket
  std::string stream_peer, stream_local;  // its ends, as CLIENT LIST shows them

  uint64_t connected_us = 0, last_spoke_us = 0;  // base/clock.h
  const Command* last_command = nullptr;
  uint64_t commands = 0;

  Parser parser;
  Input input;             // of a request that is not complete, or whose turn has not come
  size_t lately_read = 0;  // the most that a turn read at once, fading
  size_t query_bytes = 0;  // that arrived and were not dealt with yet, with the running command's
  PendingOutput pending;
  size_t queued_bytes = 0;     // of commands between MULTI and EXEC
  size_t held_bytes = 0;       // of the heap, by all of these, as far as Server::held_bytes counts it
  uint64_t soft_limit_us = 0;  // since when `pending` is above the soft limit; 0: it is not

  Parked parked = Parked::kNot;
  uint64_t parked_until_us = UINT64_MAX;  // then it goes on, whatever happens

  Unblocked unblocked = Unblocked::kNot;

  std::unique_ptr<ClientPart> transaction, watches, subscriptions, tracking, blocking, leases, steps;
  uint32_t channels = 0, patterns = 0;  // subscribed to
  int queued = -1;                      // commands between MULTI and EXEC; -1: none began
  uint64_t redirect = 0;                // the client that gets its invalidations; 0: itself

  // The worker's.
  uint32_t events = 0;    // that epoll watches
  uint32_t due = 0;       // that epoll told, and its turn has not come
  bool heavy = false;     // its last turn took its whole share: it is served after those that ask for little
  bool in_ready = false;  // waits for its turn in Worker::ready_
  bool goes_on = false;   // has requests that the last turn did not come to
  bool in_flush = false;  // was pushed something that was not sent yet
  bool deferred = false;  // its reply waits in the worker's batch
  // What the worker's batch received of it, or an errno, negative; null: nothing was asked for.
  const char* arrived = nullptr;
  int32_t arrived_bytes = 0;
};

}  // namespace zerohop::resp
