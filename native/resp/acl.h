// acl.h: who may run which command on which keys and channels: the users of Redis's ACL.
//
// A user has passwords and one or more selectors.  A selector allows commands, key patterns and channel patterns; a
// request is allowed if one selector allows all of it.  The first selector is the user's own; the others were written
// in parentheses.  Rules change a copy of the user, which replaces it only if all of them are good.
//
// Commands are numbered: the rules know a table of names and categories (AclCommands), in which `config|get` is a
// subcommand of `config`.  A number beyond the table stands for commands to come, as `+@all` allows them.
//
// Passwords  kept as SHA-256 and compared in constant time; no error says one.
// Threads    changes need the server's lock exclusive, the rest needs it shared.  A User stays where it is until it is
//            deleted.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace zerohop::resp {

// The categories of commands: bit i of `categories` is kCategoryNames[i].
inline constexpr std::string_view kCategoryNames[] = {
    "keyspace", "read",   "write",       "set",       "sortedset",  "list",        "hash",
    "string",   "bitmap", "hyperloglog", "geo",       "stream",     "pubsub",      "admin",
    "fast",     "slow",   "blocking",    "dangerous", "connection", "transaction", "scripting"};
// 0 if there is no such category.
uint32_t CategoryByName(std::string_view name);

struct AclCommand {
  std::string name;  // lowercase; of a subcommand `config|get`
  uint32_t categories = 0;
  int parent = -1;    // its number; -1 if it is no subcommand
  bool open = false;  // anyone may run it: AUTH, HELLO, QUIT, RESET
};

class AclCommands {
 public:
  static constexpr size_t kCommandsMax = 1023;

  // At most kCommandsMax of them; a subcommand stands behind its command.
  explicit AclCommands(std::vector<AclCommand> commands);
  int Find(std::string_view name) const;  // in any case; -1 if there is none
  const AclCommand& At(int number) const { return commands_[static_cast<size_t>(number)]; }
  int size() const { return static_cast<int>(commands_.size()); }
  bool HasSubcommands(int number) const { return has_subcommands_[static_cast<size_t>(number)]; }

 private:
  std::vector<AclCommand> commands_;
  std::vector<bool> has_subcommands_;
  std::unordered_map<std::string, int> numbers_;
};

// What a command does to a key.
enum KeyAccess : uint8_t { kNoAccess = 0, kReadsKey = 1, kWritesKey = 2, kReadsAndWritesKey = 3 };

// A command with its arguments (args[0] is its name), and which of them are keys and channels.
struct AclRequest {
  struct Key {
    size_t position;
    uint8_t access;
  };
  struct Channel {
    size_t position;
    bool is_pattern;
  };
  int command;
  std::span<const std::string_view> args;
  std::span<const Key> keys{};
  std::span<const Channel> channels{};
};

struct AclVerdict {
  enum class Denied : uint8_t { kNothing, kCommand, kKey, kChannel };
  Denied denied = Denied::kNothing;
  size_t position = 0;  // of the argument that was denied
  explicit operator bool() const { return denied == Denied::kNothing; }
};

// Why a rule is no good.
enum class RuleFault : uint8_t {
  kNone,
  kSyntax,
  kUnknownCommand,
  kPatternAfterAll,
  kChannelAfterAll,
  kNoSuchPassword,
  kBadHash,
  kArgumentOfSubcommand,
};
std::string_view FaultText(RuleFault fault);

class Selector {
 public:
  RuleFault Apply(const AclCommands& commands, std::string_view rule);
  AclVerdict Check(const AclCommands& commands, const AclRequest& request) const;
  bool AllowsKey(std::string_view key, uint8_t access) const;
  bool AllowsChannel(std::string_view channel, bool is_pattern) const;
  // Whether it allows everything, to the last key.
  bool unrestricted() const { return all_commands_ && all_keys_ && all_channels_; }
  bool all_channels() const { return all_channels_; }
  const std::vector<std::string>& channels() const { return channels_; }

  // The rules that would make it again.
  std::string DescribeCommands(const AclCommands& commands) const;
  std::string DescribeKeys() const;
  std::string DescribeChannels() const;
  std::string Describe(const AclCommands& commands) const;

