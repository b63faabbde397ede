// SUBSCRIBE, PUBLISH and PUBSUB over real sockets, across workers.
#include <string>
#include <vector>

#include "resp/peer.h"

namespace zerohop::resp {
namespace {

using testing::Bulk;
using testing::OnAnyPort;
using testing::Peer;
using testing::Request;
using testing::Served;

std::string Told(char type, std::initializer_list<std::string_view> words, const std::string& last) {
  std::string text(1, type);
  text.append(std::to_string(words.size() + 1)).append("\r\n");
  for (const std::string_view word : words) text.append(Bulk(word));
  return text.append(last);
}

}  // namespace

TEST(Channels, CarryMessagesToListenersOfEveryWorkerAndProtocol) {
  Served served(OnAnyPort(2));
  std::vector<Peer> listeners;
  for (int i = 0; i < 8; ++i) {
    listeners.emplace_back(served);
    const bool newer = i % 2 == 1;
    if (newer) listeners.back().Ask({"HELLO", "3"});
    CHECK_EQ(listeners.back().Ask({"SUBSCRIBE", "news"}), Told(newer ? '>' : '*', {"subscribe", "news"}, ":1\r\n"));
  }
  Peer speaker(served);
  CHECK_EQ(speaker.Ask({"PUBLISH", "news", "hello"}), ":8\r\n");
  for (int i = 0; i < 8; ++i) {
    CHECK_EQ(listeners[static_cast<size_t>(i)].ReceiveReply(),
             Told(i % 2 == 1 ? '>' : '*', {"message", "news"}, Bulk("hello")));
  }
  CHECK_EQ(speaker.Ask({"PUBLISH", "other", "hello"}), ":0\r\n");
}

TEST(Channels, MatchPatternsAndTellWhich) {
  Served served;
  Peer listener(served), speaker(served);
  CHECK_EQ(listener.Ask({"PSUBSCRIBE", "n?ws*"}), Told('*', {"psubscribe", "n?ws*"}, ":1\r\n"));
  CHECK_EQ(speaker.Ask({"PUBLISH", "news.art", "x"}), ":1\r\n");
  CHECK_EQ(listener.ReceiveReply(), Told('*', {"pmessage", "n?ws*", "news.art"}, Bulk("x")));
  CHECK_EQ(speaker.Ask({"PUBSUB", "NUMPAT"}), ":1\r\n");
  CHECK_EQ(listener.Ask({"PUNSUBSCRIBE"}), Told('*', {"punsubscribe", "n?ws*"}, ":0\r\n"));
  CHECK_EQ(listener.Ask({"PUNSUBSCRIBE"}), std::string("*3\r\n").append(Bulk("punsubscribe")).append("$-1\r\n:0\r\n"));
}

TEST(Channels, AreForgottenWithTheirListeners) {
  Served served;
  Peer speaker(served);
  {
    Peer listener(served);
    listener.Ask({"SUBSCRIBE", "a"});
    CHECK_EQ(speaker.Ask({"PUBSUB", "CHANNELS"}), std::string("*1\r\n") + Bulk("a"));
    CHECK_EQ(speaker.Ask({"PUBSUB", "NUMSUB", "a", "b"}),
             std::string("*4\r\n") + Bulk("a") + std::string(":1\r\n") + Bulk("b") + ":0\r\n");
    listener.Ask({"RESET"});
    CHECK_EQ(speaker.Ask({"PUBSUB", "CHANNELS"}), "*0\r\n");
    listener.Ask({"SUBSCRIBE", "a"});
  }
  while (speaker.Ask({"PUBSUB", "CHANNELS"}) != "*0\r\n") {
  }
  CHECK_EQ(speaker.Ask({"PUBLISH", "a", "x"}), ":0\r\n");
}

TEST(Channels, LeaveAnOldClientFewCommandsWhileItListens) {
  Served served;
  Peer old(served), newer(served);
  old.Ask({"SUBSCRIBE", "a"});
  CHECK_EQ(old.Ask({"GET", "k"}),
           "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
           "context\r\n");
  CHECK_EQ(old.Ask({"PING"}), std::string("*2\r\n") + Bulk("pong") + Bulk(""));
  old.Ask({"UNSUBSCRIBE", "a"});
  CHECK_EQ(old.Ask({"GET", "k"}), "$-1\r\n");
  newer.Ask({"HELLO", "3"});
  newer.Ask({"SUBSCRIBE", "a"});
  CHECK_EQ(newer.Ask({"GET", "k"}), "_\r\n");
}

TEST(Channels, KeepMessagesOfOneSpeakerInOrderAndAfterItsReply) {
  Served served(OnAnyPort(2));
  Peer both(served), listener(served);
  both.Ask({"HELLO", "3"});
  both.Ask({"SUBSCRIBE", "a"});
  listener.Ask({"SUBSCRIBE", "a"});
  std::string requests, wanted, heard;
  for (int i = 0; i < 500; ++i) {
    requests += Request({"PUBLISH", "a", std::to_string(i)});
    wanted += std::string(":2\r\n") + Told('>', {"message", "a"}, Bulk(std::to_string(i)));
    heard += Told('*', {"message", "a"}, Bulk(std::to_string(i)));
  }
  REQUIRE(both.Send(requests));
  CHECK(both.Receive(wanted.size()) == wanted);
  CHECK(listener.Receive(heard.size()) == heard);
}

}  // namespace zerohop::resp
