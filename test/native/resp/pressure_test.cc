// Clients that send too much, too little or too slowly, and what they must not do to others.
#include <sys/resource.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "resp/client.h"
#include "resp/peer.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

using testing::Bulk;
using testing::Eventually;
using testing::kMiB;
using testing::OnAnyPort;
using testing::Peer;
using testing::Request;
using testing::Served;

// What the clients' memory is, as far as the server holds bytes for them.
size_t HeldBytes(Server& server) {
  const ExclusiveLock exclusively(server.lock());
  size_t bytes = 0;
  server.EachClient([&](Client& client) { bytes += client.input.capacity() + client.pending.memory(); });
  return bytes;
}

WorkerCounts Counts(Server& server) {
  const ExclusiveLock exclusively(server.lock());
  return server.TotalCounts();
}

}  // namespace

TEST(Pressure, ServesRequestsThatComeByteByByte) {
  Served served;
  Peer peer(served);
  const std::string text = Request({"SET", "key", "value"}) + Request({"GET", "key"}) + "PING\r\n";
  for (const char byte : text) REQUIRE(peer.Send({&byte, 1}));
  CHECK_EQ(peer.Receive(5 + 11 + 7), "+OK\r\n$5\r\nvalue\r\n+PONG\r\n");
}

TEST(Pressure, TellsProtocolErrorsAndCloses) {
  Served served;
  for (const auto& [text, error] : std::initializer_list<std::pair<std::string, std::string>>{
           {"*x\r\n", "invalid multibulk length"},
           {"*1\r\n$x\r\n", "invalid bulk length"},
           {"*1\r\nPING\r\n", "expected '$', got 'P'"},
           {"GET \"\r\n", "unbalanced quotes in request"},
           {std::string(70000, 'x'), "too big inline request"}}) {
    Peer peer(served);
    REQUIRE(peer.Send(Request({"PING"}) + text));
    CHECK_EQ(peer.ReceiveAll(), "+PONG\r\n-ERR Protocol error: " + error + "\r\n");
  }
}

// A reply takes no memory until its client does not read it, and then not without end.
TEST(Pressure, DisconnectsWhoAsksForMoreThanAllClientsMayHold) {
  Served served(OnAnyPort(), 64 * kMiB);
  CHECK_EQ(Peer(served).Ask({"SET", "key", std::string(16 * kMiB, 'v')}), "+OK\r\n");
  std::string mget = "MGET";
  for (int i = 0; i < 400; ++i) mget += " key";
  for (const std::string& text : {mget + "\r\n", "MULTI\r\n" + mget + "\r\nSET other 1\r\n" + mget + "\r\nEXEC\r\n"}) {
    Peer peer(served);
    const uint64_t before = Counts(*served.server).output_limit_disconnections;
    REQUIRE(peer.Send(text));
    CHECK(Eventually([&] { return Counts(*served.server).output_limit_disconnections == before + 1; }));
    CHECK(HeldBytes(*served.server) < 64 * kMiB);
  }
  // The transaction was run nevertheless.
  CHECK_EQ(Peer(served).Ask({"GET", "other"}), Bulk("1"));
}

TEST(Pressure, GivesAnAnnouncedWordRoomAsItComes) {
  Served served;
  Peer peer(served);
  REQUIRE(peer.Send("*2\r\n$4\r\nECHO\r\n$500000000\r\nx"));
  CHECK(Eventually([&] { return HeldBytes(*served.server) > 0; }));
  REQUIRE(peer.Send("x"));
  CHECK(Eventually([&] { return served.server->held_bytes.load() == 28; }));
  CHECK(HeldBytes(*served.server) < 3 * kMiB);
}

TEST(Pressure, ClosesSubscribersRatherThanCopyWhatIsOverTheirLimit) {
  Served served;
  Peer listener(served);
  CHECK_EQ(listener.Ask({"SUBSCRIBE", "channel"}), "*3\r\n$9\r\nsubscribe\r\n$7\r\nchannel\r\n:1\r\n");
  CHECK_EQ(Peer(served).Ask({"PUBLISH", "channel", std::string(33 * kMiB, 'm')}), ":1\r\n");
  CHECK_EQ(listener.ReceiveAll(), "");
  CHECK_EQ(Counts(*served.server).output_limit_disconnections, 1u);
}

TEST(Pressure, ClosesOnABrowsersRequest) {
  Served served;
  for (const char* text :
       {"POST / HTTP/1.1\r\nSET key value\r\n", "GET / HTTP/1.1\r\nHost: here\r\nSET key value\r\n"}) {
    Peer peer(served);
    REQUIRE(peer.Send(text));
    CHECK(peer.ReceiveAll().find("+OK") == std::string::npos);
  }
  CHECK_EQ(Peer(served).Ask({"GET", "key"}), "$-1\r\n");
}

