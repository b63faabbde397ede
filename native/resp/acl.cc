#include "resp/acl.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "base/constant_time.h"
#include "base/sha256.h"
#include "resp/ascii.h"
#include "resp/glob.h"

namespace zerohop::resp {
namespace {

constexpr size_t kHashDigits = 64;

bool IsHash(std::string_view text) {
  return text.size() == kHashDigits && std::all_of(text.begin(), text.end(), [](char digit) {
           return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
         });
}

// What an error may show of a rule: no password, and no hash of one.
std::string Shown(std::string_view rule) {
  if (!rule.empty() && (rule[0] == '>' || rule[0] == '<' || rule[0] == '#' || rule[0] == '!'))
    return std::string(1, rule[0]) + "(redacted)";
  return std::string(rule);
}

}  // namespace

std::vector<std::string_view> SplitAtSpaces(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find_first_of(" \t\r\n", at), text.size());
    if (end > at) parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

bool HasSpaces(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char byte) { return byte == 0 || std::isspace(static_cast<unsigned char>(byte)) != 0; });
}

uint32_t CategoryByName(std::string_view name) {
  for (size_t i = 0; i < std::size(kCategoryNames); ++i) {
    if (EqualsAnyCase(name, kCategoryNames[i])) return 1u << i;
  }
  return 0;
}

std::string_view FaultText(RuleFault fault) {
  switch (fault) {
    case RuleFault::kNone: break;
    case RuleFault::kSyntax: return "Syntax error";
    case RuleFault::kUnknownCommand: return "Unknown command or category name in ACL";
    case RuleFault::kPatternAfterAll:
      return "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. "
             "Try 'resetkeys' to start with an empty list of patterns";
    case RuleFault::kChannelAfterAll:
      return "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any "
             "effect. Try 'resetchannels' to start with an empty list of channels";
    case RuleFault::kNoSuchPassword: return "The password you are trying to remove from the user does not exist";
    case RuleFault::kBadHash:
      return "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
    case RuleFault::kArgumentOfSubcommand: return "Allowing first-arg of a subcommand is not supported";
  }
  return "Wrong format";
}

AclCommands::AclCommands(std::vector<AclCommand> commands)
    : commands_(std::move(commands)), has_subcommands_(commands_.size()) {
  for (size_t i = 0; i < commands_.size(); ++i) {
    numbers_.emplace(commands_[i].name, static_cast<int>(i));
    if (commands_[i].parent >= 0) has_subcommands_[static_cast<size_t>(commands_[i].parent)] = true;
  }
}

int AclCommands::Find(std::string_view name) const {
  const auto found = numbers_.find(LowerCase(name));
  return found == numbers_.end() ? -1 : found->second;
}

RuleFault User::Apply(const AclCommands& commands, std::string_view rule) {
  if (rule.empty()) return RuleFault::kNone;
  if (EqualsAnyCase(rule, "on") || EqualsAnyCase(rule, "off")) {
    enabled_ = EqualsAnyCase(rule, "on");
  } else if (EqualsAnyCase(rule, "skip-sanitize-payload")) {
    sanitize_ = Sanitize::kNo;
  } else if (EqualsAnyCase(rule, "sanitize-payload")) {
    sanitize_ = Sanitize::kYes;
  } else if (EqualsAnyCase(rule, "nopass") || EqualsAnyCase(rule, "resetpass")) {
    nopass_ = EqualsAnyCase(rule, "nopass");
    password_hashes_.clear();
  } else if (rule[0] == '>' || rule[0] == '#' || rule[0] == '<' || rule[0] == '!') {
    const std::string_view given = rule.substr(1);
    const bool is_hash = rule[0] == '#' || rule[0] == '!';
    if (is_hash && !IsHash(given)) return RuleFault::kBadHash;
    const std::string hash = is_hash ? std::string(given) : Sha256Hex(given);
    const auto found = std::find(password_hashes_.begin(), password_hashes_.end(), hash);
    if (rule[0] == '>' || rule[0] == '#') {
      if (found == password_hashes_.end()) password_hashes_.push_back(hash);
      nopass_ = false;
    } else {
      if (found == password_hashes_.end()) return RuleFault::kNoSuchPassword;
      password_hashes_.erase(found);
    }
  } else if (rule[0] == '(' && rule.back() == ')') {
    Selector selector;
    for (const std::string_view each : SplitAtSpaces(rule.substr(1, rule.size() - 2))) {
      if (const RuleFault fault = selector.Apply(commands, each); fault != RuleFault::kNone) return fault;
    }
    selectors_.push_back(std::move(selector));
  } else if (EqualsAnyCase(rule, "clearselectors")) {
    selectors_.resize(1);
  } else if (EqualsAnyCase(rule, "reset")) {
    nopass_ = enabled_ = false;
    sanitize_ = Sanitize::kYes;
    password_hashes_.clear();
    selectors_.assign(1, {});
  } else {
    return selectors_[0].Apply(commands, rule);
  }
  return RuleFault::kNone;
}

