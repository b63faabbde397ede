// commands_client.cc: CLIENT: what a connection is, and what others are told and done to.
#include "base/clock.h"
#include "resp/acl.h"
#include "resp/ascii.h"
#include "resp/client.h"
#include "resp/client_line.h"
#include "resp/commands.h"
#include "resp/connection.h"
#include "resp/help.h"
#include "resp/numbers.h"
#include "resp/server.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

constexpr std::string_view kClientHelp[] = {
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
};

// Kinds of connections, as CLIENT LIST and CLIENT KILL name them.
enum class ClientKind : uint8_t { kNormal, kPubSub, kNobody };

std::optional<ClientKind> KindByName(std::string_view name) {
  if (EqualsAnyCase(name, "normal")) return ClientKind::kNormal;
  if (EqualsAnyCase(name, "pubsub")) return ClientKind::kPubSub;
  // There are no such connections.
  if (EqualsAnyCase(name, "slave") || EqualsAnyCase(name, "replica") || EqualsAnyCase(name, "master"))
    return ClientKind::kNobody;
  return std::nullopt;
}

bool IsOfKind(const Client& client, ClientKind kind) {
  return kind == (client.Has(kClientSubscribed) ? ClientKind::kPubSub : ClientKind::kNormal);
}

void UnknownKind(Context& context, std::string_view name) {
  context.reply.Error("ERR Unknown client type '" + std::string(name) + "'");
}

void ClientHelp(Context& context) { ReplyHelp(context, kClientHelp); }
void ClientId(Context& context) { context.reply.Integer(static_cast<int64_t>(context.client.id)); }
void ClientInfo(Context& context) { context.reply.Verbatim(ClientLine(context.client) + "\n", "txt"); }

void ClientList(Context& context) {
  const Args& args = context.args;
  std::string text;
  if (args.size() > 3 && EqualsAnyCase(args[2], "id")) {
    for (size_t i = 3; i < args.size(); ++i) {
      const auto id = ParseInteger(args[i]);
      if (!id) return context.reply.Error("ERR Invalid client ID");
      if (const Client* const client = context.server.FindClient(static_cast<uint64_t>(*id)))
        text += ClientLine(*client) + "\n";
    }
  } else {
    std::optional<ClientKind> kind;
    if (args.size() == 4 && EqualsAnyCase(args[2], "type")) {
      kind = KindByName(args[3]);
      if (!kind) return UnknownKind(context, args[3]);
    } else if (args.size() != 2) {
      return context.reply.SyntaxError();
    }
    context.server.EachClient([&](Client& client) {
      if (!kind || IsOfKind(client, *kind)) text += ClientLine(client) + "\n";
    });
  }
  context.reply.Verbatim(text, "txt");
}

void ClientReply(Context& context) {
  Client& client = context.client;
  const std::string_view mode = context.args[2];
  if (EqualsAnyCase(mode, "on")) {
    client.Put(kClientReplyOff | kClientReplySkip, false);
    context.reply.Ok();
  } else if (EqualsAnyCase(mode, "off")) {
    client.Put(kClientReplyOff);
  } else if (EqualsAnyCase(mode, "skip")) {
    if (!client.Has(kClientReplyOff)) client.Put(kClientReplySkipNext);
  } else {
    context.reply.SyntaxError();
  }
}

void ClientNoEvict(Context& context) {
  const bool on = EqualsAnyCase(context.args[2], "on");
  if (!on && !EqualsAnyCase(context.args[2], "off")) return context.reply.SyntaxError();
  context.client.Put(kClientNoEvict, on);
  context.reply.Ok();
}

void ClientSetName(Context& context) {
  if (!SetClientName(context.client, context.args[2])) return context.reply.Error(kBadClientName);
  context.reply.Ok();
}

void ClientGetName(Context& context) {
  if (context.client.name.empty()) return context.reply.Null();
  context.reply.Bulk(context.client.name);
}

// Which clients CLIENT KILL means.
struct Doomed {
  std::string_view peer, local;
  std::optional<ClientKind> kind;
  uint64_t id = 0;
  const User* user = nullptr;
  bool skip_me = true;

  bool Means(const Client& client) const {
    return (peer.data() == nullptr || client.PeerText() == peer) &&
           (local.data() == nullptr || client.LocalText() == local) && (!kind || IsOfKind(client, *kind)) &&
           (id == 0 || client.id == id) && (user == nullptr || client.account == user);
  }
};