TEST(Pressure, TakesLargeValuesInAndOut) {
  Served served(OnAnyPort(), 64 * kMiB);
  Peer peer(served);
  for (const size_t bytes : {size_t{2047}, size_t{2048}, size_t{65536}, 3 * kMiB, 17 * kMiB}) {
    const std::string value = zerohop::testing::Filled("some bytes of it ", bytes);
    std::thread sender([&] { peer.Send(Request({"SET", "key", value}) + Request({"GET", "key"})); });
    CHECK_EQ(peer.Receive(5), "+OK\r\n");
    CHECK(peer.Receive(Bulk(value).size()) == Bulk(value));
    sender.join();
  }
}

TEST(Pressure, StoresALargeValueInSteps) {
  Served served(OnAnyPort(1), 64 * kMiB);
  constexpr size_t kBytes = 16 * kMiB, kStepBytesMax = 512 << 10;
  const std::string value = zerohop::testing::Filled("some bytes of it ", kBytes);
  const std::string end = std::to_string(kBytes).append("\r\n").append(value);
  for (const std::string& request :
       {"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$" + end, "*4\r\n$5\r\nSETEX\r\n$3\r\nkey\r\n$3\r\n100\r\n$" + end,
        "*3\r\n$5\r\nSETNX\r\n$3\r\nyek\r\n$" + end}) {
    Peer peer(served);
    REQUIRE(peer.Send(request));
    CHECK(Eventually([&] { return served.server->held_bytes.load() == request.size(); }));
    // All has arrived but the last two bytes.  What is left to be done takes many turns.
    const uint64_t before = Counts(*served.server).passes;
    REQUIRE(peer.Send("\r\n"));
    const std::string reply = peer.ReceiveReply();
    CHECK(reply == "+OK\r\n" || reply == ":1\r\n");
    CHECK(Counts(*served.server).passes - before >= kBytes / kStepBytesMax);
    CHECK(peer.Ask({"GET", request.substr(0, 60).find("yek") != std::string::npos ? "yek" : "key"}) == Bulk(value));
  }
}

TEST(Pressure, StoresLargeValuesOfManyClientsOneAfterTheOther) {
  Served served(OnAnyPort(1), 32 * kMiB);
  std::vector<std::thread> threads;
  std::atomic<int> stored{0};
  // Two of them do not fit beside each other.
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      Peer peer(served);
      const std::string value(12 * kMiB, static_cast<char>('a' + i));
      stored += peer.Ask({"SET", "key", value}) == "+OK\r\n";
      if (i % 2 == 0) {
        stored += peer.Ask({"SET", "key", value, "XX", "KEEPTTL"}).size() > 0;
      } else {
        // In one go.
        peer.Ask({"MULTI"});
        peer.Ask({"SET", "key", value});
        stored += peer.Ask({"EXEC"}) == "*1\r\n+OK\r\n";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(stored.load(), 12);
  const std::string last = Peer(served).Ask({"GET", "key"});
  CHECK_EQ(last.size(), Bulk(std::string(12 * kMiB, 'x')).size());
  CHECK(last.find_first_not_of(last[last.size() / 2], 20) == last.size() - 2);
}

TEST(Pressure, RefusesABulkAboveItsLimit) {
  Config config = OnAnyPort();
  config.proto_max_bulk_bytes = 1 << 20;
  Served served(config);
  Peer peer(served);
  REQUIRE(peer.Send("*2\r\n$3\r\nGET\r\n$1048577\r\n"));
  CHECK_EQ(peer.ReceiveAll(), "-ERR Protocol error: invalid bulk length\r\n");
}

TEST(Pressure, HoldsNoMemoryForWhatWasOnlyAnnounced) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  // Both ends are of this process.
  size_t count = 10000;
  if (limit.rlim_max != RLIM_INFINITY) count = std::min<size_t>(count, (limit.rlim_max - 128) / 2);
  const rlimit wanted{std::min<rlim_t>(limit.rlim_max, 2 * count + 128), limit.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &wanted);
  {
    Served served;
    std::vector<Peer> peers;
    peers.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      peers.emplace_back(served);
      REQUIRE(peers.back().connected());
      REQUIRE(peers.back().Send("*1000000\r\n$3\r\nSET\r\n"));
    }
    Peer busy(served);
    CHECK_EQ(busy.Ask({"PING"}), "+PONG\r\n");
    // Every thread accepts clients of its own: the answer to one says nothing of the others.
    CHECK(Eventually([&] { return served.server->client_count() == count + 1; }));
    CHECK(Eventually([&] { return Counts(*served.server).passes >= count; }));
    CHECK(HeldBytes(*served.server) < count * 64);
  }
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

TEST(Pressure, AnswersOthersDuringALongPipeline) {
  Served served(OnAnyPort(/*threads=*/1));
  Peer loud(served), quiet(served);
  std::string pipeline;
  for (int i = 0; i < 100000; ++i) pipeline += Request({"GET", "key" + std::to_string(i)});
  std::thread sender([&] { loud.Send(pipeline); });
  // Each answer means that the pipeline's turn was over: all of it never runs in one.
  CHECK_EQ(quiet.Ask({"PING"}), "+PONG\r\n");
  std::string wanted;
  for (int i = 0; i < 100000; ++i) wanted += "$-1\r\n";
  CHECK(loud.Receive(wanted.size()) == wanted);
  sender.join();
  const WorkerCounts counts = Counts(*served.server);
  CHECK(counts.wakeups > 100000 / 1024);
}

