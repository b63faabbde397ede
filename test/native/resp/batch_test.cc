// Calls that are made together, and the clients that they are made for: each sees what it would see alone.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "resp/peer.h"
#include "resp/socket_batch.h"

namespace zerohop::resp {
namespace {

using testing::Bulk;
using testing::OnAnyPort;
using testing::Peer;
using testing::Request;
using testing::Served;

struct Pair {
  Pair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0); }
  ~Pair() {
    ::close(ends[0]);
    if (ends[1] >= 0) ::close(ends[1]);
  }
  void CloseOther() { ::close(std::exchange(ends[1], -1)); }
  int ends[2];
};

// With a ring, where the kernel lets us, and without one.
template <class Test>
void BothWays(Test test) {
  for (const bool ring : {false, true}) {
    SocketBatch batch;
    if (ring && !batch.Open()) continue;
    test(batch);
  }
}

Config WithBatches(bool batches) {
  Config config = OnAnyPort(1);
  config.io_uring = batches;
  return config;
}

// What the peers send inside `send` arrives in one wake-up, but for the first of it.
template <class Send>
void AtOnce(Served& served, Send send) {
  const ExclusiveLock exclusively(served.server->lock());
  send();
}

}  // namespace

TEST(SocketBatch, SendsAndReceivesOnEverySocketOfABatch) {
  BothWays([](SocketBatch& batch) {
    std::vector<Pair> pairs(SocketBatch::kCallsMax);
    std::vector<std::string> sent, received(pairs.size(), std::string(100, 0));
    for (size_t i = 0; i < pairs.size(); ++i) sent.push_back("text " + std::to_string(i));
    for (int round = 0; round < 3; ++round) {
      for (size_t i = 0; i < pairs.size(); ++i) batch.Send(pairs[i].ends[0], sent[i].data(), sent[i].size());
      CHECK_EQ(batch.count(), SocketBatch::kCallsMax);
      for (size_t i = 0; const int32_t result : batch.Run()) CHECK_EQ(result, static_cast<int32_t>(sent[i++].size()));
      CHECK_EQ(batch.count(), uint32_t{0});
      for (size_t i = 0; i < pairs.size(); ++i) batch.Receive(pairs[i].ends[1], received[i].data(), 100);
      const auto results = batch.Run();
      REQUIRE(results.size() == pairs.size());
      for (size_t i = 0; i < pairs.size(); ++i)
        CHECK_EQ(received[i].substr(0, static_cast<size_t>(results[i])), sent[i]);
    }
  });
}

TEST(SocketBatch, TellsWhatEachCallWouldHaveSaidAndNeverWaits) {
  BothWays([](SocketBatch& batch) {
    Pair silent, ended, full;
    ended.CloseOther();
    const std::string much(size_t{1} << 20, 'x');
    char room[10];
    batch.Receive(silent.ends[0], room, sizeof room);
    batch.Receive(ended.ends[0], room, sizeof room);
    batch.Send(ended.ends[0], much.data(), 10);
    batch.Send(full.ends[0], much.data(), much.size());
    batch.Receive(-1, room, sizeof room);
    const auto results = batch.Run();
    REQUIRE(results.size() == 5);
    CHECK_EQ(results[0], -EAGAIN);
    CHECK_EQ(results[1], 0);
    CHECK_EQ(results[2], -EPIPE);
    CHECK(results[3] > 0 && results[3] < static_cast<int32_t>(much.size()));
    CHECK_EQ(results[4], -EBADF);
  });
}

