// commands_multi.cc: MULTI, EXEC, DISCARD, WATCH and UNWATCH.
//
// EXEC runs while no other worker runs a command, and no other session of the cache writes: its commands are one step
// for every other client and for code of this process.  Commands that only read see what is there at that time.
#include <cstring>

#include "base/constants.h"
#include "cache/exclusive.h"
#include "resp/client.h"
#include "resp/commands.h"
#include "resp/dispatch.h"
#include "resp/permission.h"
#include "resp/server.h"
#include "resp/transaction.h"
#include "resp/worker.h"

namespace zerohop::resp {

bool Transaction::Add(const Command& command, const Args& args) {
  const QueuedCommand queued{&command, args.size(), args.TotalBytes()};
  const size_t bytes = sizeof queued + queued.words * sizeof(Place) + AlignUp(queued.bytes, alignof(QueuedCommand));
  char* const room = commands.Room(bytes);
  if (room == nullptr) return false;
  std::memcpy(room, &queued, sizeof queued);
  char* place_at = room + sizeof queued;
  char* const words_at = place_at + queued.words * sizeof(Place);
  for (size_t i = 0, at = 0; i < args.size(); at += args[i++].size()) {
    const Place place{at, args[i].size()};
    std::memcpy(place_at, &place, sizeof place);
    place_at += sizeof place;
    std::memcpy(words_at + at, args[i].data(), args[i].size());
  }
  commands.Grew(bytes);
  ++count;
  any_flags |= command.flags;
  return true;
}

void Queue(Client& client, const Command& command, const Args& args) {
  if (client.Has(kClientTransactionFailed)) return;
  auto& transaction = static_cast<Transaction&>(*client.transaction);
  if (!transaction.Add(command, args)) return client.Put(kClientTransactionFailed);
  client.queued = static_cast<int>(transaction.count);
  client.queued_bytes = transaction.commands.bytes();
}

uint32_t FlagsOfQueued(const Client& client) {
  return client.transaction ? static_cast<const Transaction&>(*client.transaction).any_flags : 0;
}

void Discard(Client& client) {
  client.transaction.reset();
  client.watches.reset();
  client.queued = -1;
  client.queued_bytes = 0;
  client.Put(kClientTransaction | kClientTransactionFailed, false);
}

namespace {

void Multi(Context& context) {
  Client& client = context.client;
  if (client.Has(kClientTransaction)) return context.reply.Error("ERR MULTI calls can not be nested");
  client.transaction = std::make_unique<Transaction>(context.worker.scraps());
  client.queued = 0;
  client.Put(kClientTransaction);
  context.reply.Ok();
}

void DiscardCommand(Context& context) {
  if (!context.client.Has(kClientTransaction)) return context.reply.Error("ERR DISCARD without MULTI");
  Discard(context.client);
  context.reply.Ok();
}

// Whether a watched key was changed, or was there and has reached its end.
bool WatchedChanged(Context& context) {
  if (!context.client.watches) return false;
  auto& watches = static_cast<Watches&>(*context.client.watches);
  if (watches.changed.load()) return true;
  const ReadGuard& guard = context.worker.Guard();
  for (const auto& each : watches.keys) {
    const Bytes key(reinterpret_cast<const std::byte*>(each->key.data()), each->key.size());
    if (each->existed.load() && !context.cache.Has(guard, context.session, each->space, key)) return true;
  }
  return false;
}

std::string_view WhyNotAllowed(AclVerdict::Denied denied) {
  switch (denied) {
    case AclVerdict::Denied::kCommand: return "no permission to execute the command or subcommand";
    case AclVerdict::Denied::kKey: return "no permission to touch the specified keys";
    case AclVerdict::Denied::kChannel: return "no permission to access one of the channels used as arguments";
    case AclVerdict::Denied::kNothing: break;
  }
  return "no permission";
}

void RunQueued(Context& context, const Command& command, const Args& args) {
  Client& client = context.client;
  // An error is the queued command's, and not EXEC's too.
  Reply reply(context.reply.out(), client.protocol, &context.worker.counts().errors);
  // Rules may have changed since.
  const AclVerdict verdict = CheckPermission(context.server.users(), *client.account, command, args);
  if (!verdict) {
    LogDenial(client, command, args, verdict);
    return reply.Error(
        std::string("NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
                    "This command is no longer allowed for the following reason: ")
            .append(WhyNotAllowed(verdict.denied)));
  }
  if ((command.flags & kGuarded) == 0) context.worker.LeaveGuard();
  const uint16_t space = context.server.OpenedSpaceOf(client.database).value_or(0);
  Context inner{context.server, context.worker, client, context.cache, context.session, reply, command, args, space};
  Run(inner);
  context.reply.set_protocol(reply.protocol());  // HELLO
}

void Exec(Context& context) {
  Client& client = context.client;
  if (!client.Has(kClientTransaction)) return context.reply.Error("ERR EXEC without MULTI");
  if (client.Has(kClientTransactionFailed)) {
    Discard(client);
    return context.reply.Error("EXECABORT Transaction discarded because of previous errors.");
  }
  context.worker.LeaveGuard();
  const Exclusive alone(context.cache, context.session);
  if (WatchedChanged(context)) {
    Discard(client);
    return context.reply.NullArray();
  }
  client.watches.reset();
  const std::unique_ptr<ClientPart> part = std::move(client.transaction);
  const auto& transaction = static_cast<const Transaction&>(*part);
  context.reply.Array(transaction.count);
  client.Put(kClientInExec);
  transaction.Each([&](const Command& command, const Args& args) { RunQueued(context, command, args); });
  client.Put(kClientInExec, false);
  context.worker.LeaveGuard();
  Discard(client);
}

void WatchCommand(Context& context) {
  Client& client = context.client;
  if (client.Has(kClientTransaction)) return context.reply.Error("ERR WATCH inside MULTI is not allowed");
  Changes& changes = context.server.changes();
  changes.Listen();
  const ReadGuard& guard = context.worker.Guard();
  if (!client.watches) client.watches = std::make_unique<Watches>(changes);
  auto& watches = static_cast<Watches&>(*client.watches);
  for (size_t i = 1; i < context.args.size() && !watches.changed.load(); ++i) {
    bool known = false;
    for (const auto& each : watches.keys)
      known = known || (each->space == context.space && each->key == context.args[i]);
    if (known) continue;
    watches.keys.push_back(std::make_unique<Watched>());
    Watched& watched = *watches.keys.back();
    watched.space = context.space;
    watched.key = context.args[i];
    watched.changed = &watches.changed;
    // An entry past its end goes now: that is no change of what is watched.
    context.cache.Has(guard, context.session, context.space, context.args.AsBytes(i));
    // First watched, then looked up: what comes between is noticed.
    changes.Watch(&watched);
    watched.existed = context.cache.Has(guard, context.session, context.space, context.args.AsBytes(i));
  }
  context.reply.Ok();
}

void Unwatch(Context& context) {
  context.client.watches.reset();
  context.reply.Ok();
}

constexpr Command kMultiCommands[] = {
    {.name = "multi",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kFast | kAllowBusy | kGuarded | kNeverQueued,
     .categories = kCatFast | kCatTransaction,
     .run = Multi,
     .summary = "Mark the start of a transaction block",
     .since = "1.2.0",
     .group = "transactions"},
    {.name = "exec",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kSkipSlowlog | kExclusive | kNeverQueued,
     .categories = kCatSlow | kCatTransaction,
     .run = Exec,
     .summary = "Execute all commands issued after MULTI",
     .since = "1.2.0",
     .group = "transactions",
     .complexity = "Depends on commands in the transaction"},
    {.name = "discard",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kFast | kAllowBusy | kGuarded | kNeverQueued,
     .categories = kCatFast | kCatTransaction,
     .run = DiscardCommand,
     .summary = "Discard all commands issued after MULTI",
     .since = "2.0.0",
     .group = "transactions",
     .complexity = "O(N), when N is the number of queued commands"},
    {.name = "watch",
     .arity = -2,
     .flags = kNoScript | kLoading | kStale | kFast | kAllowBusy | kNeverQueued,
     .categories = kCatFast | kCatTransaction,
     .first_key = 1,
     .last_key = -1,
     .key_step = 1,
     .run = WatchCommand,
     .summary = "Watch the given keys to determine execution of the MULTI/EXEC block",
     .since = "2.2.0",
     .group = "transactions",
     .complexity = "O(1) for every key."},
    {.name = "unwatch",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kFast | kAllowBusy | kGuarded,
     .categories = kCatFast | kCatTransaction,
     .run = Unwatch,
     .summary = "Forget about all watched keys",
     .since = "2.2.0",
     .group = "transactions"},
};

}  // namespace

std::span<const Command> MultiCommands() { return kMultiCommands; }

}  // namespace zerohop::resp
