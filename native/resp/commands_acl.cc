// commands_acl.cc: ACL: users, their rules, and what was denied.
#include <sys/random.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <vector>

#include "base/clock.h"
#include "resp/acl.h"
#include "resp/acl_log.h"
#include "resp/ascii.h"
#include "resp/client.h"
#include "resp/command_table.h"
#include "resp/commands.h"
#include "resp/connection.h"
#include "resp/help.h"
#include "resp/numbers.h"
#include "resp/permission.h"
#include "resp/server.h"
#include "resp/worker.h"

namespace zerohop::resp {

void AdmitAllIfOpen(Server& server) {
  const User& user = server.users().default_user();
  if (user.needs_password() || !user.enabled()) return;
  server.EachClient([](Client& client) { client.authenticated = true; });
}

namespace {

constexpr std::string_view kAclHelp[] = {
    "CAT [<category>]",
    "    List all commands that belong to <category>, or all command categories",
    "    when no category is specified.",
    "DELUSER <username> [<username> ...]",
    "    Delete a list of users.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Returns whether the user can execute the given command without executing the command.",
    "GETUSER <username>",
    "    Get the user's details.",
    "GENPASS [<bits>]",
    "    Generate a secure 256-bit user password. The optional `bits` argument can",
    "    be used to specify a different size.",
    "LIST",
    "    Show users details in config file format.",
    "LOAD",
    "    Reload users from the ACL file.",
    "LOG [<count> | RESET]",
    "    Show the ACL log entries.",
    "SAVE",
    "    Save the current config to the ACL file.",
    "SETUSER <username> <attribute> [<attribute> ...]",
    "    Create or modify a user with the specified attributes.",
    "USERS",
    "    List all the registered usernames.",
    "WHOAMI",
    "    Return the current connection username.",
};

void AclHelp(Context& context) { ReplyHelp(context, kAclHelp); }
void AclWhoAmI(Context& context) { context.reply.Bulk(context.client.account->name()); }

void AclSetUser(Context& context) {
  const std::string_view name = context.args[2];
  if (HasSpaces(name)) return context.reply.Error("ERR Usernames can't contain spaces or null characters");
  std::vector<std::string_view> rules;
  for (size_t i = 3; i < context.args.size(); ++i) rules.push_back(context.args[i]);
  // Who listens to what the user may not hear any more is sent away.
  const auto before_change = [&](const User& user, const User& changed) {
    context.server.EachClient([&](Client& client) {
      if (client.account != &user || !ListensBeyond(client, changed)) return;
      if (&client == &context.client)
        client.Put(kClientCloseAfterReply);
      else
        client.worker.Close(client);
    });
  };
  const std::string error = context.server.users().Set(name, rules, before_change);
  if (!error.empty()) return context.reply.Error("ERR " + error);
  AdmitAllIfOpen(context.server);
  context.reply.Ok();
}

void AclDelUser(Context& context) {
  Users& users = context.server.users();
  for (size_t i = 2; i < context.args.size(); ++i) {
    if (context.args[i] == "default") return context.reply.Error("ERR The 'default' user cannot be removed");
  }
  int64_t removed = 0;
  for (size_t i = 2; i < context.args.size(); ++i) {
    const std::unique_ptr<User> user = users.Remove(context.args[i]);
    if (user == nullptr) continue;
    ++removed;
    context.server.EachClient([&](Client& client) {
      if (client.account != user.get()) return;
      client.account = &users.default_user();
      client.authenticated = false;
      if (&client == &context.client)
        client.Put(kClientCloseAfterReply);
      else
        client.worker.Close(client);
    });
  }
  context.reply.Integer(removed);
}

void TellSelector(Context& context, const Selector& selector) {
  context.reply.Bulk("commands");
  context.reply.Bulk(selector.DescribeCommands(context.server.users().commands()));
  context.reply.Bulk("keys");
  context.reply.Bulk(selector.DescribeKeys());
  context.reply.Bulk("channels");
  context.reply.Bulk(selector.DescribeChannels());
}

void AclGetUser(Context& context) {
  const User* const user = context.server.users().Find(context.args[2]);
  if (user == nullptr) return context.reply.Null();
  context.reply.Map(6);
  context.reply.Bulk("flags");
  const std::vector<std::string_view> flags = user->Flags();
  context.reply.Set(flags.size());
  for (const std::string_view flag : flags) context.reply.Bulk(flag);
  context.reply.Bulk("passwords");
  context.reply.Array(user->password_hashes().size());
  for (const std::string& hash : user->password_hashes()) context.reply.Bulk(hash);
  TellSelector(context, user->selectors()[0]);
  context.reply.Bulk("selectors");
  context.reply.Array(user->selectors().size() - 1);
  for (size_t i = 1; i < user->selectors().size(); ++i) {
    context.reply.Map(3);
    TellSelector(context, user->selectors()[i]);
  }
}

void AclList(Context& context) {
  const Users& users = context.server.users();
  context.reply.Array(users.all().size());
  for (const auto& [name, user] : users.all())
    context.reply.Bulk("user " + name + " " + user->Describe(users.commands()));
}

void AclUsers(Context& context) {
  const Users& users = context.server.users();
  context.reply.Array(users.all().size());
  for (const auto& [name, user] : users.all()) context.reply.Bulk(name);
}

void AclCat(Context& context) {
  if (context.args.size() > 3) return ReplySubcommandSyntax(context);
  if (context.args.size() == 2) {
    context.reply.Array(std::size(kCategoryNames));
    for (const std::string_view name : kCategoryNames) context.reply.Bulk(name);
    return;
  }
  const uint32_t category = CategoryByName(context.args[2]);
  if (category == 0)
    return context.reply.Error("ERR Unknown category '" + std::string(context.args[2].substr(0, 128)) + "'");
  std::vector<std::string> names;
  for (const Command* const command : CommandTable::Process().all()) {
    if ((command->categories & category) != 0) names.push_back(CommandTable::FullName(*command));
  }
  context.reply.Array(names.size());
  for (const std::string& name : names) context.reply.Bulk(name);
}

void AclGenPass(Context& context) {
  if (context.args.size() > 3) return ReplySubcommandSyntax(context);
  constexpr int64_t kBitsMax = 4096;
  int64_t bits = 256;
  if (context.args.size() == 3) {
    const auto given = ParseInteger(context.args[2]);
    if (!given) return context.reply.NotAnInteger();
    bits = *given;
  }
  if (bits <= 0 || bits > kBitsMax) {
    return context.reply.Error(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096");
  }
  uint8_t random[kBitsMax / 8];
  // Whole: more than 256 bytes may come in parts.
  for (size_t got = 0; got < sizeof random;) {
    const ssize_t more = ::getrandom(random + got, sizeof random - got, 0);
    if (more > 0) got += static_cast<size_t>(more);
  }
  std::string password;
  for (size_t i = 0; i < static_cast<size_t>((bits + 3) / 4); ++i)
    password += "0123456789abcdef"[(i % 2 == 0 ? random[i / 2] >> 4 : random[i / 2]) & 15];
  context.reply.Bulk(password);
}

void AclLogCommand(Context& context) {
  if (context.args.size() > 3) return ReplySubcommandSyntax(context);
  int64_t count = 10;
  if (context.args.size() == 3) {
    if (EqualsAnyCase(context.args[2], "reset")) {
      context.server.acl_log().Clear();
      return context.reply.Ok();
    }
    const auto given = ParseInteger(context.args[2]);
    if (!given) return context.reply.NotAnInteger();
    count = std::max<int64_t>(*given, 0);
  }
  const auto entries = context.server.acl_log().Last(static_cast<size_t>(count));
  const uint64_t now = NowUs();
  context.reply.Array(entries.size());
  for (const AclLog::Entry& entry : entries) {
    context.reply.Map(7);
    context.reply.Bulk("count");
    context.reply.Integer(static_cast<int64_t>(entry.count));
    context.reply.Bulk("reason");
    context.reply.Bulk(entry.reason);
    context.reply.Bulk("context");
    context.reply.Bulk(entry.context);
    context.reply.Bulk("object");
    context.reply.Bulk(entry.object);
    context.reply.Bulk("username");
    context.reply.Bulk(entry.user);
    context.reply.Bulk("age-seconds");
    const uint64_t age_ms = (now - entry.at_us) / 1000;
    context.reply.Double(static_cast<double>(age_ms) / 1000);
    context.reply.Bulk("client-info");
    context.reply.Bulk(entry.client);
  }
}

void AclDryRun(Context& context) {
  const User* const user = context.server.users().Find(context.args[2]);
  if (user == nullptr) return context.reply.Error("ERR User '" + std::string(context.args[2]) + "' not found");
  const Args asked = context.args.From(3);
  const CommandTable& table = CommandTable::Process();
  const Command* command = table.Find(asked[0]);
  if (command != nullptr && !command->subcommands.empty() && asked.size() > 1)
    command = table.FindSubcommand(*command, asked[1]);
  if (command == nullptr) return context.reply.Error("ERR Command '" + std::string(asked[0]) + "' not found");
  const std::string name = CommandTable::FullName(*command);
  const int words = static_cast<int>(asked.size());
  if (command->arity > 0 ? command->arity != words : words < -command->arity)
    return context.reply.Error("ERR wrong number of arguments for '" + name + "' command");
  const AclVerdict verdict = CheckPermission(context.server.users(), *user, *command, asked);
  const std::string word(asked[verdict.position]);
  switch (verdict.denied) {
    case AclVerdict::Denied::kNothing: return context.reply.Ok();
    case AclVerdict::Denied::kCommand:
      return context.reply.Bulk("This user has no permissions to run the '" + name + "' command");
    case AclVerdict::Denied::kKey:
      return context.reply.Bulk("This user has no permissions to access the '" + word + "' key");
    case AclVerdict::Denied::kChannel:
      return context.reply.Bulk("This user has no permissions to access the '" + word + "' channel");
  }
}

void AclNoFile(Context& context) {
  context.reply.Error(
      "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
      "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
      "users in the Redis configuration.");
}

constexpr uint32_t kAclAnyone = kNoScript | kLoading | kStale | kSentinel;
constexpr uint32_t kAclAdmins = kAclAnyone | kAdmin;

constexpr Command AclSubcommand(const char* name, int arity, uint32_t flags, Handler run, const char* summary,
                                const char* complexity = "O(1)", const char* since = "6.0.0") {
  const uint32_t categories = (flags & kAdmin) != 0 ? kCatAdmin | kCatSlow | kCatDangerous : uint32_t{kCatSlow};
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .categories = categories,
          .run = run,
          .summary = summary,
          .since = since,
          .group = "server",
          .complexity = complexity};
}

constexpr Command kAclSubcommands[] = {
    AclSubcommand("cat", -2, kAclAnyone, AclCat, "List the ACL categories or the commands inside a category"),
    AclSubcommand("deluser", -3, kAclAdmins | kExclusive, AclDelUser,
                  "Remove the specified ACL users and the associated rules",
                  "O(1) amortized time considering the typical user."),
    AclSubcommand("dryrun", -4, kAclAdmins, AclDryRun,
                  "Returns whether the user can execute the given command without executing the command.", "O(1).",
                  "7.0.0"),
    AclSubcommand("genpass", -2, kAclAnyone, AclGenPass,
                  "Generate a pseudorandom secure password to use for ACL users"),
    AclSubcommand("getuser", 3, kAclAdmins, AclGetUser, "Get the rules for a specific ACL user",
                  "O(N). Where N is the number of password, command and pattern rules that the user has."),
    AclSubcommand("help", 2, kAclAnyone & ~kNoScript, AclHelp, "Show helpful text about the different subcommands"),
    AclSubcommand("list", 2, kAclAdmins, AclList, "List the current ACL rules in ACL config file format",
                  "O(N). Where N is the number of configured users."),
    AclSubcommand("load", 2, kAclAdmins, AclNoFile, "Reload the ACLs from the configured ACL file",
                  "O(N). Where N is the number of configured users."),
    AclSubcommand("log", -2, kAclAdmins, AclLogCommand, "List latest events denied because of ACLs in place",
                  "O(N) with N being the number of entries shown."),
    AclSubcommand("save", 2, kAclAdmins, AclNoFile, "Save the current ACL rules in the configured ACL file",
                  "O(N). Where N is the number of configured users."),
    AclSubcommand("setuser", -3, kAclAdmins | kExclusive, AclSetUser,
                  "Modify or create the rules for a specific ACL user",
                  "O(N). Where N is the number of rules provided."),
    AclSubcommand("users", 2, kAclAdmins, AclUsers, "List the username of all the configured ACL rules",
                  "O(N). Where N is the number of configured users."),
    AclSubcommand("whoami", 2, kAclAnyone, AclWhoAmI,
                  "Return the name of the user associated to the current connection"),
};

constexpr Command kAclCommand[] = {
    {.name = "acl",
     .arity = -2,
     .flags = kSentinel,
     .categories = kCatSlow,
     .subcommands = kAclSubcommands,
     .summary = "A container for Access List Control commands",
     .since = "6.0.0",
     .group = "server",
     .complexity = "Depends on subcommand."},
};

}  // namespace

std::span<const Command> AclCommandsRoom() { return kAclCommand; }

}  // namespace zerohop::resp