 private:
  struct KeyPattern {
    std::string pattern;
    uint8_t access;
  };
  using Allowed = std::bitset<AclCommands::kCommandsMax + 1>;  // the last bit: commands to come

  void Change(const AclCommands& commands, int number, bool allow);
  bool ChangeCategory(const AclCommands& commands, std::string_view name, bool allow);
  RuleFault AllowCommand(const AclCommands& commands, std::string_view name);
  RuleFault AddKeyPattern(std::string_view rule);
  RuleFault AddChannel(std::string_view pattern);
  // What differs from `reached`, command by command.
  std::string DescribeRest(const AclCommands& commands, Selector& reached) const;

  bool all_commands_ = false, all_keys_ = false, all_channels_ = false;
  Allowed allowed_;
  std::map<int, std::vector<std::string>> first_arguments_;  // of commands that are allowed with those only
  std::vector<KeyPattern> keys_;
  std::vector<std::string> channels_;
};

class User {
 public:
  explicit User(std::string name) : name_(std::move(name)), selectors_(1) {}

  RuleFault Apply(const AclCommands& commands, std::string_view rule);
  AclVerdict Check(const AclCommands& commands, const AclRequest& request) const;
  bool AllowsKey(std::string_view key, uint8_t access) const;
  bool AllowsChannel(std::string_view channel, bool is_pattern) const;
  bool HasPassword(std::string_view password) const;

  const std::string& name() const { return name_; }
  bool enabled() const { return enabled_; }
  bool needs_password() const { return !nopass_; }
  bool unrestricted() const { return selectors_[0].unrestricted(); }
  const std::vector<Selector>& selectors() const { return selectors_; }
  const std::vector<std::string>& password_hashes() const { return password_hashes_; }
  std::vector<std::string_view> Flags() const;
  std::string Describe(const AclCommands& commands) const;  // a line of ACL LIST, without `user` and the name

 private:
  enum class Sanitize : uint8_t { kUnsaid, kYes, kNo };  // of payloads that RESTORE would take: kept to be told back

  const std::string name_;
  bool enabled_ = false, nopass_ = false;
  Sanitize sanitize_ = Sanitize::kUnsaid;
  std::vector<std::string> password_hashes_;
  std::vector<Selector> selectors_;  // never empty

  friend class Users;  // which copies all but the name
};

class Users {
 public:
  // With the user `default`, who may do everything without a password.
  explicit Users(AclCommands commands);

  // Makes or changes a user.  The text for the client if a rule is no good; then nothing has changed.  Empty: done.
  // `before_change`: is called with the user as it is and as it will be, if there is one already.
  template <class BeforeChange>
  std::string Set(std::string_view name, std::span<const std::string_view> rules, BeforeChange before_change) {
    User changed{std::string(name)};
    User* user = Find(name);
    if (user) Copy(*user, &changed);
    if (std::string error = ApplyAll(rules, &changed); !error.empty()) return error;
    if (user)
      before_change(*user, changed);
    else
      user = Add(name);
    Copy(changed, user);
    return {};
  }
  std::string Set(std::string_view name, std::span<const std::string_view> rules) {
    return Set(name, rules, [](const User&, const User&) {});
  }
  // Takes the user out; the caller sees to its clients while it holds it.
  std::unique_ptr<User> Remove(std::string_view name);
  User* Find(std::string_view name) const;
  User& default_user() const { return *default_user_; }
  // The user, if it is enabled and this is a password of it; else none.
  User* Authenticate(std::string_view name, std::string_view password) const;
  // As `requirepass` says: empty for none.
  void SetDefaultPassword(std::string_view password);

  const AclCommands& commands() const { return commands_; }
  const std::map<std::string, std::unique_ptr<User>, std::less<>>& all() const { return users_; }

 private:
  static void Copy(const User& from, User* to);
  std::string ApplyAll(std::span<const std::string_view> rules, User* user) const;
  User* Add(std::string_view name);

  const AclCommands commands_;
  std::map<std::string, std::unique_ptr<User>, std::less<>> users_;
  User* default_user_;
};

// The words of a line, or of a selector.
std::vector<std::string_view> SplitAtSpaces(std::string_view text);

// Whether a name or pattern could be written down in a line of rules.
bool HasSpaces(std::string_view text);

}  // namespace zerohop::resp
