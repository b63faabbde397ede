// commands_config.cc: CONFIG: what the server was told, told back and changed while it runs.
#include <algorithm>
#include <vector>

#include "resp/acl.h"
#include "resp/changes.h"
#include "resp/client.h"
#include "resp/commands.h"
#include "resp/connection.h"
#include "resp/glob.h"
#include "resp/help.h"
#include "resp/server.h"
#include "resp/settings.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

constexpr std::string_view kConfigHelp[] = {
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Rewrite the configuration file.",
};

void ConfigHelp(Context& context) { ReplyHelp(context, kConfigHelp); }

void ConfigGet(Context& context) {
  std::vector<std::pair<std::string, const Setting*>> found;
  const auto add = [&](std::string_view name, const Setting& setting) {
    if (std::none_of(found.begin(), found.end(), [&](const auto& each) { return each.first == name; }))
      found.emplace_back(name, &setting);
  };
  for (size_t i = 2; i < context.args.size(); ++i) {
    const std::string_view pattern = context.args[i];
    if (pattern.find_first_of("[*?") == std::string_view::npos) {
      if (const Setting* const setting = FindSetting(pattern)) add(LowerCase(pattern), *setting);
      continue;
    }
    for (const Setting& setting : AllSettings()) {
      if (setting.hidden) continue;
      if (GlobMatchesAnyCase(pattern, setting.name)) add(setting.name, setting);
      if (setting.alias != nullptr && GlobMatchesAnyCase(pattern, setting.alias)) add(setting.alias, setting);
    }
  }
  context.reply.Map(found.size());
  for (const auto& [name, setting] : found) {
    context.reply.Bulk(name);
    context.reply.Bulk(ReadSetting(context.server.config(), *setting));
  }
}

void Refuse(Context& context, std::string_view name, std::string_view why) {
  context.reply.Error(
      std::string("ERR CONFIG SET failed (possibly related to argument '").append(name).append("') - ").append(why));
}

// All or nothing: the values go to a copy, which takes the place of what there is.
void ConfigSet(Context& context) {
  const Args& args = context.args;
  if (args.size() % 2 != 0) return context.reply.SyntaxError();
  std::vector<const Setting*> settings;
  for (size_t i = 2; i < args.size(); i += 2) {
    const Setting* const setting = FindSetting(args[i]);
    if (setting == nullptr) {
      return context.reply.Error("ERR Unknown option or number of arguments for CONFIG SET - '" + std::string(args[i]) +
                                 "'");
    }
    if (setting->fixed) return Refuse(context, args[i], "can't set immutable config");
    if (std::find(settings.begin(), settings.end(), setting) != settings.end())
      return Refuse(context, args[i], "duplicate parameter");
    settings.push_back(setting);
  }
  Config changed = context.server.config();
  for (size_t i = 0; i < settings.size(); ++i) {
    const std::string why = WriteSetting(&changed, *settings[i], args[2 * i + 3]);
    if (!why.empty()) return Refuse(context, settings[i]->name, why);
  }
  const auto most = ParseMemory(ReadSetting(changed, *FindSetting("maxmemory")));
  context.server.out_of_memory = most.value_or(0) != 0 && *most < UsedBytes(context.cache.Usage());
  const bool password = changed.requirepass != context.server.config().requirepass;
  context.server.config() = std::move(changed);
  const Config& config = context.server.config();
  if (password) {
    context.server.users().SetDefaultPassword(config.requirepass);
    AdmitAllIfOpen(context.server);
  }
  if (config.tracking_table_max_keys != 0) context.server.changes().Trim(config.tracking_table_max_keys);
  for (const auto& worker : context.server.workers()) worker->LookAtClock();
  context.reply.Ok();
}

void ConfigResetStat(Context& context) {
  context.server.ResetCounts();
  context.reply.Ok();
}

void ConfigRewrite(Context& context) { context.reply.Error("ERR The server is running without a config file"); }

constexpr uint32_t kConfigFlags = kAdmin | kNoScript | kLoading | kStale;
constexpr uint32_t kConfigCategories = kCatAdmin | kCatSlow | kCatDangerous;

constexpr Command kConfigSubcommands[] = {
    {.name = "get",
     .arity = -3,
     .flags = kConfigFlags,
     .categories = kConfigCategories,
     .run = ConfigGet,
     .summary = "Get the values of configuration parameters",
     .since = "2.0.0",
     .group = "server",
     .complexity = "O(N) when N is the number of configuration parameters provided"},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .categories = kCatSlow,
     .run = ConfigHelp,
     .summary = "Show helpful text about the different subcommands",
     .since = "5.0.0",
     .group = "server"},
    {.name = "resetstat",
     .arity = 2,
     .flags = kConfigFlags | kExclusive,
     .categories = kConfigCategories,
     .run = ConfigResetStat,
     .summary = "Reset the stats returned by INFO",
     .since = "2.0.0",
     .group = "server"},
    {.name = "rewrite",
     .arity = 2,
     .flags = kConfigFlags,
     .categories = kConfigCategories,
     .run = ConfigRewrite,
     .summary = "Rewrite the configuration file with the in memory configuration",
     .since = "2.8.0",
     .group = "server"},
    {.name = "set",
     .arity = -4,
     .flags = kConfigFlags | kExclusive,
     .categories = kConfigCategories,
     .run = ConfigSet,
     .summary = "Set configuration parameters to the given values",
     .since = "2.0.0",
     .group = "server",
     .complexity = "O(N) when N is the number of configuration parameters provided"},
};

constexpr Command kConfigCommands[] = {
    {.name = "config",
     .arity = -2,
     .categories = kCatSlow,
     .subcommands = kConfigSubcommands,
     .summary = "A container for server configuration commands",
     .since = "2.0.0",
     .group = "server",
     .complexity = "Depends on subcommand."},
};

}  // namespace

std::span<const Command> ConfigCommands() { return kConfigCommands; }

}  // namespace zerohop::resp
