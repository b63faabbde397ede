#include "resp/permission.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/clock.h"
#include "resp/acl_log.h"
#include "resp/ascii.h"
#include "resp/client.h"
#include "resp/client_line.h"
#include "resp/command_table.h"
#include "resp/server.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

// Where the flags are not "RO ACCESS" of a command that reads, nor "RW UPDATE" of one that writes.
constexpr KeySpec kSpecs[] = {
    {"append", 1, 1, 1, "RW INSERT"},
    {"copy", 1, 1, 1, "RO ACCESS"},
    {"copy", 2, 2, 1, "OW UPDATE"},
    {"decr", 1, 1, 1, "RW ACCESS UPDATE"},
    {"decrby", 1, 1, 1, "RW ACCESS UPDATE"},
    {"del", 1, -1, 1, "RM DELETE"},
    {"exists", 1, -1, 1, "RO"},
    {"getdel", 1, 1, 1, "RW ACCESS DELETE"},
    {"getex", 1, 1, 1, "RW ACCESS UPDATE"},
    {"getset", 1, 1, 1, "RW ACCESS UPDATE"},
    {"incr", 1, 1, 1, "RW ACCESS UPDATE"},
    {"incrby", 1, 1, 1, "RW ACCESS UPDATE"},
    {"incrbyfloat", 1, 1, 1, "RW ACCESS UPDATE"},
    {"memory|usage", 2, 2, 1, "RO"},
    {"mset", 1, -1, 2, "OW UPDATE"},
    {"msetnx", 1, -1, 2, "OW INSERT"},
    {"object|encoding", 2, 2, 1, "RO"},
    {"object|freq", 2, 2, 1, "RO"},
    {"object|idletime", 2, 2, 1, "RO"},
    {"object|refcount", 2, 2, 1, "RO"},
    {"psetex", 1, 1, 1, "OW UPDATE"},
    {"rename", 1, 1, 1, "RW ACCESS DELETE"},
    {"rename", 2, 2, 1, "OW UPDATE"},
    {"renamenx", 1, 1, 1, "RW ACCESS DELETE"},
    {"renamenx", 2, 2, 1, "OW INSERT"},
    {"set", 1, 1, 1, "RW ACCESS UPDATE VARIABLE_FLAGS"},
    {"setex", 1, 1, 1, "OW UPDATE"},
    {"setnx", 1, 1, 1, "OW INSERT"},
    {"strlen", 1, 1, 1, "RO"},
    {"touch", 1, -1, 1, "RO"},
    {"type", 1, 1, 1, "RO"},
    {"unlink", 1, -1, 1, "RM DELETE"},
    {"watch", 1, -1, 1, "RO"},
};

bool Says(const KeySpec& spec, const char* flag) { return std::strstr(spec.flags, flag) != nullptr; }

uint8_t AccessOf(const KeySpec& spec, const Args& args) {
  uint8_t access = kNoAccess;
  if (Says(spec, "ACCESS")) access |= kReadsKey;
  if (Says(spec, "INSERT") || Says(spec, "DELETE") || Says(spec, "UPDATE")) access |= kWritesKey;
  if (!Says(spec, "VARIABLE_FLAGS")) return access;
  // SET reads only with GET.
  for (size_t i = 3; i < args.size(); ++i) {
    if (EqualsAnyCase(args[i], "get")) return access;
  }
  return kWritesKey;
}

}  // namespace

AclCommands AclCommandsOfTable() {
  std::vector<AclCommand> commands;
  for (const Command* const command : CommandTable::Process().all()) {
    commands.push_back({CommandTable::FullName(*command), command->categories,
                        command->container != nullptr ? command->container->index : -1,
                        (command->flags & kNoAuth) != 0});
  }
  return AclCommands(std::move(commands));
}

std::vector<KeySpec> KeySpecsOf(const Command& command) {
  std::vector<KeySpec> specs;
  if (command.first_key == 0) return specs;
  const std::string name = CommandTable::FullName(command);
  for (const KeySpec& spec : kSpecs) {
    if (name == spec.command) specs.push_back(spec);
  }
  if (specs.empty()) {
    const char* const flags = (command.flags & kWrite) != 0 ? "RW UPDATE" : "RO ACCESS";
    specs.push_back({command.name, command.first_key, command.last_key, command.key_step, flags});
  }
  return specs;
}

std::vector<AclRequest::Key> KeysOf(const Command& command, const Args& args) {
  std::vector<AclRequest::Key> keys;
  for (const KeySpec& spec : KeySpecsOf(command)) {
    const int words = static_cast<int>(args.size());
    const int last = spec.last < 0 ? words + spec.last : spec.last;
    for (int at = spec.first; at <= last && at < words; at += spec.step)
      keys.push_back({static_cast<size_t>(at), AccessOf(spec, args)});
  }
  return keys;
}

std::vector<AclRequest::Channel> ChannelsOf(const Command& command, const Args& args) {
  std::vector<AclRequest::Channel> channels;
  if ((command.flags & kPubSub) == 0 || command.container != nullptr) return channels;
  const std::string_view name = command.name;
  // Whoever unsubscribes asks nobody.
  const size_t count = name == "publish" ? 2 : name == "subscribe" || name == "psubscribe" ? args.size() : 0;
  for (size_t i = 1; i < count; ++i) channels.push_back({i, name == "psubscribe"});
  return channels;
}

namespace {

void Log(Client& client, const char* reason, std::string_view object, std::string_view user) {
  Server& server = client.worker.server();
  const bool queued = client.Has(kClientTransaction | kClientInExec);
  server.acl_log().Add(
      {1, reason, queued ? "multi" : "toplevel", std::string(object), std::string(user), ClientLine(client), NowUs()},
      server.config().acllog_max_len);
}

}  // namespace

void LogDenial(Client& client, const Command& command, const Args& args, const AclVerdict& verdict) {
  using Denied = AclVerdict::Denied;
  const char* const reason = verdict.denied == Denied::kCommand ? "command"
                             : verdict.denied == Denied::kKey   ? "key"
                                                                : "channel";
  const std::string object =
      verdict.denied == Denied::kCommand ? CommandTable::FullName(command) : std::string(args[verdict.position]);
  Log(client, reason, object, client.account->name());
}

void LogFailedLogin(Client& client, std::string_view user, std::string_view command) {
  Log(client, "auth", command, user);
}

AclVerdict CheckPermission(const Users& users, const User& user, const Command& command, const Args& args) {
  if (user.unrestricted()) [[likely]]
    return {};
  std::vector<std::string_view> words;
  for (size_t i = 0; i < args.size(); ++i) words.push_back(args[i]);
  const std::vector<AclRequest::Key> keys = KeysOf(command, args);
  const std::vector<AclRequest::Channel> channels = ChannelsOf(command, args);
  return user.Check(users.commands(), {command.index, words, keys, channels});
}

}  // namespace zerohop::resp
