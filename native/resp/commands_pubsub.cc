// commands_pubsub.cc: SUBSCRIBE and its kin, PUBLISH, PUBSUB.
//
// A message is handed to the worker of each listener, which says it in the listener's protocol.
#include <algorithm>
#include <set>

#include "resp/client.h"
#include "resp/commands.h"
#include "resp/connection.h"
#include "resp/help.h"
#include "resp/pubsub.h"
#include "resp/server.h"
#include "resp/shared_text.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

// What a client listens to; gone with the client.
struct Subscriptions final : ClientPart {
  Subscriptions(PubSub& its_pubsub, uint64_t its_client) : pubsub(its_pubsub), client(its_client) {}
  ~Subscriptions() override {
    for (const std::string& channel : channels) pubsub.Unsubscribe(channel, client);
    for (const std::string& pattern : patterns) pubsub.UnsubscribePattern(pattern, client);
  }
  PubSub& pubsub;
  const uint64_t client;
  std::set<std::string, std::less<>> channels, patterns;
};

Subscriptions& SubscriptionsOf(Context& context) {
  Client& client = context.client;
  if (!client.subscriptions) client.subscriptions = std::make_unique<Subscriptions>(context.server.pubsub(), client.id);
  return static_cast<Subscriptions&>(*client.subscriptions);
}

void UpdateCounts(Client& client, const Subscriptions& all) {
  client.channels = static_cast<uint32_t>(all.channels.size());
  client.patterns = static_cast<uint32_t>(all.patterns.size());
}

// `name` null: there was nothing to unsubscribe from.
void TellSubscription(Context& context, const char* what, const std::string_view* name) {
  context.reply.Push(3);
  context.reply.Bulk(what);
  if (name != nullptr)
    context.reply.Bulk(*name);
  else
    context.reply.Null();
  context.reply.Integer(context.client.channels + context.client.patterns);
}

template <bool kPattern>
void SubscribeTo(Context& context) {
  Subscriptions& all = SubscriptionsOf(context);
  auto& names = kPattern ? all.patterns : all.channels;
  for (size_t i = 1; i < context.args.size(); ++i) {
    const std::string_view name = context.args[i];
    if (names.emplace(name).second)
      kPattern ? all.pubsub.SubscribePattern(name, all.client) : all.pubsub.Subscribe(name, all.client);
    UpdateCounts(context.client, all);
    TellSubscription(context, kPattern ? "psubscribe" : "subscribe", &name);
  }
  context.client.Put(kClientSubscribed);
}

template <bool kPattern>
void UnsubscribeFrom(Context& context) {
  constexpr const char* kWhat = kPattern ? "punsubscribe" : "unsubscribe";
  Subscriptions& all = SubscriptionsOf(context);
  auto& names = kPattern ? all.patterns : all.channels;
  std::vector<std::string> given;
  if (context.args.size() == 1) {
    given.assign(names.begin(), names.end());
    if (given.empty()) TellSubscription(context, kWhat, nullptr);
  }
  for (size_t i = 1; i < context.args.size(); ++i) given.emplace_back(context.args[i]);
  for (const std::string& name : given) {
    if (names.erase(name) != 0)
      kPattern ? all.pubsub.UnsubscribePattern(name, all.client) : all.pubsub.Unsubscribe(name, all.client);
    UpdateCounts(context.client, all);
    const std::string_view view = name;
    TellSubscription(context, kWhat, &view);
  }
  if (all.channels.empty() && all.patterns.empty()) context.client.Put(kClientSubscribed, false);
}

constexpr size_t kListenersAMicrosecond = 8;
constexpr size_t kWaitingMax = 256;  // messages to another worker: more, and who publishes waits for it

void Publish(Context& context) {
  const std::string_view channel = context.args[1], message = context.args[2];
  // Who is told it would be over its limit: it is closed before that costs memory.
  const uint64_t limit = context.server.config().output_pubsub.hard_bytes;
  const bool too_long = limit != 0 && message.size() >= limit;
  Worker& worker = context.worker;
  size_t waiting = 0;
  const auto deliver = [&](std::span<const uint64_t> listeners, const std::string* pattern) {
    if (too_long) {
      worker.counts().output_limit_disconnections += listeners.size();
      for (const uint64_t listener : listeners) context.server.Post(listener, {.kind = Message::Kind::kClose});
      return;
    }
    // Without the first byte, which the listener's protocol decides.  Held once, for all of them.
    std::string text = pattern == nullptr ? "3\r\n$7\r\nmessage\r\n" : "4\r\n$8\r\npmessage\r\n";
    if (pattern != nullptr) AppendBulk(*pattern, &text);
    AppendBulk(channel, &text);
    AppendBulk(message, &text);
    const auto shared = std::make_shared<const SharedText>(std::move(text), context.server.held_bytes);
    std::vector<uint64_t> others;
    for (const uint64_t listener : listeners) {
      if (Client* const own = worker.Find(listener))
        worker.PushMessage(*own, shared);
      else
        others.push_back(listener);
    }
    if (!others.empty()) waiting = std::max(waiting, context.server.PostToAll(others, shared));
  };
  const size_t count = context.server.pubsub().Publish(channel, deliver);
  worker.Spent(count / kListenersAMicrosecond);
  if (waiting > kWaitingMax) worker.SpentAll();
  context.reply.Integer(static_cast<int64_t>(count));
}

