// acl_selector.cc: one set of permissions: its rules, what it allows, and how it is told again as rules.
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <limits>

#include "resp/acl.h"
#include "resp/ascii.h"
#include "resp/glob.h"

namespace zerohop::resp {
namespace {

constexpr std::string_view kAccessMarks[] = {"", "%R~", "%W~", "~"};  // by KeyAccess

}  // namespace

RuleFault Selector::Apply(const AclCommands& commands, std::string_view rule) {
  if (rule.empty()) return RuleFault::kSyntax;
  if (EqualsAnyCase(rule, "allkeys") || rule == "~*" || EqualsAnyCase(rule, "resetkeys")) {
    all_keys_ = !EqualsAnyCase(rule, "resetkeys");
    keys_.clear();
  } else if (EqualsAnyCase(rule, "allchannels") || rule == "&*" || EqualsAnyCase(rule, "resetchannels")) {
    all_channels_ = !EqualsAnyCase(rule, "resetchannels");
    channels_.clear();
  } else if (EqualsAnyCase(rule, "allcommands") || EqualsAnyCase(rule, "+@all")) {
    all_commands_ = true;
    allowed_.set();
    first_arguments_.clear();
  } else if (EqualsAnyCase(rule, "nocommands") || EqualsAnyCase(rule, "-@all")) {
    all_commands_ = false;
    allowed_.reset();
    first_arguments_.clear();
  } else if (rule[0] == '~' || rule[0] == '%') {
    return AddKeyPattern(rule);
  } else if (rule[0] == '&') {
    return AddChannel(rule.substr(1));
  } else if (rule.starts_with("+@") || rule.starts_with("-@")) {
    if (!ChangeCategory(commands, rule.substr(2), rule[0] == '+')) return RuleFault::kUnknownCommand;
  } else if (rule[0] == '+') {
    return AllowCommand(commands, rule.substr(1));
  } else if (rule[0] == '-') {
    const int number = commands.Find(rule.substr(1));
    if (number < 0) return RuleFault::kUnknownCommand;
    Change(commands, number, false);
  } else {
    return RuleFault::kSyntax;
  }
  return RuleFault::kNone;
}

// The command and all its subcommands.
void Selector::Change(const AclCommands& commands, int number, bool allow) {
  allowed_.set(static_cast<size_t>(number), allow);
  if (!allow) all_commands_ = false;
  first_arguments_.erase(number);
  if (!commands.HasSubcommands(number)) return;
  for (int each = number + 1; each < commands.size() && commands.At(each).parent == number; ++each)
    allowed_.set(static_cast<size_t>(each), allow);
}

bool Selector::ChangeCategory(const AclCommands& commands, std::string_view name, bool allow) {
  const uint32_t category = CategoryByName(name);
  if (category == 0) return false;
  for (int number = 0; number < commands.size(); ++number) {
    if (commands.At(number).categories & category) Change(commands, number, allow);
  }
  return true;
}

RuleFault Selector::AllowCommand(const AclCommands& commands, std::string_view name) {
  const size_t bar = name.rfind('|');
  const int number = commands.Find(name.substr(0, bar));
  if (number < 0) return RuleFault::kUnknownCommand;
  if (bar == std::string_view::npos) {
    Change(commands, number, true);
    return RuleFault::kNone;
  }
  if (commands.At(number).parent >= 0) return RuleFault::kArgumentOfSubcommand;
  const std::string_view argument = name.substr(bar + 1);
  if (argument.empty()) return RuleFault::kSyntax;
  if (commands.HasSubcommands(number)) {
    const int subcommand = commands.Find(name);
    if (subcommand < 0) return RuleFault::kUnknownCommand;
    Change(commands, subcommand, true);
    return RuleFault::kNone;
  }
  std::vector<std::string>& arguments = first_arguments_[number];
  if (std::none_of(arguments.begin(), arguments.end(),
                   [&](const std::string& each) { return EqualsAnyCase(each, argument); }))
    arguments.emplace_back(argument);
  return RuleFault::kNone;
}

RuleFault Selector::AddKeyPattern(std::string_view rule) {
  if (all_keys_) return RuleFault::kPatternAfterAll;
  uint8_t access = kReadsAndWritesKey;
  size_t at = 1;
  if (rule[0] == '%') {
    access = kNoAccess;
    for (; at < rule.size() && rule[at] != '~'; ++at) {
      const char letter = LowerCase(rule[at]);
      const uint8_t more = letter == 'r' ? kReadsKey : letter == 'w' ? kWritesKey : kNoAccess;
      if (more == kNoAccess || (access & more) != 0) return RuleFault::kSyntax;
      access |= more;
    }
    if (access == kNoAccess || at == rule.size()) return RuleFault::kSyntax;
    ++at;
  }
  const std::string_view pattern = rule.substr(at);
  if (HasSpaces(pattern)) return RuleFault::kSyntax;
  const auto found =
      std::find_if(keys_.begin(), keys_.end(), [&](const KeyPattern& each) { return each.pattern == pattern; });
  if (found == keys_.end())
    keys_.push_back({std::string(pattern), access});
  else
    found->access |= access;
  return RuleFault::kNone;
}

RuleFault Selector::AddChannel(std::string_view pattern) {
  if (all_channels_) return RuleFault::kChannelAfterAll;
  if (HasSpaces(pattern)) return RuleFault::kSyntax;
  if (std::find(channels_.begin(), channels_.end(), pattern) == channels_.end()) channels_.emplace_back(pattern);
  return RuleFault::kNone;
}

AclVerdict Selector::Check(const AclCommands& commands, const AclRequest& request) const {
  using Denied = AclVerdict::Denied;
  const AclCommand& command = commands.At(request.command);
  if (!all_commands_ && !command.open && !allowed_.test(static_cast<size_t>(request.command))) {
    const auto found = first_arguments_.find(request.command);
    const size_t argument = command.parent >= 0 ? 2 : 1;
    if (found == first_arguments_.end() || request.args.size() <= argument) return {Denied::kCommand, 0};
    if (std::none_of(found->second.begin(), found->second.end(),
                     [&](const std::string& each) { return EqualsAnyCase(each, request.args[argument]); }))
      return {Denied::kCommand, 0};
  }
  if (!all_keys_) {
    for (const AclRequest::Key& key : request.keys) {
      if (!AllowsKey(request.args[key.position], key.access)) return {Denied::kKey, key.position};
    }
  }
  if (!all_channels_) {
    for (const AclRequest::Channel& channel : request.channels) {
      if (!AllowsChannel(request.args[channel.position], channel.is_pattern))
        return {Denied::kChannel, channel.position};
    }
  }
  return {};
}

bool Selector::AllowsKey(std::string_view key, uint8_t access) const {
  return all_keys_ || std::any_of(keys_.begin(), keys_.end(), [&](const KeyPattern& each) {
           return (each.access & access) == access && GlobMatches(each.pattern, key);
         });
}

bool Selector::AllowsChannel(std::string_view channel, bool is_pattern) const {
  return all_channels_ || std::any_of(channels_.begin(), channels_.end(), [&](const std::string& each) {
           return is_pattern ? each == channel : GlobMatches(each, channel);
         });
}

std::string Selector::DescribeKeys() const {
  if (all_keys_) return "~*";
  std::string text;
  for (const KeyPattern& each : keys_) {
    if (!text.empty()) text += ' ';
    text.append(kAccessMarks[each.access]).append(each.pattern);
  }
  return text;
}

std::string Selector::DescribeChannels() const {
  if (all_channels_) return "&*";
  std::string text;
  for (const std::string& each : channels_) {
    if (!text.empty()) text += ' ';
    text.append("&").append(each);
  }
  return text;
}

std::string Selector::Describe(const AclCommands& commands) const {
  std::string text = DescribeKeys();
  if (!text.empty()) text += ' ';
  if (!all_channels_) text += "resetchannels ";
  if (const std::string channels = DescribeChannels(); !channels.empty()) text.append(channels).append(" ");
  return text + DescribeCommands(commands);
}

// Begins with all commands or none, then applies the categories that come nearest, then mends single commands.
std::string Selector::DescribeCommands(const AclCommands& commands) const {
  const bool additive = !allowed_.test(AclCommands::kCommandsMax);
  std::string text = additive ? "-@all" : "+@all";
  Selector reached;  // by the rules told so far
  reached.Apply(commands, text);
  Selector left;  // what they have not told yet
  left.allowed_ = allowed_;

  bool applied[std::size(kCategoryNames)] = {};
  while (true) {
    int best = -1;
    unsigned best_different = std::numeric_limits<unsigned>::max(), best_same = 0;
    for (size_t category = 0; category < std::size(kCategoryNames); ++category) {
      if (applied[category]) continue;
      unsigned allowed = 0, others = 0;
      for (int number = 0; number < commands.size(); ++number) {
        if ((commands.At(number).categories & (1u << category)) == 0) continue;
        ++(left.allowed_.test(static_cast<size_t>(number)) ? allowed : others);
      }
      const unsigned different = additive ? others : allowed, same = additive ? allowed : others;
      if (same > different && (different < best_different || (different == best_different && same > best_same))) {
        best = static_cast<int>(category);
        best_different = different;
        best_same = same;
      }
    }
    if (best < 0) break;
    const auto chosen = static_cast<size_t>(best);
    applied[chosen] = true;
    reached.ChangeCategory(commands, kCategoryNames[chosen], additive);
    left.ChangeCategory(commands, kCategoryNames[chosen], !additive);
    text.append(additive ? " +@" : " -@").append(kCategoryNames[chosen]);
  }
  return text + DescribeRest(commands, reached);
}

std::string Selector::DescribeRest(const AclCommands& commands, Selector& reached) const {
  std::string text;
  for (int number = 0; number < commands.size(); ++number) {
    const bool allowed = allowed_.test(static_cast<size_t>(number));
    const std::string& name = commands.At(number).name;
    if (allowed != reached.allowed_.test(static_cast<size_t>(number))) {
      text.append(allowed ? " +" : " -").append(name);
      reached.Change(commands, number, allowed);
    }
    const auto found = first_arguments_.find(number);
    if (allowed || found == first_arguments_.end()) continue;
    for (const std::string& argument : found->second) text.append(" +").append(name).append("|").append(argument);
  }
  return text;
}

}  // namespace zerohop::resp
