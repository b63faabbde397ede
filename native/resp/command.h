// command.h: what a command is, and what it is given when it runs.
//
//   void Get(Context& context);
//   constexpr Command kCommands[] = {{.name = "get", .arity = 2, .flags = kReadOnly | kFast | kGuarded, …, .run =
//   Get}}; std::span<const Command> StringCommands() { return kCommands; }        joined in command_table.cc
//
// The dispatcher (dispatch.cc) has checked arity, permission and the client's state before `run` is called; `run`
// answers exactly once, through `context.reply`.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cache/cache.h"
#include "resp/args.h"
#include "resp/reply.h"

namespace zerohop::resp {

class Server;
class Worker;
struct Client;
struct Command;

struct Context {
  Server& server;
  Worker& worker;
  Client& client;
  Cache& cache;
  Session& session;
  Reply& reply;
  const Command& command;
  Args args;       // args[0] is the command's name; a subcommand's is args[1]
  uint16_t space;  // of the client's database

  // The pass's guard.  REQUIRES: the command has kGuarded.
  const ReadGuard& Guard() const;
};

using Handler = void (*)(Context& context);

// Bits of Command::flags.  The first ones are Redis's, as COMMAND INFO tells them.
enum CommandFlags : uint32_t {
  kWrite = 1u << 0,
  kReadOnly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kPubSub = 1u << 4,
  kNoScript = 1u << 5,
  kBlocking = 1u << 6,
  kLoading = 1u << 7,
  kStale = 1u << 8,
  kSkipMonitor = 1u << 9,
  kSkipSlowlog = 1u << 10,
  kFast = 1u << 11,
  kNoAuth = 1u << 12,
  kMayReplicate = 1u << 13,
  kSentinel = 1u << 14,
  kNoMandatoryKeys = 1u << 15,
  kNoAsyncLoading = 1u << 16,
  kNoMulti = 1u << 17,
  kMovableKeys = 1u << 18,
  kAllowBusy = 1u << 19,
  // Ours.
  kInSubscribed = 1u << 26,  // may be sent by a RESP2 client that listens to channels
  kNeverQueued = 1u << 27,   // runs between MULTI and EXEC: EXEC and its kin
  kExclusive = 1u << 28,     // runs while no other worker runs a command: may touch any client and shared table
  kGuarded = 1u << 29,       // runs under the pass's ReadGuard: it only reads the cache, and never calls what writes it
  kBrief = 1u << 30,         // takes as little time as a fast one, though Redis does not call it fast
};

// Bits of Command::categories, in the order of ACL CAT.
enum CommandCategories : uint32_t {
  kCatKeyspace = 1u << 0,
  kCatRead = 1u << 1,
  kCatWrite = 1u << 2,
  kCatSet = 1u << 3,
  kCatSortedSet = 1u << 4,
  kCatList = 1u << 5,
  kCatHash = 1u << 6,
  kCatString = 1u << 7,
  kCatBitmap = 1u << 8,
  kCatHyperLogLog = 1u << 9,
  kCatGeo = 1u << 10,
  kCatStream = 1u << 11,
  kCatPubSub = 1u << 12,
  kCatAdmin = 1u << 13,
  kCatFast = 1u << 14,
  kCatSlow = 1u << 15,
  kCatBlocking = 1u << 16,
  kCatDangerous = 1u << 17,
  kCatConnection = 1u << 18,
  kCatTransaction = 1u << 19,
  kCatScripting = 1u << 20,
};

struct Command {
  const char* name;  // lower case; a subcommand's without its container
  int arity;         // words, with the name; -n: n or more
  uint32_t flags = 0;
  uint32_t categories = 0;
  int first_key = 0, last_key = 0, key_step = 0;  // as COMMAND INFO; 0: no keys
  Handler run = nullptr;                          // null: only its subcommands run
  std::span<const Command> subcommands = {};
  const char* summary = "";
  const char* since = "1.0.0";
  const char* group = "generic";
  const char* complexity = "O(1)";
  // Set by the table.
  uint16_t index = 0;                  // into WorkerCounts::by_command
  const Command* container = nullptr;  // of a subcommand
};

}  // namespace zerohop::resp