TEST(Pressure, WaitsForAReaderWithWhatItAskedFor) {
  Served served(OnAnyPort(1), 64 * kMiB);
  Peer slow(served), other(served);
  const std::string value(kMiB, 'v');
  CHECK_EQ(other.Ask({"SET", "key", value}), "+OK\r\n");
  std::string pipeline;
  for (int i = 0; i < 200; ++i) pipeline += Request({"GET", "key"});
  REQUIRE(slow.Send(pipeline));
  CHECK_EQ(other.Ask({"PING"}), "+PONG\r\n");
  // 200 MiB were asked for, and a few are held.
  CHECK(HeldBytes(*served.server) < 8 * kMiB);
  const std::string wanted = Bulk(value);
  for (int i = 0; i < 200; ++i) {
    REQUIRE(slow.Receive(wanted.size()) == wanted);
    if (i % 50 == 0) CHECK_EQ(other.Ask({"PING"}), "+PONG\r\n");
  }
  CHECK_EQ(slow.Ask({"PING"}), "+PONG\r\n");
}

TEST(Pressure, TakesRequestsInWhileTheirSenderDoesNotRead) {
  Served served(OnAnyPort(1), 64 * kMiB);
  Peer peer(served);
  CHECK_EQ(peer.Ask({"SET", "key", std::string(64 << 10, 'v')}), "+OK\r\n");
  // As many clients do: all is sent before the first reply is read.  8 MB of requests ask for 3 GB.
  std::string pipeline, one = Request({"GET", "key"});
  for (int i = 0; i < 50000; ++i) pipeline += "PING " + std::string(160, 'p') + "\r\n";
  REQUIRE(peer.Send(one + one + pipeline));
  for (int i = 0; i < 2; ++i) CHECK_EQ(peer.ReceiveReply().size(), size_t{65536 + 2 + 8});
  for (int i = 0; i < 50000; ++i) REQUIRE(peer.ReceiveReply().size() == 160 + 2 + 6);
}

TEST(Pressure, ClosesAClientAboveTheQueryLimit) {
  Config config = OnAnyPort();
  config.query_buffer_limit = kMiB;
  Served served(config);
  Peer peer(served);
  std::string text = "*2\r\n$4\r\nECHO\r\n$2097152\r\n" + std::string(2 * kMiB, 'x');
  peer.Send(text);
  CHECK_EQ(peer.ReceiveAll(), "");
  CHECK_EQ(Counts(*served.server).query_limit_disconnections, uint64_t{1});
}

TEST(Pressure, ClosesAClientAboveTheOutputLimit) {
  Config config = OnAnyPort();
  config.output_normal.hard_bytes = 4 * kMiB;
  Served served(config, 64 * kMiB);
  Peer peer(served);
  CHECK_EQ(peer.Ask({"SET", "key", std::string(16 * kMiB, 'v')}), "+OK\r\n");
  REQUIRE(peer.Send(Request({"GET", "key"})));
  CHECK(Eventually([&] { return Counts(*served.server).output_limit_disconnections == 1; }));
  CHECK(peer.ReceiveAll().size() < 16 * kMiB);
}

TEST(Pressure, RefusesClientsAboveTheirNumber) {
  Config config = OnAnyPort();
  config.maxclients = 2;
  Served served(config);
  Peer first(served), second(served);
  CHECK_EQ(first.Ask({"PING"}), "+PONG\r\n");
  CHECK_EQ(second.Ask({"PING"}), "+PONG\r\n");
  CHECK_EQ(Peer(served).ReceiveAll(), "-ERR max number of clients reached\r\n");
  second.Close();
  CHECK(Eventually([&] { return Peer(served).Ask({"PING"}) == "+PONG\r\n"; }));
}

TEST(Pressure, ClosesAnIdleClient) {
  Served served;
  Peer peer(served);
  CHECK_EQ(peer.Ask({"CONFIG", "SET", "timeout", "1"}), "+OK\r\n");
  CHECK_EQ(peer.ReceiveAll(), "");
  CHECK(Eventually([&] { return served.server->client_count() == 0; }));
}

TEST(Pressure, SurvivesClientsThatLeaveAtAnyMoment) {
  Served served(OnAnyPort(), 64 * kMiB);
  CHECK_EQ(Peer(served).Ask({"SET", "key", std::string(kMiB, 'v')}), "+OK\r\n");
  const std::string text = Request({"GET", "key"}) + Request({"SET", "other", "value"}) + Request({"GET", "key"});
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    Peer peer(served);
    REQUIRE(peer.Send(text.substr(0, cut)));
    if (cut % 2 == 0 && cut >= 30) peer.Receive(100);
    // A reset rather than an orderly end.
    const linger now{1, 0};
    if (cut % 3 == 0) ::setsockopt(peer.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  CHECK(Eventually([&] { return served.server->client_count() == 0; }));
  CHECK_EQ(HeldBytes(*served.server), size_t{0});
}

}  // namespace zerohop::resp
