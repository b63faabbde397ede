// commands_connection.cc: PING and ECHO.
#include "resp/client.h"
#include "resp/commands.h"

namespace zerohop::resp {
namespace {

void Ping(Context& context) {
  if (context.args.size() > 2) {
    return context.reply.Error("ERR wrong number of arguments for 'ping' command");
  }
  if (context.args.size() == 2) return context.reply.Bulk(context.args[1]);
  context.reply.Simple("PONG");
}

void Echo(Context& context) { context.reply.Bulk(context.args[1]); }

constexpr Command kConnectionCommands[] = {
    {.name = "ping",
     .arity = -1,
     .flags = kFast | kGuarded,
     .categories = kCatFast | kCatConnection,
     .run = Ping,
     .summary = "Ping the server",
     .group = "connection"},
    {.name = "echo",
     .arity = 2,
     .flags = kLoading | kStale | kFast | kGuarded,
     .categories = kCatFast | kCatConnection,
     .run = Echo,
     .summary = "Echo the given string",
     .group = "connection"},
};

}  // namespace

std::span<const Command> ConnectionCommands() { return kConnectionCommands; }

}  // namespace zerohop::resp