// False, and an error is the answer, if an option is none.
bool ReadKillOptions(Context& context, Doomed* doomed) {
  const Args& args = context.args;
  for (size_t i = 2; i < args.size(); i += 2) {
    if (i + 1 == args.size()) return context.reply.SyntaxError(), false;
    const std::string_view option = args[i], value = args[i + 1];
    if (EqualsAnyCase(option, "id")) {
      const auto id = ParseInteger(value);
      if (!id || *id < 1) return context.reply.Error("ERR client-id should be greater than 0"), false;
      doomed->id = static_cast<uint64_t>(*id);
    } else if (EqualsAnyCase(option, "type")) {
      doomed->kind = KindByName(value);
      if (!doomed->kind) return UnknownKind(context, value), false;
    } else if (EqualsAnyCase(option, "addr")) {
      doomed->peer = value;
    } else if (EqualsAnyCase(option, "laddr")) {
      doomed->local = value;
    } else if (EqualsAnyCase(option, "user")) {
      doomed->user = context.server.users().Find(value);
      if (doomed->user == nullptr) return context.reply.Error("ERR No such user '" + std::string(value) + "'"), false;
    } else if (EqualsAnyCase(option, "skipme") && (EqualsAnyCase(value, "yes") || EqualsAnyCase(value, "no"))) {
      doomed->skip_me = EqualsAnyCase(value, "yes");
    } else {
      return context.reply.SyntaxError(), false;
    }
  }
  return true;
}

void ClientKill(Context& context) {
  Doomed doomed;
  const bool by_address = context.args.size() == 3;  // the old form, which may mean its sender
  if (by_address) {
    doomed.peer = context.args[2];
    doomed.skip_me = false;
  } else if (!ReadKillOptions(context, &doomed)) {
    return;
  }
  int64_t killed = 0;
  bool me = false;
  context.server.EachClient([&](Client& client) {
    if (!doomed.Means(client)) return;
    if (&client == &context.client) {
      if (doomed.skip_me) return;
      me = true;
    } else {
      client.worker.Close(client);
    }
    ++killed;
  });
  if (!by_address)
    context.reply.Integer(killed);
  else if (killed == 0)
    context.reply.Error("ERR No such client");
  else
    context.reply.Ok();
  if (me) context.client.Put(kClientCloseAfterReply);
}

void ClientPause(Context& context) {
  Pause what = Pause::kAll;
  if (context.args.size() == 4) {
    if (EqualsAnyCase(context.args[3], "write"))
      what = Pause::kWrites;
    else if (!EqualsAnyCase(context.args[3], "all"))
      return context.reply.Error("ERR CLIENT PAUSE mode must be WRITE or ALL");
  } else if (context.args.size() > 4) {
    return ReplySubcommandSyntax(context);
  }
  const auto milliseconds = ParseInteger(context.args[2]);
  constexpr int64_t kLongestMs = INT64_MAX / 2000;
  if (!milliseconds || *milliseconds > kLongestMs)
    return context.reply.Error("ERR timeout is not an integer or out of range");
  if (*milliseconds < 0) return context.reply.Error("ERR timeout is negative");
  auto& pause = context.server.pause;
  const uint64_t now = NowUs(), until = now + static_cast<uint64_t>(*milliseconds) * 1000;
  // A pause that runs is never made shorter, nor weaker.
  const bool runs = pause.what != Pause::kNone && pause.until_us > now;
  if (!runs) pause.expired_before = context.server.CacheCounts()[static_cast<size_t>(Count::kExpired)];
  pause.what = runs ? std::max(pause.what, what) : what;
  pause.until_us = runs ? std::max(pause.until_us, until) : until;
  context.reply.Ok();
}

void ClientUnpause(Context& context) {
  context.server.pause = {};
  context.server.ResumePaused();
  context.reply.Ok();
}

void ClientUnblock(Context& context) {
  bool with_error = false;
  if (context.args.size() == 4) {
    with_error = EqualsAnyCase(context.args[3], "error");
    if (!with_error && !EqualsAnyCase(context.args[3], "timeout"))
      return context.reply.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  } else if (context.args.size() > 4) {
    return ReplySubcommandSyntax(context);
  }
  const auto id = ParseInteger(context.args[2]);
  if (!id) return context.reply.NotAnInteger();
  Client* const client = context.server.FindClient(static_cast<uint64_t>(*id));
  if (client == nullptr || client->parked != Parked::kBlocked) return context.reply.Integer(0);
  client->unblocked = with_error ? Unblocked::kError : Unblocked::kTimeout;
  client->worker.Resume(*client);
  context.reply.Integer(1);
}

constexpr uint32_t kClientSubFlags = kNoScript | kLoading | kStale | kSentinel;
constexpr uint32_t kClientCategories = kCatSlow | kCatConnection;
constexpr uint32_t kClientAdmin = kCatAdmin | kCatSlow | kCatDangerous | kCatConnection;

}  // namespace

// commands_tracking.cc
void ClientTracking(Context& context);
void ClientTrackingInfo(Context& context);
void ClientCaching(Context& context);
void ClientGetRedir(Context& context);

