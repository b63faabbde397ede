// permission.h: what a request needs: its command as the ACL knows it, and which of its words are keys and channels.
#pragma once

#include <vector>

#include "resp/acl.h"
#include "resp/args.h"
#include "resp/command.h"

namespace zerohop::resp {

struct Client;

// A command's number in the ACL is its Command::index.
AclCommands AclCommandsOfTable();

// What a command does to its keys: flags of Redis's key specifications, as COMMAND INFO tells them.
struct KeySpec {
  const char* command;  // full name
  int first, last, step;
  const char* flags;
};
// One for most commands; two where its keys are treated differently.
std::vector<KeySpec> KeySpecsOf(const Command& command);

// The words that are keys or channels.
std::vector<AclRequest::Key> KeysOf(const Command& command, const Args& args);
std::vector<AclRequest::Channel> ChannelsOf(const Command& command, const Args& args);

// Notes it for ACL LOG.
void LogDenial(Client& client, const Command& command, const Args& args, const AclVerdict& verdict);
void LogFailedLogin(Client& client, std::string_view user, std::string_view command);

AclVerdict CheckPermission(const Users& users, const User& user, const Command& command, const Args& args);

}  // namespace zerohop::resp
