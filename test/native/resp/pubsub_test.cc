#include "resp/pubsub.h"

#include <string>
#include <utility>
#include <vector>

#include "check.h"

namespace zerohop::resp {
namespace {

using Heard = std::vector<std::pair<uint64_t, std::string>>;

Heard Publish(PubSub& pubsub, std::string_view channel) {
  Heard heard;
  const size_t count = pubsub.Publish(channel, [&](std::span<const uint64_t> clients, const std::string* pattern) {
    for (const uint64_t client : clients) heard.emplace_back(client, pattern ? *pattern : "");
  });
  CHECK_EQ(count, heard.size());
  return heard;
}

}  // namespace

TEST(PubSub, ReachesListenersOfTheChannelAndThenOfPatterns) {
  PubSub pubsub;
  pubsub.SubscribePattern("n*", 3);
  pubsub.Subscribe("news", 2);
  pubsub.Subscribe("news", 1);
  pubsub.SubscribePattern("?ews", 1);
  CHECK((Publish(pubsub, "news") == Heard{{2, ""}, {1, ""}, {1, "?ews"}, {3, "n*"}}));
  CHECK((Publish(pubsub, "nope") == Heard{{3, "n*"}}));
  CHECK(Publish(pubsub, "other").empty());
}

TEST(PubSub, ForgetsAChannelWithItsLastListener) {
  PubSub pubsub;
  pubsub.Subscribe("a", 1);
  pubsub.Subscribe("a", 2);
  pubsub.Subscribe("b", 1);
  pubsub.SubscribePattern("x*", 1);
  CHECK_EQ(pubsub.ListenersOf("a"), size_t{2});
  CHECK_EQ(pubsub.channel_count(), size_t{2});
  CHECK_EQ(pubsub.pattern_count(), size_t{1});
  CHECK((pubsub.Channels("*") == std::vector<std::string>{"a", "b"}));
  CHECK((pubsub.Channels("[b-z]") == std::vector<std::string>{"b"}));
  pubsub.Unsubscribe("a", 1);
  CHECK((Publish(pubsub, "a") == Heard{{2, ""}}));
  pubsub.Unsubscribe("a", 2);
  pubsub.Unsubscribe("nothing", 2);
  pubsub.UnsubscribePattern("x*", 1);
  CHECK_EQ(pubsub.channel_count(), size_t{1});
  CHECK_EQ(pubsub.pattern_count(), size_t{0});
}

}  // namespace zerohop::resp
