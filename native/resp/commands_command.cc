// commands_command.cc: COMMAND: what the server's commands are, told to clients that ask.
#include <iterator>
#include <string>
#include <vector>

#include "resp/acl.h"
#include "resp/ascii.h"
#include "resp/command_arguments.h"
#include "resp/command_table.h"
#include "resp/commands.h"
#include "resp/glob.h"
#include "resp/help.h"
#include "resp/permission.h"

namespace zerohop::resp {
namespace {

constexpr std::string_view kCommandHelp[] = {
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
};

constexpr struct {
  uint32_t flag;
  const char* name;
} kFlagNames[] = {
    {kWrite, "write"},
    {kReadOnly, "readonly"},
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kPubSub, "pubsub"},
    {kNoScript, "noscript"},
    {kBlocking, "blocking"},
    {kLoading, "loading"},
    {kStale, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kSkipSlowlog, "skip_slowlog"},
    {kFast, "fast"},
    {kNoAuth, "no_auth"},
    {kNoMandatoryKeys, "no_mandatory_keys"},
    {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"},
    {kMovableKeys, "movablekeys"},
    {kAllowBusy, "allow_busy"},
};

// "get", or "client|list"; null: there is none.
const Command* CommandByFullName(std::string_view name) {
  const CommandTable& table = CommandTable::Process();
  const size_t bar = name.find('|');
  const Command* const command = table.Find(name.substr(0, bar));
  if (command == nullptr || bar == std::string_view::npos) return command;
  return table.FindSubcommand(*command, name.substr(bar + 1));
}

std::vector<std::string> SplitFlags(std::string_view flags) {
  std::vector<std::string> names;
  for (size_t at = 0; at < flags.size();) {
    const size_t end = std::min(flags.find(' ', at), flags.size());
    const std::string_view flag = flags.substr(at, end - at);
    // RO, RW, OW and RM are told as they are, the others in lower case.
    names.push_back(flag.size() == 2 ? std::string(flag) : LowerCase(flag));
    at = end + 1;
  }
  return names;
}

void TellFlags(Context& context, std::string_view flags) {
  const std::vector<std::string> names = SplitFlags(flags);
  context.reply.Set(names.size());
  for (const std::string& name : names) context.reply.Simple(name);
}

void TellKeySpecs(Context& context, const Command& command) {
  const std::vector<KeySpec> specs = KeySpecsOf(command);
  context.reply.Set(specs.size());
  for (const KeySpec& spec : specs) {
    context.reply.Map(3);
    context.reply.Bulk("flags");
    TellFlags(context, spec.flags);
    context.reply.Bulk("begin_search");
    context.reply.Map(2);
    context.reply.Bulk("type");
    context.reply.Bulk("index");
    context.reply.Bulk("spec");
    context.reply.Map(1);
    context.reply.Bulk("index");
    context.reply.Integer(spec.first);
    context.reply.Bulk("find_keys");
    context.reply.Map(2);
    context.reply.Bulk("type");
    context.reply.Bulk("range");
    context.reply.Bulk("spec");
    context.reply.Map(3);
    context.reply.Bulk("lastkey");
    context.reply.Integer(spec.last < 0 ? spec.last : spec.last - spec.first);
    context.reply.Bulk("keystep");
    context.reply.Integer(spec.step);
    context.reply.Bulk("limit");
    context.reply.Integer(0);
  }
}

void TellInfo(Context& context, const Command* command) {
  if (command == nullptr) return context.reply.Null();
  std::vector<const char*> flags;
  for (const auto& [flag, name] : kFlagNames) {
    if ((command->flags & flag) != 0) flags.push_back(name);
  }
  std::vector<std::string> categories;
  for (size_t i = 0; i < std::size(kCategoryNames); ++i) {
    if ((command->categories & (1u << i)) != 0) categories.push_back("@" + std::string(kCategoryNames[i]));
  }
  context.reply.Array(10);
  context.reply.Bulk(CommandTable::FullName(*command));
  context.reply.Integer(command->arity);
  context.reply.Set(flags.size());
  for (const char* flag : flags) context.reply.Simple(flag);
  context.reply.Integer(command->first_key);
  context.reply.Integer(command->last_key);
  context.reply.Integer(command->key_step);
  context.reply.Set(categories.size());
  for (const std::string& category : categories) context.reply.Simple(category);
  context.reply.Set(0);  // tips: for clusters
  TellKeySpecs(context, *command);
  if (command->subcommands.empty()) return context.reply.Set(0);
  context.reply.Array(command->subcommands.size());
  for (const Command& subcommand : command->subcommands)
    TellInfo(context, CommandTable::Process().all()[subcommand.index]);
}

void TellDocs(Context& context, const Command& command) {
  const std::string name = CommandTable::FullName(command);
  const bool takes_arguments = HasArguments(name);
  context.reply.Map(4u + takes_arguments + !command.subcommands.empty());
  context.reply.Bulk("summary");
  context.reply.Bulk(command.summary);
  context.reply.Bulk("since");
  context.reply.Bulk(command.since);
  context.reply.Bulk("group");
  context.reply.Bulk(command.group);
  context.reply.Bulk("complexity");
  context.reply.Bulk(command.complexity);
  if (takes_arguments) {
    context.reply.Bulk("arguments");
    TellArguments(name, context.reply);
  }
  if (command.subcommands.empty()) return;
  context.reply.Bulk("subcommands");
  context.reply.Map(command.subcommands.size());
  for (const Command& subcommand : command.subcommands) {
    const Command& told = *CommandTable::Process().all()[subcommand.index];
    context.reply.Bulk(CommandTable::FullName(told));
    TellDocs(context, told);
  }
}

void CommandCommand(Context& context) {
  const auto& commands = CommandTable::Process().commands();
  context.reply.Array(commands.size());
  for (const Command* const command : commands) TellInfo(context, command);
}

void CommandHelp(Context& context) { ReplyHelp(context, kCommandHelp); }
void CommandCount(Context& context) {
  context.reply.Integer(static_cast<int64_t>(CommandTable::Process().commands().size()));
}

void CommandInfo(Context& context) {
  if (context.args.size() == 2) return CommandCommand(context);
  context.reply.Array(context.args.size() - 2);
  for (size_t i = 2; i < context.args.size(); ++i) TellInfo(context, CommandByFullName(context.args[i]));
}

void CommandDocs(Context& context) {
  std::vector<const Command*> commands = CommandTable::Process().commands();
  if (context.args.size() > 2) {
    commands.clear();
    for (size_t i = 2; i < context.args.size(); ++i) {
      if (const Command* const command = CommandByFullName(context.args[i])) commands.push_back(command);
    }
  }
  context.reply.Map(commands.size());
  for (const Command* const command : commands) {
    context.reply.Bulk(CommandTable::FullName(*command));
    TellDocs(context, *command);
  }
}

void CommandList(Context& context) {
  const Args& args = context.args;
  if (args.size() != 2 && (args.size() != 5 || !EqualsAnyCase(args[2], "filterby"))) return context.reply.SyntaxError();
  uint32_t category = UINT32_MAX;
  std::string_view pattern = "*";
  bool none = false;
  if (args.size() == 5) {
    if (EqualsAnyCase(args[3], "module"))
      none = true;  // there are no modules
    else if (EqualsAnyCase(args[3], "aclcat"))
      category = CategoryByName(args[4]);
    else if (EqualsAnyCase(args[3], "pattern"))
      pattern = args[4];
    else
      return context.reply.SyntaxError();
  }
  std::vector<std::string> names;
  for (const Command* const command : CommandTable::Process().all()) {
    std::string name = CommandTable::FullName(*command);
    if (none || (command->categories & category) == 0 || !GlobMatchesAnyCase(pattern, name)) continue;
    names.push_back(std::move(name));
  }
  context.reply.Array(names.size());
  for (const std::string& name : names) context.reply.Bulk(name);
}

void TellKeys(Context& context, bool with_flags) {
  const Args asked = context.args.From(2);
  const CommandTable& table = CommandTable::Process();
  const Command* command = table.Find(asked[0]);
  if (command != nullptr && !command->subcommands.empty() && asked.size() > 1)
    command = table.FindSubcommand(*command, asked[1]);
  if (command == nullptr) return context.reply.Error("ERR Invalid command specified");
  if (command->first_key == 0) return context.reply.Error("ERR The command has no key arguments");
  const int words = static_cast<int>(asked.size());
  if (command->arity > 0 ? command->arity != words : words < -command->arity)
    return context.reply.Error("ERR Invalid number of arguments specified for command");
  std::vector<std::pair<size_t, const char*>> keys;
  const std::vector<KeySpec> specs = KeySpecsOf(*command);
  for (const KeySpec& spec : specs) {
    const int last = spec.last < 0 ? words + spec.last : spec.last;
    for (int at = spec.first; at <= last && at < words; at += spec.step)
      keys.emplace_back(static_cast<size_t>(at), spec.flags);
  }
  context.reply.Array(keys.size());
  for (const auto& [at, flags] : keys) {
    if (with_flags) context.reply.Array(2);
    context.reply.Bulk(asked[at]);
    if (with_flags) TellFlags(context, flags);
  }
}

void CommandGetKeys(Context& context) { TellKeys(context, false); }
void CommandGetKeysAndFlags(Context& context) { TellKeys(context, true); }

constexpr uint32_t kCommandFlags = kLoading | kStale | kSentinel | kGuarded;
constexpr uint32_t kCommandCategories = kCatSlow | kCatConnection;

constexpr Command kCommandSubcommands[] = {
    {.name = "count",
     .arity = 2,
     .flags = kCommandFlags,
     .categories = kCommandCategories,
     .run = CommandCount,
     .summary = "Get total number of Redis commands",
     .since = "2.8.13",
     .group = "server"},
    {.name = "docs",
     .arity = -2,
     .flags = kCommandFlags,
     .categories = kCommandCategories,
     .run = CommandDocs,
     .summary = "Get array of specific Redis command documentation",
     .since = "7.0.0",
     .group = "server",
     .complexity = "O(N) where N is the number of commands to look up"},
    {.name = "getkeys",
     .arity = -4,
     .flags = kCommandFlags,
     .categories = kCommandCategories,
     .run = CommandGetKeys,
     .summary = "Extract keys given a full Redis command",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(N) where N is the number of arguments to the command"},
    {.name = "getkeysandflags",
     .arity = -4,
     .flags = kCommandFlags,
     .categories = kCommandCategories,
     .run = CommandGetKeysAndFlags,
     .summary = "Extract keys and access flags given a full Redis command",
     .since = "7.0.0",
     .group = "server",
     .complexity = "O(N) where N is the number of arguments to the command"},
    {.name = "help",
     .arity = 2,
     .flags = kCommandFlags,
     .categories = kCommandCategories,
     .run = CommandHelp,
     .summary = "Show helpful text about the different subcommands",
     .since = "5.0.0",
     .group = "server"},
    {.name = "info",
     .arity = -2,
     .flags = kCommandFlags,
     .categories = kCommandCategories,
     .run = CommandInfo,
     .summary = "Get array of specific Redis command details, or all when no argument is given.",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(N) where N is the number of commands to look up"},
    {.name = "list",
     .arity = -2,
     .flags = kCommandFlags,
     .categories = kCommandCategories,
     .run = CommandList,
     .summary = "Get an array of Redis command names",
     .since = "7.0.0",
     .group = "server",
     .complexity = "O(N) where N is the total number of Redis commands"},
};

constexpr Command kCommandCommands[] = {
    {.name = "command",
     .arity = -1,
     .flags = kCommandFlags,
     .categories = kCommandCategories,
     .run = CommandCommand,
     .subcommands = kCommandSubcommands,
     .summary = "Get array of Redis command details",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(N) where N is the total number of Redis commands"},
};

}  // namespace

std::span<const Command> CommandCommands() { return kCommandCommands; }

}  // namespace zerohop::resp
