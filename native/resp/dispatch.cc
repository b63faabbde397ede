#include "resp/dispatch.h"

#include <algorithm>

#include "base/clock.h"
#include "resp/client.h"
#include "resp/command_table.h"
#include "resp/server.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

constexpr size_t kNameShownMax = 128;  // of a command that nobody knows

// A wrong name, and its first words, as Redis shows them.
std::string UnknownCommand(const Args& args) {
  std::string text = "ERR unknown command '";
  text.append(args[0].substr(0, kNameShownMax)).append("', with args beginning with: ");
  size_t shown = 0;
  for (size_t i = 1; i < args.size() && shown < kNameShownMax; ++i) {
    const std::string_view word = args[i].substr(0, kNameShownMax - shown);
    text.append("'").append(word).append("' ");
    shown += word.size() + 3;
  }
  return text;
}

bool RightArity(const Command& command, size_t words) {
  return command.arity >= 0 ? words == static_cast<size_t>(command.arity)
                            : words >= static_cast<size_t>(-command.arity);
}

}  // namespace

bool IsPlainGet(const Client& client, const Server& server, const Args& args) {
  if (args.size() != 2 || args[0].size() != 3) return false;
  const std::string_view name = args[0];
  if ((name[0] | 0x20) != 'g' || (name[1] | 0x20) != 'e' || (name[2] | 0x20) != 't') return false;
  constexpr uint32_t kNotPlain = kClientTransaction | kClientReplyOff | kClientReplySkip | kClientReplySkipNext |
                                 kClientTracking | kClientSubscribed | kClientCloseAfterReply | kClientClosing;
  return client.authenticated && (client.flags & kNotPlain) == 0 && server.pause.what != Pause::kAll;
}

void Run(Context& context) {
  CommandCounts& counts = context.worker.counts().by_command[context.command.index];
  const uint64_t errors = context.reply.errors();
  const bool timed = (context.command.flags & kFast) == 0;
  const uint64_t from = timed ? NowUs() : 0;
  context.command.run(context);
  ++counts.calls;
  if (timed) counts.micros += NowUs() - from;
  if (context.reply.errors() != errors) ++counts.failed;
}

Ran Dispatch(Worker& worker, Client& client, const Args& words, Output& out) {
  Server& server = worker.server();
  const Output::Mark before = out.Here();
  Reply reply(out, client.protocol, &worker.counts().errors);
  // What CLIENT REPLY SKIP was said of is this command.
  if (client.Has(kClientReplySkipNext)) {
    client.Put(kClientReplySkipNext, false);
    client.Put(kClientReplySkip);
  }
  const auto end = [&] {
    if (client.Has(kClientReplyOff | kClientReplySkip)) out.Rewind(before);
    client.Put(kClientReplySkip, false);
    return Ran::kDone;
  };

  const CommandTable& table = CommandTable::Process();
  const Command* command = table.Find(words[0]);
  if (command == nullptr) {
    reply.Error(UnknownCommand(words));
    return end();
  }
  if (!command->subcommands.empty() && words.size() > 1) {
    const Command* const subcommand = table.FindSubcommand(*command, words[1]);
    if (subcommand == nullptr) {
      std::string upper(command->name);
      std::transform(upper.begin(), upper.end(), upper.begin(),
                     [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
      reply.Error(std::string("ERR unknown subcommand '")
                      .append(words[1].substr(0, kNameShownMax))
                      .append("'. Try ")
                      .append(upper)
                      .append(" HELP."));
      return end();
    }
    command = subcommand;
  }
  CommandCounts& counts = worker.counts().by_command[command->index];
  if (!RightArity(*command, words.size()) || command->run == nullptr) {
    ++counts.rejected;
    reply.Error("ERR wrong number of arguments for '" + CommandTable::FullName(*command) + "' command");
    return end();
  }
  if (!client.authenticated && (command->flags & kNoAuth) == 0) {
    ++counts.rejected;
    reply.Error("NOAUTH Authentication required.");
    return end();
  }

  // The keyspace of the database was opened when it was selected.
  const uint16_t space = server.OpenedSpaceOf(client.database).value_or(0);
  Context context{server, worker, client, server.cache(), worker.session(), reply, *command, words, space};
  if ((command->flags & kGuarded) == 0) worker.LeaveGuard();
  client.last_command = command;
  ++client.commands;
  ++worker.counts().commands;
  if ((command->flags & kExclusive) != 0) {
    worker.GoExclusive();
    Run(context);
    worker.GoShared();
  } else {
    Run(context);
  }
  if (client.Has(kClientParked)) {
    out.Rewind(before);
    return Ran::kParked;
  }
  return end();
}

const ReadGuard& Context::Guard() const { return worker.Guard(); }

}  // namespace zerohop::resp
