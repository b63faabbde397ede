// ZH.*: rows side by side, leases, tags and costs.
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "resp/leases.h"
#include "resp/peer.h"

namespace zerohop::resp {
namespace {

using testing::Bulk;
using testing::OnAnyPort;
using testing::Peer;
using testing::Request;
using testing::Served;

// The reply of ZH.GETLEASE.
std::string Told(std::string_view state, std::string_view value, std::string_view token) {
  const auto part = [](std::string_view text) { return text == "nil" ? std::string("$-1\r\n") : Bulk(text); };
  return "*3\r\n" + Bulk(state) + part(value) + part(token);
}

// Takes the lease of the key, which nobody has; gives the token.
std::string Taken(Peer& peer, std::string_view key, std::string_view ttl = "60000") {
  const std::string reply = peer.Ask({"ZH.GETLEASE", key, ttl});
  const std::string begin = "*3\r\n" + Bulk("LEASE") + "$-1\r\n$";
  REQUIRE(reply.substr(0, begin.size()) == begin);
  const size_t from = reply.find("\r\n", begin.size()) + 2;
  return reply.substr(from, reply.size() - 2 - from);
}

// It was given so many seconds; on a busy machine some are over.
bool HasSecondsLeft(Peer& peer, std::string_view key, long long given) {
  const long long left = std::stoll(peer.Ask({"TTL", key}).substr(1));
  return left > 0 && left <= given;
}

}  // namespace

TEST(ZerohopCommands, GatherPutsRowsSideBySideAndTellsWhichAreMissing) {
  Served served;
  Peer peer(served);
  CHECK_EQ(peer.Ask({"MSET", "a", "1111", "b", "2222", "c", std::string("\0\0\0\1", 4)}), "+OK\r\n");
  CHECK_EQ(peer.Ask({"ZH.GATHER", "a", "x", "b", "c", "y", "a"}), "*2\r\n" +
                                                                      Bulk(std::string("1111\0\0\0\0"
                                                                                       "2222\0\0\0\1\0\0\0\0"
                                                                                       "1111",
                                                                                       24)) +
                                                                      "*2\r\n:1\r\n:4\r\n");
  CHECK_EQ(peer.Ask({"ZH.GATHER", "x", "y"}), "*2\r\n" + Bulk("") + "*2\r\n:0\r\n:1\r\n");
  CHECK_EQ(peer.Ask({"SET", "long", "55555"}), "+OK\r\n");
  CHECK_EQ(peer.Ask({"ZH.GATHER", "a", "long"}),
           "-ERR rows of different lengths: key 1 has 5 bytes, and key 0 has 4\r\n");
}

TEST(ZerohopCommands, GatherTakesMoreKeysThanAreLookedUpAtOnce) {
  Served served;
  Peer peer(served);
  std::string asked = "*1002\r\n" + Bulk("ZH.GATHER"), rows;
  for (int i = 0; i < 1001; ++i) {
    const std::string key = "key" + std::to_string(i), value = std::to_string(10000 + i);
    CHECK_EQ(peer.Ask({"SET", key, value}), "+OK\r\n");
    asked += Bulk(key);
    rows += value;
  }
  REQUIRE(peer.Send(asked));
  CHECK(peer.ReceiveReply() == "*2\r\n" + Bulk(rows) + "*0\r\n");
}

TEST(ZerohopCommands, SetTakesTagsAndACostAndPurgeDeletesByTag) {
  Served served;
  Peer peer(served);
  CHECK_EQ(peer.Ask({"ZH.SET", "a", "1", "TAGS", "2", "x", "y", "COST", "12.5", "EX", "100"}), "+OK\r\n");
  CHECK_EQ(peer.Ask({"ZH.SET", "b", "2", "tags", "1", "y", "NX", "GET"}), "$-1\r\n");
  CHECK_EQ(peer.Ask({"ZH.SET", "c", "3"}), "+OK\r\n");
  CHECK(HasSecondsLeft(peer, "a", 100));
  zerohop::testing::Client here(*served.cache);
  CHECK_EQ(here.Describe("a")->cost, 12.5f);
  CHECK_EQ(peer.Ask({"INCR", "a"}), ":2\r\n");          // and keeps what the entry has
  CHECK_EQ(peer.Ask({"RENAME", "a", "d"}), "+OK\r\n");  // which goes with it
  CHECK_EQ(here.Describe("d")->cost, 12.5f);
  CHECK_EQ(peer.Ask({"ZH.PURGE", "x"}), ":1\r\n");
  CHECK_EQ(peer.Ask({"MGET", "d", "b", "c"}), "*3\r\n$-1\r\n" + Bulk("2") + Bulk("3"));
  CHECK_EQ(peer.Ask({"ZH.PURGE", "y"}), ":1\r\n");
  CHECK_EQ(peer.Ask({"ZH.PURGE", "y"}), ":0\r\n");
}

TEST(ZerohopCommands, PurgeDeletesTheResultsOfAModelAndNothingElse) {
  Served served;
  const auto store = [&](const std::string& keyspace, const std::string& scope = "") {
    const uint16_t space = zerohop::testing::OpenedSpace(*served.cache, keyspace, scope);
    zerohop::testing::Client here(*served.cache);
    CHECK(here.Set("key", "value", space) == SetOutcome::kStored);
    return space;
  };
  const uint16_t first = store("model [\"m\",\"1\",null] 0123456789abcdef");
  const uint16_t scoped = store("[\"model [\\\"m\\\",\\\"2\\\",\\\"s\\\"] 0123456789abcdef\",\"s\"]", "s");
  const uint16_t odd = store("model [\"\\\"\\n\\u000b\",\"1\",null] 0123456789abcdef");
  const uint16_t longer = store("model [\"m2\",\"1\",null] 0123456789abcdef");
  const auto left = [&] {
    std::string entries;
    for (const uint16_t space : {first, scoped, odd, longer}) entries += std::to_string(served.cache->EntriesOf(space));
    return entries;
  };
  Peer peer(served);
  CHECK_EQ(peer.Ask({"ZH.PURGE", "MODEL", "m", "3"}), ":0\r\n");
  CHECK_EQ(peer.Ask({"ZH.PURGE", "MODEL", "m", "2"}), ":1\r\n");
  CHECK_EQ(left(), "1011");
  CHECK_EQ(peer.Ask({"ZH.PURGE", "model", "m"}), ":1\r\n");
  CHECK_EQ(left(), "0011");
  CHECK_EQ(peer.Ask({"ZH.PURGE", "MODEL", "\"\n\v"}), ":1\r\n");
  CHECK_EQ(left(), "0001");
  CHECK_EQ(peer.Ask({"ZH.PURGE", "MODEL"}), ":0\r\n");  // a tag
  CHECK_EQ(peer.Ask({"ZH.PURGE", "a", "b"}), "-ERR syntax error\r\n");
  CHECK_EQ(peer.Ask({"ZH.PURGE", "MODEL", "m", "1", "x"}), "-ERR syntax error\r\n");
  CHECK_EQ(peer.Ask({"MULTI"}), "+OK\r\n");
  CHECK_EQ(peer.Ask({"ZH.PURGE", "MODEL", "m2"}), "+QUEUED\r\n");
  CHECK_EQ(peer.Ask({"EXEC"}), "*1\r\n:1\r\n");
  CHECK_EQ(left(), "0000");
}

TEST(ZerohopCommands, SetSaysWhatIsWrong) {
  Served served;
  Peer peer(served);
  CHECK_EQ(peer.Ask({"ZH.SET", "a", "1", "TAGS", "17"}), "-ERR TAGS: expected a number of tags from 0 to 16\r\n");
  CHECK_EQ(peer.Ask({"ZH.SET", "a", "1", "TAGS", "2", "x"}), "-ERR syntax error\r\n");
  for (const char* cost : {"-1", "nan", "inf", "x"}) {
    CHECK_EQ(peer.Ask({"ZH.SET", "a", "1", "COST", cost}),
             "-ERR COST: expected a number of milliseconds that is not negative\r\n");
  }
  CHECK_EQ(peer.Ask({"ZH.SET", "a", "1", "nope"}), "-ERR syntax error\r\n");
  CHECK_EQ(peer.Ask({"SET", "a", "1", "COST", "1"}), "-ERR syntax error\r\n");
  CHECK_EQ(peer.Ask({"EXISTS", "a"}), ":0\r\n");
}

TEST(ZerohopCommands, StatsAreJson) {
  Served served;
  Peer peer(served);
  peer.Ask({"SET", "a", "1"});
  const std::string stats = peer.Ask({"ZH.STATS"});
  CHECK(stats.find("{\"entries\":1,") != std::string::npos);
  CHECK(stats.find("\"evicting\":false}") != std::string::npos);
  CHECK(stats.find("\"refusedBy\":{\"pinned\":0,") != std::string::npos);
}

TEST(ZerohopCommands, StatsTellTheDatabasesInUseApart) {
  Served served;
  Peer peer(served);
  peer.Ask({"SET", "a", "1"});
  peer.Ask({"SELECT", "3"});
  peer.Ask({"SET", "b", "1"});
  peer.Ask({"GET", "b"});
  peer.Ask({"GET", "c"});
  const std::string stats = peer.Ask({"ZH.STATS"});
  CHECK(stats.find("\"databases\":[{\"database\":0,\"entries\":1,\"hits\":0,\"misses\":0,\"sets\":1,") !=
        std::string::npos);
  CHECK(stats.find("{\"database\":3,\"entries\":1,\"hits\":1,\"misses\":1,\"sets\":1,\"evictedEntries\":0,"
                   "\"keyspace\":\"db3\"}]") != std::string::npos);
}

TEST(ZerohopCommands, StatsTellWhatWhoRunsTheServerAdds) {
  Served served;
  Peer peer(served);
  served.server->SetSections("\"models\":[1],\"other\":{}");
  CHECK(peer.Ask({"ZH.STATS"}).find("],\"models\":[1],\"other\":{},\"evicting\":false}") != std::string::npos);
  served.server->SetSections("");
  CHECK(peer.Ask({"ZH.STATS"}).find("],\"evicting\":false}") != std::string::npos);
}

// A server that is told of no databases.
Config EveryKeyspace() {
  Config config = OnAnyPort();
  config.databases.clear();
  return config;
}

TEST(EveryKeyspace, IsTheDatabaseOfItsNumberAlsoIfItIsOpenedLater) {
  Served served(EveryKeyspace());
  Peer peer(served);
  CHECK_EQ(peer.Ask({"SELECT", "1"}), "-ERR DB index is out of range\r\n");
  for (int i = 1; i <= 300; ++i) {
    auto space = served.cache->OpenSpace("space " + std::to_string(i), "", "bytes");
    REQUIRE(space.ok());
    CHECK_EQ(static_cast<int>(space.value()), i);
  }
  // Beyond what a byte counts to, too.
  CHECK_EQ(peer.Ask({"SELECT", "300"}), "+OK\r\n");
  CHECK_EQ(peer.Ask({"SET", "key", "value"}), "+OK\r\n");
  CHECK_EQ(served.cache->EntriesOf(300), size_t{1});
  CHECK_EQ(peer.Ask({"SELECT", "44"}), "+OK\r\n");
  CHECK_EQ(peer.Ask({"GET", "key"}), "$-1\r\n");
  CHECK_EQ(peer.Ask({"SELECT", "301"}), "-ERR DB index is out of range\r\n");
  CHECK_EQ(peer.Ask({"COPY", "key", "key", "DB", "301"}), "-ERR DB index is out of range\r\n");
  CHECK(peer.Ask({"CONFIG", "GET", "databases"}).find("1024") != std::string::npos);
}

TEST(EveryKeyspace, IsToldByItsNameAndClearedWithAllOthers) {
  Served served(EveryKeyspace());
  Peer peer(served);
  REQUIRE(served.cache->OpenSpace("[\"a\\b\"]\n", "scope", "json").ok());
  peer.Ask({"SET", "a", "1"});
  peer.Ask({"SELECT", "1"});
  peer.Ask({"SET", "b", "1"});
  const std::string stats = peer.Ask({"ZH.STATS"});
  CHECK(stats.find("\"keyspace\":\"\"}") != std::string::npos);
  CHECK(stats.find("\"keyspace\":\"[\\\"a\\\\b\\\"]\\u000a\"}") != std::string::npos);
  Peer other(served);
  CHECK_EQ(other.Ask({"FLUSHALL"}), "+OK\r\n");
  CHECK_EQ(peer.Ask({"DBSIZE"}), ":0\r\n");
  CHECK_EQ(served.cache->EntriesOf(0), size_t{0});
}

TEST(EveryKeyspace, HasLeasesOfItsOwn) {
  Served served(EveryKeyspace());
  for (int i = 1; i <= 257; ++i) REQUIRE(served.cache->OpenSpace("space " + std::to_string(i), "", "bytes").ok());
  Peer one(served), other(served);
  one.Ask({"SELECT", "1"});
  const std::string token = Taken(one, "key");
  other.Ask({"SELECT", "257"});
  Taken(other, "key");
  other.Ask({"FLUSHDB"});
  CHECK_EQ(one.Ask({"ZH.SETLEASE", "key", token, "value"}), "+OK\r\n");
}

TEST(EveryKeyspace, TellsThoseThatTrackIt) {
  Served served(EveryKeyspace());
  auto space = served.cache->OpenSpace("space", "", "bytes");
  REQUIRE(space.ok());
  Peer peer(served);
  peer.Ask({"HELLO", "3"});
  peer.Ask({"SELECT", "1"});
  peer.Ask({"SET", "key", "value"});
  CHECK_EQ(peer.Ask({"CLIENT", "TRACKING", "ON"}), "+OK\r\n");
  peer.Ask({"GET", "key"});
  Peer writer(served);
  writer.Ask({"SELECT", "1"});
  writer.Ask({"SET", "key", "other"});
  CHECK(peer.ReceiveReply().find("invalidate") != std::string::npos);
}

TEST(ZerohopCommands, ExplainTellsWhatIsKnownOfAKey) {
  Served served;
  Peer peer(served);
  peer.Ask({"ZH.SET", "a", "value", "PX", "100000", "COST", "2.5"});
  const std::string kept = peer.Ask({"ZH.EXPLAIN", "a"});
  CHECK(kept.find("{\"entry\":{\"size\":5,\"ageMs\":") != std::string::npos);
  CHECK(kept.find("\"ttlMs\":9") != std::string::npos);
  CHECK(kept.find("\"cost\":2.5,\"frequency\":1,") != std::string::npos);
  CHECK(peer.Ask({"ZH.EXPLAIN", "b"}).find("{\"entry\":null,\"lastEviction\":null,\"evicting\":false}") !=
        std::string::npos);
  peer.Ask({"SET", "b", "1"});
  CHECK(peer.Ask({"ZH.EXPLAIN", "b"}).find("\"ttlMs\":null") != std::string::npos);
}

TEST(Leases, OneComputesAndTheOthersGetWhatItStores) {
  Served served;
  Peer one(served);
  const std::string token = Taken(one, "key");
  std::vector<std::unique_ptr<Peer>> others;
  for (int i = 0; i < 5; ++i) {
    others.push_back(std::make_unique<Peer>(served));
    REQUIRE(others.back()->Send(Request({"ZH.GETLEASE", "key", "60000"}) + Request({"ECHO", "after"})));
  }
  CHECK_EQ(one.Ask({"PING"}), "+PONG\r\n");
  for (const auto& other : others) CHECK(other->Silent());
  CHECK_EQ(one.Ask({"ZH.SETLEASE", "key", token, "value", "TAGS", "1", "tag", "EX", "100"}), "+OK\r\n");
  for (const auto& other : others) {
    CHECK_EQ(other->ReceiveReply(), Told("HIT", "value", "nil"));
    CHECK_EQ(other->ReceiveReply(), Bulk("after"));
  }
  CHECK(HasSecondsLeft(one, "key", 100));
  CHECK_EQ(one.Ask({"ZH.PURGE", "tag"}), ":1\r\n");
}

TEST(Leases, PassToTheNextWhenTheHolderIsLost) {
  Served served;
  auto one = std::make_unique<Peer>(served);
  const std::string lost = Taken(*one, "key");
  Peer two(served);
  REQUIRE(two.Send(Request({"ZH.GETLEASE", "key", "60000"})));
  Peer three(served);
  CHECK_EQ(three.Ask({"ZH.GETLEASE", "key", "60000", "WAIT", "0"}), Told("WAIT", "nil", "nil"));
  one.reset();
  const std::string reply = two.ReceiveReply();
  CHECK(reply.find("LEASE") != std::string::npos);
  CHECK_EQ(three.Ask({"ZH.SETLEASE", "key", lost, "too late"}), "$-1\r\n");
  CHECK_EQ(three.Ask({"GET", "key"}), "$-1\r\n");
}

TEST(Leases, PassToTheNextWhenTheirTimeIsOver) {
  Served served;
  Peer one(served), two(served);
  const std::string late = Taken(one, "key", "30");
  const std::string next = Taken(two, "key");  // waits for the first
  CHECK(next != late);
  CHECK_EQ(one.Ask({"ZH.SETLEASE", "key", late, "too late"}), "$-1\r\n");
  CHECK_EQ(two.Ask({"ZH.SETLEASE", "key", next, "in time"}), "+OK\r\n");
  CHECK_EQ(one.Ask({"GET", "key"}), Bulk("in time"));
}

TEST(Leases, AreVoidOnceTheKeyIsDeleted) {
  Served served;
  Peer one(served), two(served);
  const std::vector<std::vector<std::string>> deletions = {
      {"DEL", "key"}, {"UNLINK", "key"}, {"FLUSHDB", "ASYNC"}, {"FLUSHALL", "SYNC"}, {"ZH.PURGE", "tag"}};
  for (const auto& words : deletions) {
    const std::string token = Taken(one, "key");
    two.Ask({words[0], words[1]});
    CHECK_EQ(one.Ask({"ZH.SETLEASE", "key", token, "from what was deleted"}), "$-1\r\n");
    CHECK_EQ(one.Ask({"GET", "key"}), "$-1\r\n");
  }
}

TEST(Leases, GiveStaleValuesToAllButTheOneWhoComputes) {
  Served served;
  Peer one(served), two(served);
  CHECK_EQ(one.Ask({"SET", "key", "old", "EX", "100"}), "+OK\r\n");
  CHECK_EQ(one.Ask({"ZH.GETLEASE", "key", "60000"}), Told("HIT", "old", "nil"));
  CHECK_EQ(one.Ask({"ZH.GETLEASE", "key", "60000", "STALE", "50000"}), Told("HIT", "old", "nil"));
  const std::string reply = one.Ask({"ZH.GETLEASE", "key", "60000", "STALE", "200000"});
  const std::string begin = "*3\r\n" + Bulk("STALE") + Bulk("old") + "$";
  CHECK_EQ(reply.substr(0, begin.size()), begin);
  CHECK_EQ(two.Ask({"ZH.GETLEASE", "key", "60000", "STALE", "200000"}), Told("STALE", "old", "nil"));
}

TEST(Leases, AreNotWaitedForByTheirOwnHolder) {
  Served served;
  Peer peer(served);
  Taken(peer, "key");
  CHECK_EQ(peer.Ask({"ZH.GETLEASE", "key", "60000"}), Told("WAIT", "nil", "nil"));
}

TEST(Leases, OfManyClientsAtOnceComputeEachValueOnce) {
  Served served(OnAnyPort(2));
  std::vector<std::thread> threads;
  std::atomic<int> computed{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      Peer peer(served);
      for (int i = 0; i < 40; ++i) {
        const std::string key = "key" + std::to_string(i);
        const std::string reply = peer.Ask({"ZH.GETLEASE", key, "60000"});
        if (reply.find("LEASE") == std::string::npos) {
          CHECK_EQ(reply, Told("HIT", "of " + key, "nil"));
          continue;
        }
        ++computed;
        const size_t end = reply.rfind("\r\n"), from = reply.rfind("\r\n", end - 1) + 2;
        CHECK_EQ(peer.Ask({"ZH.SETLEASE", key, reply.substr(from, end - from), "of " + key}), "+OK\r\n");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(computed.load(), 40);
}

// The client that a peer is to the server.  REQUIRES: the server's lock, exclusively.
Client& ClientOf(Served& served, uint64_t id) {
  Client* found = nullptr;
  served.server->EachClient([&](Client& client) {
    if (client.id == id) found = &client;
  });
  REQUIRE(found != nullptr);
  return *found;
}

TEST(Leases, OfOtherKeysComeAndGoWhileAValueIsStored) {
  Served served;
  Peer peer(served);
  const std::string id = peer.Ask({"CLIENT", "ID"});
  const ExclusiveLock exclusively(served.server->lock());
  Client& client = ClientOf(served, std::stoull(id.substr(1)));
  Leases& leases = Leases::Of(*served.server);
  const uint64_t token = leases.Take(client, "key", 1).token;
  bool stored = false;
  CHECK(leases.Finish(0, "key", token, [&] {
    const uint64_t other = leases.Take(client, "other", 60'000'000).token;
    CHECK(other != 0);
    CHECK(leases.Finish(0, "other", other, [] {}));
    // Nobody gets the key's own, though its time is over; nor may it be stored twice.
    CHECK_EQ(leases.Take(client, "key", 1).token, uint64_t{0});
    CHECK(!leases.Finish(0, "key", token, [] {}));
    leases.GiveBack(0, "key", token);
    CHECK_EQ(leases.count(), size_t{1});
    stored = true;
  }));
  CHECK(stored);
  CHECK_EQ(leases.count(), size_t{0});
  CHECK(!leases.Finish(0, "key", token, [] {}));
}

TEST(Leases, MakeWhoDeletesTheKeyWaitForTheStoreUnderWay) {
  Served served;
  Peer peer(served);
  const std::string id = peer.Ask({"CLIENT", "ID"});
  const ExclusiveLock exclusively(served.server->lock());
  Client& client = ClientOf(served, std::stoull(id.substr(1)));
  Leases& leases = Leases::Of(*served.server);
  for (const bool all : {false, true}) {
    const uint64_t token = leases.Take(client, "key", 60'000'000).token;
    std::atomic<bool> stored{false}, begun{false};
    std::thread deleter;
    CHECK(leases.Finish(0, "key", token, [&] {
      deleter = std::thread([&] {
        begun = true;
        all ? leases.VoidAll(0) : leases.Void(0, "key");
        CHECK(stored.load());
      });
      while (!begun) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      stored = true;
    }));
    deleter.join();
    CHECK_EQ(leases.count(), size_t{0});
  }
}

TEST(Leases, OfAServerThatStopsAreForgotten) {
  Served served;
  Peer one(served), two(served);
  Taken(one, "key");
  REQUIRE(two.Send(Request({"ZH.GETLEASE", "key", "60000"})));
  CHECK_EQ(one.Ask({"PING"}), "+PONG\r\n");
  served.server->Stop();
  // The other thread may end first, and with it the lease.
  const std::string last = two.ReceiveAll();
  CHECK(last.empty() || last.starts_with("*3\r\n$5\r\nLEASE\r\n"));
}

}  // namespace zerohop::resp
