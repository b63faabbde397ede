// commands_connection.cc: PING, ECHO, QUIT, RESET, SELECT, TIME, and who the client is: AUTH, HELLO.
#include "base/clock.h"
#include "resp/acl.h"
#include "resp/ascii.h"
#include "resp/changes.h"
#include "resp/client.h"
#include "resp/commands.h"
#include "resp/connection.h"
#include "resp/numbers.h"
#include "resp/permission.h"
#include "resp/server.h"
#include "resp/transaction.h"

namespace zerohop::resp {

bool SetClientName(Client& client, std::string_view name) {
  for (const char each : name) {
    if (each < '!' || each > '~') return false;
  }
  client.name = name;
  return true;
}

namespace {

void Ping(Context& context) {
  if (context.args.size() > 2) return context.reply.Error("ERR wrong number of arguments for 'ping' command");
  const std::string_view text = context.args.size() == 2 ? context.args[1] : std::string_view();
  // As a message, where a RESP2 client reads nothing else.
  if (context.client.Has(kClientSubscribed) && context.client.protocol == 2) {
    context.reply.Array(2);
    context.reply.Bulk("pong");
    return context.reply.Bulk(text);
  }
  if (context.args.size() == 2) return context.reply.Bulk(text);
  context.reply.Simple("PONG");
}

void Echo(Context& context) { context.reply.Bulk(context.args[1]); }

void Quit(Context& context) {
  context.reply.Ok();
  context.client.Put(kClientCloseAfterReply);
}

void Reset(Context& context) {
  Client& client = context.client;
  context.server.changes().Untrack(client);
  Discard(client);
  UnsubscribeAll(client);
  client.database = 0;
  client.protocol = 2;
  client.account = &context.server.users().default_user();
  client.authenticated = !client.account->needs_password() && client.account->enabled();
  client.name.clear();
  client.Put(kClientReplyOff | kClientReplySkipNext, false);
  context.reply.set_protocol(2);
  context.reply.Simple("RESET");
}

void Select(Context& context) {
  const auto database = ParseInteger(context.args[1]);
  if (!database) return context.reply.NotAnInteger();
  if (*database < 0 || *database >= static_cast<int64_t>(context.server.database_count()))
    return context.reply.Error("ERR DB index is out of range");
  const auto space = context.server.SpaceOf(static_cast<size_t>(*database));
  // The cache has no room for another keyspace.
  if (!const_cast<Result<uint16_t>&>(space).ok()) return context.reply.Error("ERR DB index is out of range");
  context.client.database = static_cast<uint16_t>(*database);
  context.reply.Ok();
}

void Time(Context& context) {
  const uint64_t now_us = ReadClockUs(CLOCK_REALTIME);
  context.reply.Array(2);
  context.reply.BulkInteger(static_cast<int64_t>(now_us / 1000000));
  context.reply.BulkInteger(static_cast<int64_t>(now_us % 1000000));
}

constexpr std::string_view kWrongPassword = "WRONGPASS invalid username-password pair or user is disabled.";

bool LogIn(Context& context, std::string_view name, std::string_view password) {
  const User* const user = context.server.users().Authenticate(name, password);
  if (user == nullptr) {
    LogFailedLogin(context.client, name, context.args[0]);
    return false;
  }
  context.client.account = user;
  context.client.authenticated = true;
  return true;
}

void Auth(Context& context) {
  if (context.args.size() > 3) return context.reply.SyntaxError();
  const bool named = context.args.size() == 3;
  if (!named && !context.server.users().default_user().needs_password()) {
    return context.reply.Error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?");
  }
  if (!LogIn(context, named ? context.args[1] : "default", context.args[named ? 2 : 1]))
    return context.reply.Error(kWrongPassword);
  context.reply.Ok();
}

void Hello(Context& context) {
  Client& client = context.client;
  int64_t version = 0;
  if (context.args.size() >= 2) {
    const auto given = ParseInteger(context.args[1]);
    if (!given) return context.reply.Error("ERR Protocol version is not an integer or out of range");
    version = *given;
    if (version < 2 || version > 3) return context.reply.Error("NOPROTO unsupported protocol version");
  }
  for (size_t i = 2; i < context.args.size(); ++i) {
    const size_t more = context.args.size() - 1 - i;
    const std::string_view option = context.args[i];
    if (EqualsAnyCase(option, "auth") && more >= 2) {
      if (!LogIn(context, context.args[i + 1], context.args[i + 2])) return context.reply.Error(kWrongPassword);
      i += 2;
    } else if (EqualsAnyCase(option, "setname") && more >= 1) {
      if (!SetClientName(client, context.args[i + 1])) return context.reply.Error(kBadClientName);
      ++i;
    } else {
      return context.reply.Error("ERR Syntax error in HELLO option '" + std::string(option) + "'");
    }
  }
  if (!client.authenticated) {
    return context.reply.Error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> "
        "option can be used to authenticate the client and select the RESP protocol version at the same time");
  }
  if (version != 0) client.protocol = static_cast<int>(version);
  context.reply.set_protocol(client.protocol);
  context.reply.Map(7);
  context.reply.Bulk("server");
  context.reply.Bulk("redis");
  context.reply.Bulk("version");
  context.reply.Bulk(kRedisVersion);
  context.reply.Bulk("proto");
  context.reply.Integer(client.protocol);
  context.reply.Bulk("id");
  context.reply.Integer(static_cast<int64_t>(client.id));
  context.reply.Bulk("mode");
  context.reply.Bulk("standalone");
  context.reply.Bulk("role");
  context.reply.Bulk("master");
  context.reply.Bulk("modules");
  context.reply.Array(0);
}

constexpr uint32_t kConnection = kCatFast | kCatConnection;

constexpr Command kConnectionCommands[] = {
    {.name = "ping",
     .arity = -1,
     .flags = kFast | kSentinel | kGuarded | kInSubscribed,
     .categories = kConnection,
     .run = Ping,
     .summary = "Ping the server",
     .group = "connection"},
    {.name = "echo",
     .arity = 2,
     .flags = kLoading | kStale | kFast | kGuarded,
     .categories = kConnection,
     .run = Echo,
     .summary = "Echo the given string",
     .group = "connection"},
    {.name = "quit",
     .arity = -1,
     .flags = kNoScript | kLoading | kStale | kFast | kNoAuth | kAllowBusy | kGuarded | kInSubscribed | kNeverQueued,
     .categories = kConnection,
     .run = Quit,
     .summary = "Close the connection",
     .group = "connection"},
    {.name = "reset",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kFast | kNoAuth | kAllowBusy | kInSubscribed | kNeverQueued,
     .categories = kConnection,
     .run = Reset,
     .summary = "Reset the connection",
     .since = "6.2.0",
     .group = "connection"},
    {.name = "select",
     .arity = 2,
     .flags = kLoading | kStale | kFast,
     .categories = kConnection,
     .run = Select,
     .summary = "Change the selected database for the current connection",
     .group = "connection"},
    {.name = "time",
     .arity = 1,
     .flags = kLoading | kStale | kFast | kGuarded,
     .categories = kCatFast,
     .run = Time,
     .summary = "Return the current server time",
     .since = "2.6.0",
     .group = "server"},
    {.name = "auth",
     .arity = -2,
     .flags = kNoScript | kLoading | kStale | kFast | kNoAuth | kSentinel | kAllowBusy,
     .categories = kConnection,
     .run = Auth,
     .summary = "Authenticate to the server",
     .group = "connection",
     .complexity = "O(N) where N is the number of passwords defined for the user"},
    {.name = "hello",
     .arity = -1,
     .flags = kNoScript | kLoading | kStale | kFast | kNoAuth | kSentinel | kAllowBusy,
     .categories = kConnection,
     .run = Hello,
     .summary = "Handshake with Redis",
     .since = "6.0.0",
     .group = "connection"},
};

}  // namespace

std::span<const Command> ConnectionCommands() { return kConnectionCommands; }

}  // namespace zerohop::resp
