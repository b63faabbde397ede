// What all clients together may hold, and what one turn of a client may take of a worker.
#include <memory>
#include <set>
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

// Of the heap, and what waits to be sent, wherever it lies.
struct Held {
  size_t own = 0, unsent = 0;
};
Held HeldBy(Server& server) {
  const ExclusiveLock exclusively(server.lock());
  Held held;
  server.EachClient([&](Client& client) {
    held.own += client.input.capacity() + client.pending.memory();
    held.unsent += client.pending.bytes();
  });
  return held;
}

WorkerCounts Counts(Server& server) {
  const ExclusiveLock exclusively(server.lock());
  return server.TotalCounts();
}

// The beginning of a request, with so many bytes of its last word, which is longer.
std::string Begun(size_t bytes) { return "*2\r\n$4\r\nECHO\r\n$100000000\r\n" + std::string(bytes, 'x'); }

}  // namespace

TEST(Bounds, DisconnectWhoHoldsMostOfTheClientsOfAllWorkers) {
  Config config = OnAnyPort(2);
  config.clients_bytes_max = 8 * kMiB;
  Served served(config);
  Peer most(served);
  REQUIRE(most.Send(Begun(5 * kMiB)));
  CHECK(Eventually([&] { return served.server->held_bytes.load() >= 5 * kMiB; }));
  // Whichever worker they belong to, and hers.
  std::vector<std::unique_ptr<Peer>> others;
  for (int i = 0; i < 8; ++i) {
    others.push_back(std::make_unique<Peer>(served));
    REQUIRE(others.back()->Send(Begun(kMiB / 2)));
  }
  CHECK_EQ(most.ReceiveAll(), "");
  CHECK(Eventually([&] { return served.server->held_bytes.load() >= 4 * kMiB; }));
  CHECK(served.server->held_bytes.load() < 5 * kMiB);
  CHECK_EQ(Counts(*served.server).output_limit_disconnections, 1u);
  CHECK_EQ(served.server->client_count(), 8u);
  others.clear();
  CHECK(Eventually([&] { return served.server->held_bytes.load() == 0; }));
}

TEST(Bounds, SpareClientsThatAskedForItAsLongAsThereAreOthers) {
  Config config = OnAnyPort(2);
  config.clients_bytes_max = 4 * kMiB;
  Served served(config);
  Peer spared(served), other(served);
  CHECK_EQ(spared.Ask({"CLIENT", "NO-EVICT", "ON"}), "+OK\r\n");
  REQUIRE(spared.Send(Begun(3 * kMiB)));
  CHECK(Eventually([&] { return served.server->held_bytes.load() >= 3 * kMiB; }));
  other.Send(Begun(2 * kMiB));
  CHECK_EQ(other.ReceiveAll(), "");
  spared.Send(std::string(2 * kMiB, 'x'));
  CHECK_EQ(spared.ReceiveAll(), "");
}

TEST(Bounds, CountWhatATransactionQueues) {
  Config config = OnAnyPort(1);
  config.clients_bytes_max = 4 * kMiB;
  Served served(config);
  Peer peer(served);
  CHECK_EQ(peer.Ask({"MULTI"}), "+OK\r\n");
  for (int i = 0; i < 3; ++i) CHECK_EQ(peer.Ask({"SET", "key", std::string(kMiB, 'v')}), "+QUEUED\r\n");
  CHECK(Eventually([&] { return served.server->held_bytes.load() >= 3 * kMiB; }));
  peer.Send(Request({"SET", "key", std::string(2 * kMiB, 'v')}));
  CHECK(peer.ReceiveAll().size() <= std::string("+QUEUED\r\n").size());
}

TEST(Bounds, KeepValuesThatNobodyReadsWhereTheyLieInTheCache) {
  Served served(OnAnyPort(1), 128 * kMiB);
  Peer writer(served), reader(served);
  const std::string value = zerohop::testing::Filled("what was there ", 32 * kMiB);
  CHECK_EQ(writer.Ask({"SET", "key", value}), "+OK\r\n");
  REQUIRE(reader.Send(Request({"GET", "key"}) + Request({"PING"})));
  CHECK(Eventually([&] { return HeldBy(*served.server).unsent >= 8 * kMiB; }));
  CHECK(HeldBy(*served.server).own < kMiB);
  // It stays what it was, whatever becomes of the key.
  CHECK_EQ(writer.Ask({"SET", "key", std::string(32 * kMiB, 'x')}), "+OK\r\n");
  CHECK_EQ(writer.Ask({"FLUSHALL"}), "+OK\r\n");
  CHECK(reader.Receive(Bulk(value).size()) == Bulk(value));
  CHECK_EQ(reader.ReceiveReply(), "+PONG\r\n");
}