AclVerdict User::Check(const AclCommands& commands, const AclRequest& request) const {
  // Of several refusals the one that came furthest is told: the key or channel that no selector allows.
  AclVerdict relevant{AclVerdict::Denied::kCommand, 0};
  for (const Selector& selector : selectors_) {
    const AclVerdict verdict = selector.Check(commands, request);
    if (verdict) return verdict;
    if (verdict.denied > relevant.denied || (verdict.denied == relevant.denied && verdict.position > relevant.position))
      relevant = verdict;
  }
  return relevant;
}

bool User::AllowsKey(std::string_view key, uint8_t access) const {
  return std::any_of(selectors_.begin(), selectors_.end(),
                     [&](const Selector& each) { return each.AllowsKey(key, access); });
}

bool User::AllowsChannel(std::string_view channel, bool is_pattern) const {
  return std::any_of(selectors_.begin(), selectors_.end(),
                     [&](const Selector& each) { return each.AllowsChannel(channel, is_pattern); });
}

bool User::HasPassword(std::string_view password) const {
  const std::string hash = Sha256Hex(password);
  bool found = false;
  for (const std::string& each : password_hashes_) found |= EqualInConstantTime(each, hash);
  return found;
}

std::vector<std::string_view> User::Flags() const {
  std::vector<std::string_view> flags = {enabled_ ? "on" : "off"};
  if (nopass_) flags.push_back("nopass");
  if (sanitize_ == Sanitize::kNo) flags.push_back("skip-sanitize-payload");
  if (sanitize_ == Sanitize::kYes) flags.push_back("sanitize-payload");
  return flags;
}

std::string User::Describe(const AclCommands& commands) const {
  std::string text;
  for (const std::string_view flag : Flags()) text.append(flag).append(" ");
  for (const std::string& hash : password_hashes_) text.append("#").append(hash).append(" ");
  text += selectors_[0].Describe(commands);
  for (size_t i = 1; i < selectors_.size(); ++i) text.append(" (").append(selectors_[i].Describe(commands)).append(")");
  return text;
}

Users::Users(AclCommands commands) : commands_(std::move(commands)), default_user_(Add("default")) {
  for (const std::string_view rule : {"+@all", "~*", "&*", "on", "nopass"}) default_user_->Apply(commands_, rule);
}

void Users::Copy(const User& from, User* to) {
  to->enabled_ = from.enabled_;
  to->nopass_ = from.nopass_;
  to->sanitize_ = from.sanitize_;
  to->password_hashes_ = from.password_hashes_;
  to->selectors_ = from.selectors_;
}

std::string Users::ApplyAll(std::span<const std::string_view> rules, User* user) const {
  // A selector may come in several arguments, from the one that opens the parenthesis to the one that closes it.
  std::string open;
  std::string_view opened_by;
  for (const std::string_view rule : rules) {
    std::string_view whole = rule;
    if (!open.empty()) {
      open.append(" ").append(rule);
      if (rule.empty() || rule.back() != ')') continue;
      whole = open;
    } else if (!rule.empty() && rule[0] == '(' && rule.back() != ')') {
      open = rule;
      opened_by = rule;
      continue;
    }
    if (const RuleFault fault = user->Apply(commands_, whole); fault != RuleFault::kNone)
      return "Error in ACL SETUSER modifier '" + Shown(whole) + "': " + std::string(FaultText(fault));
    open.clear();
  }
  if (!open.empty()) return "Unmatched parenthesis in acl selector starting at '" + std::string(opened_by) + "'.";
  return {};
}

User* Users::Add(std::string_view name) {
  return users_.emplace(std::string(name), std::make_unique<User>(std::string(name))).first->second.get();
}

std::unique_ptr<User> Users::Remove(std::string_view name) {
  const auto found = users_.find(name);
  if (found == users_.end()) return nullptr;
  std::unique_ptr<User> user = std::move(found->second);
  users_.erase(found);
  return user;
}

User* Users::Find(std::string_view name) const {
  const auto found = users_.find(name);
  return found == users_.end() ? nullptr : found->second.get();
}

User* Users::Authenticate(std::string_view name, std::string_view password) const {
  User* user = Find(name);
  if (!user || !user->enabled()) return nullptr;
  return !user->needs_password() || user->HasPassword(password) ? user : nullptr;
}

void Users::SetDefaultPassword(std::string_view password) {
  default_user_->Apply(commands_, "resetpass");
  default_user_->Apply(commands_, password.empty() ? std::string("nopass") : ">" + std::string(password));
}

}  // namespace zerohop::resp