namespace {

constexpr Command kClientSubcommands[] = {
    {.name = "caching",
     .arity = 3,
     .flags = kClientSubFlags,
     .categories = kClientCategories,
     .run = ClientCaching,
     .summary = "Instruct the server about tracking or not keys in the next request",
     .since = "6.0.0",
     .group = "connection"},
    {.name = "getname",
     .arity = 2,
     .flags = kClientSubFlags,
     .categories = kClientCategories,
     .run = ClientGetName,
     .summary = "Get the current connection name",
     .since = "2.6.9",
     .group = "connection"},
    {.name = "getredir",
     .arity = 2,
     .flags = kClientSubFlags,
     .categories = kClientCategories,
     .run = ClientGetRedir,
     .summary = "Get tracking notifications redirection client ID if any",
     .since = "6.0.0",
     .group = "connection"},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale | kSentinel,
     .categories = kClientCategories,
     .run = ClientHelp,
     .summary = "Show helpful text about the different subcommands",
     .since = "5.0.0",
     .group = "connection"},
    {.name = "id",
     .arity = 2,
     .flags = kClientSubFlags,
     .categories = kClientCategories,
     .run = ClientId,
     .summary = "Returns the client ID for the current connection",
     .since = "5.0.0",
     .group = "connection"},
    {.name = "info",
     .arity = 2,
     .flags = kClientSubFlags,
     .categories = kClientCategories,
     .run = ClientInfo,
     .summary = "Returns information about the current client connection.",
     .since = "6.2.0",
     .group = "connection"},
    {.name = "kill",
     .arity = -3,
     .flags = kClientSubFlags | kAdmin | kExclusive,
     .categories = kClientAdmin,
     .run = ClientKill,
     .summary = "Kill the connection of a client",
     .since = "2.4.0",
     .group = "connection",
     .complexity = "O(N) where N is the number of client connections"},
    {.name = "list",
     .arity = -2,
     .flags = kClientSubFlags | kAdmin | kExclusive,
     .categories = kClientAdmin,
     .run = ClientList,
     .summary = "Get the list of client connections",
     .since = "2.4.0",
     .group = "connection",
     .complexity = "O(N) where N is the number of client connections"},
    {.name = "no-evict",
     .arity = 3,
     .flags = kClientSubFlags | kAdmin,
     .categories = kClientAdmin,
     .run = ClientNoEvict,
     .summary = "Set client eviction mode for the current connection",
     .since = "7.0.0",
     .group = "connection"},
    {.name = "pause",
     .arity = -3,
     .flags = kClientSubFlags | kAdmin | kExclusive,
     .categories = kClientAdmin,
     .run = ClientPause,
     .summary = "Stop processing commands from clients for some time",
     .since = "3.0.0",
     .group = "connection"},
    {.name = "reply",
     .arity = 3,
     .flags = kClientSubFlags,
     .categories = kClientCategories,
     .run = ClientReply,
     .summary = "Instruct the server whether to reply to commands",
     .since = "3.2.0",
     .group = "connection"},
    {.name = "setname",
     .arity = 3,
     .flags = kClientSubFlags,
     .categories = kClientCategories,
     .run = ClientSetName,
     .summary = "Set the current connection name",
     .since = "2.6.9",
     .group = "connection"},
    {.name = "tracking",
     .arity = -3,
     .flags = kClientSubFlags,
     .categories = kClientCategories,
     .run = ClientTracking,
     .summary = "Enable or disable server assisted client side caching support",
     .since = "6.0.0",
     .group = "connection",
     .complexity = "O(1). Some options may introduce additional complexity."},
    {.name = "trackinginfo",
     .arity = 2,
     .flags = kClientSubFlags,
     .categories = kClientCategories,
     .run = ClientTrackingInfo,
     .summary = "Return information about server assisted client side caching for the current connection",
     .since = "6.2.0",
     .group = "connection"},
    {.name = "unblock",
     .arity = -3,
     .flags = kClientSubFlags | kAdmin | kExclusive,
     .categories = kClientAdmin,
     .run = ClientUnblock,
     .summary = "Unblock a client blocked in a blocking command from a different connection",
     .since = "5.0.0",
     .group = "connection",
     .complexity = "O(log N) where N is the number of client connections"},
    {.name = "unpause",
     .arity = 2,
     .flags = kClientSubFlags | kAdmin | kExclusive,
     .categories = kClientAdmin,
     .run = ClientUnpause,
     .summary = "Resume processing of clients that were paused",
     .since = "6.2.0",
     .group = "connection",
     .complexity = "O(N) Where N is the number of paused clients"},
};

constexpr Command kClientCommands[] = {
    {.name = "client",
     .arity = -2,
     .flags = kSentinel,
     .categories = kCatSlow,
     .subcommands = kClientSubcommands,
     .summary = "A container for client connection commands",
     .since = "2.4.0",
     .group = "connection",
     .complexity = "Depends on subcommand."},
};

}  // namespace

std::span<const Command> ClientCommands() { return kClientCommands; }

}  // namespace zerohop::resp