TEST(Batch, AnswersManyClientsOfAWakeUpAsItAnswersOne) {
  for (const bool batches : {true, false}) {
    Served served(WithBatches(batches));
    std::vector<Peer> peers;
    for (int i = 0; i < 70; ++i) {
      peers.emplace_back(served);
      REQUIRE(peers.back().Send(Request({"PING"})));
      CHECK_EQ(peers.back().Receive(7), "+PONG\r\n");
    }
    const std::string large(100 << 10, 'x');
    for (int round = 0; round < 20; ++round) {
      AtOnce(served, [&] {
        for (size_t i = 0; i < peers.size(); ++i) {
          const std::string key = "key " + std::to_string(i), value = key + " in round " + std::to_string(round);
          switch (i % 7) {
            case 0: peers[i].Send(Request({"SET", key, value}) + Request({"GET", key})); break;
            case 1: peers[i].Send(Request({"MULTI"}) + Request({"GET", "none"}) + Request({"EXEC"})); break;
            case 2: peers[i].Send(Request({"SET", key, large}) + Request({"GET", key})); break;
            case 3: peers[i].Send(Request({"GET", "none"}).substr(0, 9)); break;
            case 4: peers[i].Send("PING\r\n"); break;
            case 5: peers[i].Send(Request({"KEYS", "none*"})); break;
            default: peers[i].Send(Request({"CLIENT", "NO-EVICT", "on"})); break;
          }
        }
      });
      for (size_t i = 0; i < peers.size(); ++i) {
        const std::string key = "key " + std::to_string(i), value = key + " in round " + std::to_string(round);
        std::string expected;
        switch (i % 7) {
          case 0: expected = "+OK\r\n" + Bulk(value); break;
          case 1: expected = "+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n"; break;
          case 2: expected = "+OK\r\n" + Bulk(large); break;
          case 3:
            REQUIRE(peers[i].Send(Request({"GET", "none"}).substr(9)));
            expected = "$-1\r\n";
            break;
          case 4: expected = "+PONG\r\n"; break;
          case 5: expected = "*0\r\n"; break;
          default: expected = "+OK\r\n"; break;
        }
        CHECK(peers[i].Receive(expected.size()) == expected);
      }
    }
  }
}

// epoll tells of clients in an order of its own, so either may be first.
TEST(Batch, SendsAMessageAndAReplyToTheSameClientOneAfterTheOther) {
  for (const bool batches : {true, false}) {
    Served served(WithBatches(batches));
    Peer listener(served), other(served), speaker(served);
    REQUIRE(listener.Send(Request({"HELLO", "3"}) + Request({"SUBSCRIBE", "news"})));
    listener.ReceiveReply();
    listener.ReceiveReply();
    for (int round = 0; round < 50; ++round) {
      const std::string number = std::to_string(round);
      AtOnce(served, [&] {
        other.Send(Request({"PING"}));
        listener.Send(Request({"ECHO", number}));
        speaker.Send(Request({"PUBLISH", "news", number}));
      });
      const std::string reply = Bulk(number), message = ">3\r\n" + Bulk("message") + Bulk("news") + reply;
      const std::string seen = listener.Receive(reply.size() + message.size());
      CHECK(seen == reply + message || seen == message + reply);
      other.ReceiveReply();
      speaker.ReceiveReply();
    }
  }
}

TEST(Batch, KeepsForAClientThatReadsLateWhatItsSocketDidNotTake) {
  for (const bool batches : {true, false}) {
    Served served(WithBatches(batches));
    const std::string value(4000, 'v');
    std::vector<Peer> peers;
    for (int i = 0; i < 4; ++i) peers.emplace_back(served);
    REQUIRE(peers[0].Send(Request({"SET", "key", value})));
    CHECK_EQ(peers[0].ReceiveReply(), "+OK\r\n");
    constexpr int kAsked = 2000;
    std::vector<std::thread> senders;
    for (Peer& peer : peers) {
      senders.emplace_back([&peer] {
        for (int i = 0; i < kAsked; ++i) peer.Send(Request({"GET", "key"}));
      });
    }
    for (std::thread& sender : senders) sender.join();
    std::string expected;
    for (int i = 0; i < kAsked; ++i) expected += Bulk(value);
    for (Peer& peer : peers) CHECK(peer.Receive(expected.size()) == expected);
  }
}

TEST(Batch, SurvivesClientsThatLeaveBetweenTheirRequestAndItsReply) {
  for (const bool batches : {true, false}) {
    Served served(WithBatches(batches));
    Peer stays(served);
    for (int round = 0; round < 30; ++round) {
      std::vector<Peer> peers;
      for (int i = 0; i < 20; ++i) peers.emplace_back(served);
      AtOnce(served, [&] {
        for (size_t i = 0; i < peers.size(); ++i) {
          peers[i].Send(i % 3 == 0 ? Request({"QUIT"}) : Request({"GET", "none"}));
          if (i % 2 == 0) peers[i].Close();
        }
        stays.Send(Request({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}));
      });
      CHECK_EQ(stays.ReceiveReply().substr(0, 1), ":");
    }
    REQUIRE(stays.Send(Request({"PING"})));
    CHECK_EQ(stays.ReceiveReply(), "+PONG\r\n");
  }
}

}  // namespace zerohop::resp