constexpr std::string_view kPubSubHelp[] = {
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
};

void PubSubHelp(Context& context) { ReplyHelp(context, kPubSubHelp); }

void PubSubChannels(Context& context) {
  if (context.args.size() > 3) return ReplySubcommandSyntax(context);
  const auto names = context.server.pubsub().Channels(context.args.size() == 3 ? context.args[2] : "*");
  context.reply.Array(names.size());
  for (const std::string& name : names) context.reply.Bulk(name);
}

void PubSubNumSub(Context& context) {
  context.reply.Array((context.args.size() - 2) * 2);
  for (size_t i = 2; i < context.args.size(); ++i) {
    context.reply.Bulk(context.args[i]);
    context.reply.Integer(static_cast<int64_t>(context.server.pubsub().ListenersOf(context.args[i])));
  }
}

void PubSubNumPat(Context& context) {
  context.reply.Integer(static_cast<int64_t>(context.server.pubsub().pattern_count()));
}

constexpr uint32_t kListening = kPubSub | kNoScript | kLoading | kStale | kSentinel | kInSubscribed;
constexpr uint32_t kPubSubSub = kPubSub | kLoading | kStale;
constexpr uint32_t kPubSubCategories = kCatPubSub | kCatSlow;

constexpr Command kPubSubSubcommands[] = {
    {.name = "channels",
     .arity = -2,
     .flags = kPubSubSub,
     .categories = kPubSubCategories,
     .run = PubSubChannels,
     .summary = "List active channels",
     .since = "2.8.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of active channels"},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .categories = kCatSlow,
     .run = PubSubHelp,
     .summary = "Show helpful text about the different subcommands",
     .since = "6.2.0",
     .group = "pubsub"},
    {.name = "numpat",
     .arity = 2,
     .flags = kPubSubSub,
     .categories = kPubSubCategories,
     .run = PubSubNumPat,
     .summary = "Get the count of unique patterns pattern subscriptions",
     .since = "2.8.0",
     .group = "pubsub"},
    {.name = "numsub",
     .arity = -2,
     .flags = kPubSubSub,
     .categories = kPubSubCategories,
     .run = PubSubNumSub,
     .summary = "Get the count of subscribers for channels",
     .since = "2.8.0",
     .group = "pubsub",
     .complexity = "O(N) for the NUMSUB subcommand, where N is the number of requested channels"},
};

constexpr Command kPubSubCommands[] = {
    {.name = "subscribe",
     .arity = -2,
     .flags = kListening,
     .categories = kPubSubCategories,
     .run = SubscribeTo<false>,
     .summary = "Listen for messages published to the given channels",
     .since = "2.0.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of channels to subscribe to."},
    {.name = "unsubscribe",
     .arity = -1,
     .flags = kListening,
     .categories = kPubSubCategories,
     .run = UnsubscribeFrom<false>,
     .summary = "Stop listening for messages posted to the given channels",
     .since = "2.0.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of clients already subscribed to a channel."},
    {.name = "psubscribe",
     .arity = -2,
     .flags = kListening,
     .categories = kPubSubCategories,
     .run = SubscribeTo<true>,
     .summary = "Listen for messages published to channels matching the given patterns",
     .since = "2.0.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of patterns the client is already subscribed to."},
    {.name = "punsubscribe",
     .arity = -1,
     .flags = kListening,
     .categories = kPubSubCategories,
     .run = UnsubscribeFrom<true>,
     .summary = "Stop listening for messages posted to channels matching the given patterns",
     .since = "2.0.0",
     .group = "pubsub",
     .complexity = "O(N+M) where N is the number of patterns the client is already subscribed and M "
                   "is the number of total patterns subscribed in the system (by any client)."},
    {.name = "publish",
     .arity = 3,
     .flags = kPubSub | kLoading | kStale | kFast | kMayReplicate | kSentinel,
     .categories = kCatPubSub | kCatFast,
     .run = Publish,
     .summary = "Post a message to a channel",
     .since = "2.0.0",
     .group = "pubsub",
     .complexity = "O(N+M) where N is the number of clients subscribed to the receiving channel and "
                   "M is the total number of subscribed patterns (by any client)."},
    {.name = "pubsub",
     .arity = -2,
     .categories = kCatSlow,
     .subcommands = kPubSubSubcommands,
     .summary = "A container for Pub/Sub commands",
     .since = "2.8.0",
     .group = "pubsub",
     .complexity = "Depends on subcommand."},
};

}  // namespace

void UnsubscribeAll(Client& client) {
  client.subscriptions.reset();
  client.channels = client.patterns = 0;
  client.Put(kClientSubscribed, false);
}

bool ListensBeyond(const Client& client, const User& user) {
  if (!client.subscriptions) return false;
  const auto& all = static_cast<const Subscriptions&>(*client.subscriptions);
  const auto denied = [&user](const auto& names, bool patterns) {
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& name) { return !user.AllowsChannel(name, patterns); });
  };
  return denied(all.channels, false) || denied(all.patterns, true);
}

std::span<const Command> PubSubCommands() { return kPubSubCommands; }

}  // namespace zerohop::resp