TEST(Bounds, LeaveHalfOfTheCacheToOthersHoweverMuchIsNotRead) {
  Served served(OnAnyPort(1), 128 * kMiB);
  Peer writer(served);
  std::vector<std::unique_ptr<Peer>> readers;
  for (int i = 0; i < 12; ++i) {
    const std::string key = "key" + std::to_string(i);
    CHECK_EQ(writer.Ask({"SET", key, std::string(16 * kMiB, 'v')}), "+OK\r\n");
    readers.push_back(std::make_unique<Peer>(served));
    REQUIRE(readers.back()->Send(Request({"GET", key})));
    CHECK_EQ(writer.Ask({"PING"}), "+PONG\r\n");
    const CacheUsage usage = served.cache->Usage();
    CHECK(usage.exposed_segments <= served.cache->arena().usable_segments() / 2);
  }
  CHECK_EQ(writer.Ask({"SET", "other", std::string(16 * kMiB, 'o')}), "+OK\r\n");
  // What could not be pinned was copied.
  for (auto& reader : readers) CHECK_EQ(reader->Receive(16 * kMiB + 13).size(), 16 * kMiB + 13);
  readers.clear();
  CHECK(Eventually([&] { return served.cache->Usage().exposed_segments == 0; }));
}

TEST(Bounds, HoldAMessageOnceForAllThatListen) {
  Served served(OnAnyPort(2));
  std::vector<std::unique_ptr<Peer>> listeners;
  for (int i = 0; i < 20; ++i) {
    listeners.push_back(std::make_unique<Peer>(served));
    listeners.back()->Ask({"SUBSCRIBE", "channel"});
  }
  Peer speaker(served);
  const std::string message(kMiB, 'm');
  // More than sockets take.
  for (int i = 0; i < 16; ++i) CHECK_EQ(speaker.Ask({"PUBLISH", "channel", message}), ":20\r\n");
  CHECK(Eventually([&] { return HeldBy(*served.server).unsent > 40 * kMiB; }));
  CHECK(served.server->held_bytes.load() < 20 * kMiB);
  const std::string wanted = "*3\r\n" + Bulk("message") + Bulk("channel") + Bulk(message);
  for (auto& listener : listeners) {
    for (int i = 0; i < 16; ++i) REQUIRE(listener->Receive(wanted.size()) == wanted);
  }
  CHECK(Eventually([&] { return served.server->held_bytes.load() == 0; }));
}

TEST(Bounds, GiveATurnFewCommands) {
  Served served(OnAnyPort(1));
  Peer peer(served);
  std::string pipeline, wanted;
  for (int i = 0; i < 5120; ++i) pipeline += "PING\r\n", wanted += "+PONG\r\n";
  REQUIRE(peer.Send(pipeline));
  CHECK(peer.Receive(wanted.size()) == wanted);
  CHECK(Counts(*served.server).passes >= 10);
}

TEST(Bounds, FindAllKeysAFewInATurn) {
  Served served(OnAnyPort(1), 64 * kMiB);
  Peer peer(served);
  std::string sets, oks;
  for (int i = 0; i < 40000; ++i) sets += Request({"SET", "key" + std::to_string(i), "v"}), oks += "+OK\r\n";
  std::thread sender([&] { peer.Send(sets); });
  CHECK(peer.Receive(oks.size()) == oks);
  sender.join();
  const WorkerCounts before = Counts(*served.server);
  for (const bool in_transaction : {false, true}) {
    if (in_transaction) {
      CHECK_EQ(peer.Ask({"MULTI"}), "+OK\r\n");
      CHECK_EQ(peer.Ask({"KEYS", "key*"}), "+QUEUED\r\n");
      REQUIRE(peer.Send(Request({"EXEC"})));
      CHECK_EQ(peer.Receive(4), "*1\r\n");
    } else {
      REQUIRE(peer.Send(Request({"KEYS", "key*"}) + Request({"PING"})));
    }
    CHECK_EQ(peer.Receive(8), "*40000\r\n");
    std::set<std::string> keys;
    for (int i = 0; i < 40000; ++i) keys.insert(peer.ReceiveReply());
    CHECK_EQ(keys.size(), size_t{40000});
    if (in_transaction) continue;
    CHECK_EQ(peer.ReceiveReply(), "+PONG\r\n");
    const WorkerCounts after = Counts(*served.server);
    CHECK(after.passes >= before.passes + 8);
    // However many turns it took, it is one command.
    CHECK_EQ(after.commands, before.commands + 2);
  }
  CHECK(Eventually([&] { return served.server->held_bytes.load() == 0; }));
}

// A message to so many takes long: each is a turn of its own.
TEST(Bounds, EndATurnAfterAMessageToMany) {
  Served served(OnAnyPort(1));
  Peer listener(served), speaker(served);
  for (size_t at = 0; at < 5000; at += 50) {
    std::string request = "*51\r\n" + Bulk("PSUBSCRIBE");
    for (size_t i = at; i < at + 50; ++i)
      request += Bulk("c*" + std::string(i % 100, '*') + "h*" + std::string(i / 100, '*'));
    REQUIRE(listener.Send(request));
    for (size_t i = 0; i < 50; ++i) listener.ReceiveReply();
  }
  const uint64_t before = Counts(*served.server).passes;
  std::string pipeline;
  for (int i = 0; i < 8; ++i) pipeline += Request({"PUBLISH", "channel", "x"});
  REQUIRE(speaker.Send(pipeline));
  for (int i = 0; i < 8; ++i) CHECK_EQ(speaker.ReceiveReply(), ":5000\r\n");
  CHECK(Counts(*served.server).passes >= before + 8);
}

}  // namespace zerohop::resp
