// commands_tracking.cc: CLIENT TRACKING, TRACKINGINFO, CACHING and GETREDIR: clients that keep values (changes.h).
#include <algorithm>

#include "resp/ascii.h"
#include "resp/changes.h"
#include "resp/client.h"
#include "resp/command.h"
#include "resp/help.h"
#include "resp/numbers.h"
#include "resp/server.h"

namespace zerohop::resp {
namespace {

struct TrackingOptions {
  uint64_t redirect = 0;
  uint32_t flags = 0;
  std::vector<std::string_view> prefixes;
};

// False, and an error is the answer, if an option is none.
bool ReadTrackingOptions(Context& context, TrackingOptions* options) {
  const Args& args = context.args;
  for (size_t i = 3; i < args.size(); ++i) {
    const bool more = i + 1 < args.size();
    if (EqualsAnyCase(args[i], "redirect") && more) {
      if (options->redirect != 0)
        return context.reply.Error("ERR A client can only redirect to a single other client"), false;
      const auto id = ParseInteger(args[++i]);
      if (!id) return context.reply.NotAnInteger(), false;
      if (!context.server.HasClient(static_cast<uint64_t>(*id)))
        return context.reply.Error("ERR The client ID you want redirect to does not exist"), false;
      options->redirect = static_cast<uint64_t>(*id);
    } else if (EqualsAnyCase(args[i], "bcast")) {
      options->flags |= kClientTrackingBroadcast;
    } else if (EqualsAnyCase(args[i], "optin")) {
      options->flags |= kClientTrackingOptIn;
    } else if (EqualsAnyCase(args[i], "optout")) {
      options->flags |= kClientTrackingOptOut;
    } else if (EqualsAnyCase(args[i], "noloop")) {
      options->flags |= kClientTrackingNoLoop;
    } else if (EqualsAnyCase(args[i], "prefix") && more) {
      options->prefixes.push_back(args[++i]);
    } else {
      return context.reply.SyntaxError(), false;
    }
  }
  return true;
}

// Empty if the options go together, and with how the client tracks already.
std::string_view WhyNotTogether(const Client& client, const TrackingOptions& options) {
  const auto has = [&](uint32_t flag) { return (options.flags & flag) != 0; };
  const bool broadcast = has(kClientTrackingBroadcast);
  if (!broadcast && !options.prefixes.empty()) return "ERR PREFIX option requires BCAST mode to be enabled";
  if (client.Has(kClientTracking) && client.Has(kClientTrackingBroadcast) != broadcast) {
    return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it "
           "with a different mode.";
  }
  if (broadcast && has(kClientTrackingOptIn | kClientTrackingOptOut))
    return "ERR OPTIN and OPTOUT are not compatible with BCAST";
  if (has(kClientTrackingOptIn) && has(kClientTrackingOptOut))
    return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  if ((has(kClientTrackingOptIn) && client.Has(kClientTrackingOptOut)) ||
      (has(kClientTrackingOptOut) && client.Has(kClientTrackingOptIn))) {
    return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it "
           "with a different mode.";
  }
  return {};
}

bool Overlap(std::string_view a, std::string_view b) { return a.starts_with(b) || b.starts_with(a); }

// A key must have one prefix of a client at most.  Empty if that is so.
std::string WhyPrefixesOverlap(const Client& client, const std::vector<std::string_view>& prefixes) {
  const auto text = [](std::string_view prefix, const char* what, std::string_view other) {
    return "ERR Prefix '" + std::string(prefix) + "' overlaps with " + what + " prefix '" + std::string(other) +
           "'. Prefixes for a single client must not overlap.";
  };
  for (size_t i = 0; i < prefixes.size(); ++i) {
    if (client.tracking) {
      for (const std::string& other : static_cast<const TrackingPart&>(*client.tracking).prefixes) {
        if (Overlap(prefixes[i], other)) return text(prefixes[i], "an existing", other);
      }
    }
    for (size_t j = i + 1; j < prefixes.size(); ++j) {
      if (Overlap(prefixes[i], prefixes[j])) return text(prefixes[i], "another provided", prefixes[j]);
    }
  }
  return {};
}

}  // namespace

void ClientTracking(Context& context) {
  Client& client = context.client;
  TrackingOptions options;
  if (!ReadTrackingOptions(context, &options)) return;
  if (EqualsAnyCase(context.args[2], "on")) {
    if (const std::string_view error = WhyNotTogether(client, options); !error.empty())
      return context.reply.Error(error);
    if (const std::string error = WhyPrefixesOverlap(client, options.prefixes); !error.empty())
      return context.reply.Error(error);
    context.server.changes().Track(client, options.redirect, options.flags, options.prefixes);
  } else if (EqualsAnyCase(context.args[2], "off")) {
    context.server.changes().Untrack(client);
  } else {
    return context.reply.SyntaxError();
  }
  context.reply.Ok();
}

void ClientCaching(Context& context) {
  Client& client = context.client;
  if (!client.Has(kClientTracking)) {
    return context.reply.Error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
  }
  if (EqualsAnyCase(context.args[2], "yes")) {
    if (!client.Has(kClientTrackingOptIn))
      return context.reply.Error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  } else if (EqualsAnyCase(context.args[2], "no")) {
    if (!client.Has(kClientTrackingOptOut))
      return context.reply.Error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  } else {
    return context.reply.SyntaxError();
  }
  client.Put(kClientTrackingCaching);
  context.reply.Ok();
}

void ClientGetRedir(Context& context) {
  const Client& client = context.client;
  context.reply.Integer(client.Has(kClientTracking) ? static_cast<int64_t>(client.redirect) : -1);
}

void ClientTrackingInfo(Context& context) {
  const Client& client = context.client;
  std::vector<std::string_view> flags = {client.Has(kClientTracking) ? "on" : "off"};
  const bool caching = client.Has(kClientTrackingCaching);
  if (client.Has(kClientTrackingBroadcast)) flags.push_back("bcast");
  if (client.Has(kClientTrackingOptIn)) {
    flags.push_back("optin");
    if (caching) flags.push_back("caching-yes");
  }
  if (client.Has(kClientTrackingOptOut)) {
    flags.push_back("optout");
    if (caching) flags.push_back("caching-no");
  }
  if (client.Has(kClientTrackingNoLoop)) flags.push_back("noloop");
  if (client.Has(kClientTrackingBroken)) flags.push_back("broken_redirect");
  context.reply.Map(3);
  context.reply.Bulk("flags");
  context.reply.Set(flags.size());
  for (const std::string_view flag : flags) context.reply.Bulk(flag);
  context.reply.Bulk("redirect");
  ClientGetRedir(context);
  context.reply.Bulk("prefixes");
  if (!client.tracking) return context.reply.Array(0);
  const auto& prefixes = static_cast<const TrackingPart&>(*client.tracking).prefixes;
  context.reply.Array(prefixes.size());
  for (const std::string& prefix : prefixes) context.reply.Bulk(prefix);
}

}  // namespace zerohop::resp
