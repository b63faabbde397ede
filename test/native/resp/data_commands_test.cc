// What Redis has no counterpart of: limits of the cache, other writers in the process, keys as they tell them.
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "resp/peer.h"

namespace zerohop::resp {
namespace {

using testing::Bulk;
using testing::Eventually;
using testing::kMiB;
using testing::OnAnyPort;
using testing::Peer;
using testing::Served;
using zerohop::testing::AsBytes;
using Here = zerohop::testing::Client;
using zerohop::testing::Filled;

constexpr const char* kOom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

}  // namespace

TEST(DataCommands, RefuseKeysThatTheCacheCannotHold) {
  Served served;
  Peer peer(served);
  const std::string longest(65535, 'k'), longer(65536, 'k');
  const std::string wrong = "-ERR key is longer than 65535 bytes, which is the most a key can have\r\n";
  CHECK_EQ(peer.Ask({"SET", longest, "v"}), "+OK\r\n");
  CHECK_EQ(peer.Ask({"GET", longest}), Bulk("v"));
  CHECK_EQ(peer.Ask({"SET", longer, "v"}), wrong);
  CHECK_EQ(peer.Ask({"SET", longer, "v", "NX"}), wrong);
  CHECK_EQ(peer.Ask({"INCR", longer}), wrong);
  CHECK_EQ(peer.Ask({"APPEND", longer, "v"}), wrong);
  CHECK_EQ(peer.Ask({"MSET", "a", "1", longer, "v"}), wrong);
  CHECK_EQ(peer.Ask({"RENAME", longest, longer}), wrong);
  CHECK_EQ(peer.Ask({"COPY", longest, longer}), wrong);
  CHECK_EQ(peer.Ask({"ZH.GETLEASE", longer, "1000"}), wrong);
  CHECK_EQ(peer.Ask({"MGET", longer, longest}), "*2\r\n$-1\r\n" + Bulk("v"));
  CHECK_EQ(peer.Ask({"EXISTS", longer, "a"}), ":0\r\n");
  CHECK_EQ(peer.Ask({"DEL", longer, longest}), ":1\r\n");
  CHECK_EQ(peer.Ask({"EXPIRE", longer, "10"}), ":0\r\n");
}

TEST(DataCommands, RefuseValuesThatTheCacheCannotHold) {
  Served served;
  Peer peer(served);
  const std::string wrong = "-ERR value is larger than the cache can hold, which is about half of its maxBytes\r\n";
  CHECK_EQ(peer.Ask({"SET", "key", "v"}), "+OK\r\n");
  CHECK_EQ(peer.Ask({"SET", "key", Filled("v", 5 * kMiB)}), wrong);
  CHECK_EQ(peer.Ask({"SETRANGE", "key", "500000000", "v"}), wrong);
  CHECK_EQ(peer.Ask({"APPEND", "key", Filled("v", 5 * kMiB)}), wrong);
  CHECK_EQ(peer.Ask({"SETRANGE", "key", "536870912", "v"}),
           "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
  CHECK_EQ(peer.Ask({"GET", "key"}), Bulk("v"));
}

// Everything is held by views, so nothing can be evicted.
TEST(DataCommands, SayOutOfMemoryWhereTheCacheRefuses) {
  Served served(OnAnyPort(1), kMiB);
  Peer peer(served);
  Here here(*served.cache);
  std::vector<zerohop::testing::View> views;
  CHECK_EQ(peer.Ask({"SET", "number", "1"}), "+OK\r\n");
  std::string reply = "+OK\r\n";
  for (int i = 0; i < 2000 && reply == "+OK\r\n"; ++i) {
    const std::string key = "key" + std::to_string(i);
    reply = peer.Ask({"SET", key, Filled("v", 4000)});
    if (auto view = here.ExposeUnlimited(key)) views.push_back(std::move(*view));
  }
  CHECK_EQ(reply, kOom);
  const std::string before = peer.Ask({"GET", "key0"});
  CHECK_EQ(peer.Ask({"APPEND", "key0", Filled("v", 4000)}), kOom);
  // As in Redis, a store that fails leaves the old value, whichever command it is.
  const std::string value = Filled("w", 4000);
  CHECK_EQ(peer.Ask({"SET", "key0", value}), kOom);
  CHECK_EQ(peer.Ask({"SET", "key0", value, "EX", "100", "XX"}), kOom);
  CHECK_EQ(peer.Ask({"SETEX", "key0", "100", value}), kOom);
  CHECK_EQ(peer.Ask({"GETSET", "key0", value}), kOom);
  CHECK_EQ(peer.Ask({"MSET", "key0", value}), kOom);
  CHECK_EQ(peer.Ask({"ZH.SET", "key0", value, "TAGS", "1", "tag"}), kOom);
  CHECK_EQ(peer.Ask({"COPY", "key1", "key0", "REPLACE"}), kOom);
  CHECK_EQ(peer.Ask({"RENAME", "key1", "key0"}), kOom);
  CHECK(peer.Ask({"GET", "key0"}) == before);
  CHECK_EQ(peer.Ask({"EXISTS", "key1"}), ":1\r\n");
  // The server lives on, and stores again once the views are gone.
  CHECK_EQ(peer.Ask({"DEL", "number"}), ":1\r\n");
  views.clear();
  CHECK_EQ(peer.Ask({"SET", "key0", value}), "+OK\r\n");
  CHECK(peer.Ask({"GET", "key0"}) == Bulk(value));
}

// The socket takes a part of it; the rest is copied, and goes when the client reads.
TEST(DataCommands, LargeValuesGoOutWholeToAClientThatReadsLate) {
  Served served(OnAnyPort(1), 64 * kMiB);
  Peer peer(served), other(served);
  for (const size_t bytes : {size_t{100000}, 4 * kMiB, 12 * kMiB}) {
    std::string value = Filled("0123456789abcde", bytes);  // shifted by any number of bytes, it is another
    CHECK_EQ(peer.Ask({"SET", "key", value}), "+OK\r\n");
    REQUIRE(peer.Send(testing::Request({"GET", "key"}) + testing::Request({"MGET", "key", "key"}) +
                      testing::Request({"ECHO", "after"})));
    CHECK_EQ(other.Ask({"SET", "key", "another"}), "+OK\r\n");
    std::string wanted = Bulk(value);
    const std::string first = peer.ReceiveReply(), both = peer.ReceiveReply();
    CHECK(first == wanted || first == Bulk("another"));
    CHECK(both == "*2\r\n" + wanted + wanted || both == "*2\r\n" + Bulk("another") + Bulk("another"));
    CHECK_EQ(peer.ReceiveReply(), Bulk("after"));
  }
}

TEST(DataCommands, CountExactlyWhateverElseWritesInTheProcess) {
  Served served(OnAnyPort(2));
  constexpr int kClients = 4, kEach = 500, kHere = 500;
  std::vector<std::thread> threads;
  for (int c = 0; c < kClients; ++c) {
    threads.emplace_back([&] {
      Peer peer(served);
      for (int i = 0; i < kEach; ++i) {
        CHECK_EQ(peer.Ask({"INCR", "count"})[0], ':');
        peer.Ask({"MSET", "one", std::to_string(i), "two", std::to_string(i)});
        const std::string both = peer.Ask({"MGET", "one", "two"});
        const size_t half = (both.size() - 4) / 2;
        CHECK_EQ(both.substr(4, half), both.substr(4 + half));
      }
    });
  }
  threads.emplace_back([&] {
    Here here(*served.cache);
    for (int i = 0; i < kHere;) {
      const Expected expected = served.cache->Mark(0, AsBytes("count"));
      const std::string next = std::to_string(std::stoi(here.Get("count").value_or("0")) + 1);
      i += here.Set("count", next, 0, {.expected = &expected}) == SetOutcome::kStored;
    }
  });
  for (std::thread& thread : threads) thread.join();
  Peer peer(served);
  CHECK_EQ(peer.Ask({"GET", "count"}), Bulk(std::to_string(kClients * kEach + kHere)));
}

TEST(DataCommands, TellTheProcessKeysAsTextWhereTheyAreText) {
  Served served;
  Peer peer(served);
  CHECK_EQ(peer.Ask({"SET", "text", "v"}), "+OK\r\n");
  CHECK_EQ(peer.Ask({"INCR", "\xff\xfe"}), ":1\r\n");
  Here here(*served.cache);
  CHECK(!here.Describe("text")->key_is_bytes);
  CHECK(here.Describe("\xff\xfe")->key_is_bytes);
}

TEST(DataCommands, ScanTellsEveryKeyOnceHoweverManyThereAre) {
  Served served;
  Peer peer(served);
  for (int i = 0; i < 1000; ++i) peer.Ask({"SET", "key" + std::to_string(i), "v"});
  std::string cursor = "0";
  int seen = 0, calls = 0;
  do {
    const std::string reply = peer.Ask({"SCAN", cursor, "COUNT", "10"});
    const size_t from = reply.find("\r\n", 4) + 2, end = reply.find("\r\n", from);
    cursor = reply.substr(from, end - from);
    seen += std::stoi(reply.substr(end + 3));
    if (++calls == 20) {
      for (int i = 0; i < 2000; ++i) peer.Ask({"SET", "zzz" + std::to_string(i), "v"});
      for (int i = 0; i < 2000; ++i) peer.Ask({"DEL", "zzz" + std::to_string(i)});
    }
  } while (cursor != "0");
  CHECK_EQ(seen, 1000);
  CHECK(calls > 60);
}

TEST(DataCommands, RandomKeyIsAnyKeyOfTheDatabase) {
  Served served;
  Peer peer(served);
  CHECK_EQ(peer.Ask({"RANDOMKEY"}), "$-1\r\n");
  peer.Ask({"MSET", "a", "1", "b", "2"});
  int a = 0;
  for (int i = 0; i < 200; ++i) a += peer.Ask({"RANDOMKEY"}) == Bulk("a");
  CHECK(a > 0 && a < 200);
}

TEST(DataCommands, IdleTimeCountsFromWhatWasStoredOrTouchedLast) {
  Served served;
  Peer peer(served);
  using std::chrono::steady_clock;
  const auto idle_seconds = [&] { return std::stoll(peer.Ask({"OBJECT", "IDLETIME", "key"}).substr(1)); };
  // No more than what passed since `then`, told in whole seconds.
  const auto at_most_since = [](steady_clock::time_point then) {
    return std::chrono::duration_cast<std::chrono::seconds>(steady_clock::now() - then).count() + 1;
  };
  auto then = steady_clock::now();
  peer.Ask({"SET", "key", "v"});
  CHECK(idle_seconds() <= at_most_since(then));
  // GET does not count.
  CHECK(Eventually([&] { return peer.Ask({"GET", "key"}) == Bulk("v") && idle_seconds() >= 2; }));
  then = steady_clock::now();
  CHECK_EQ(peer.Ask({"TOUCH", "key", "no such key"}), ":1\r\n");
  CHECK(idle_seconds() <= at_most_since(then));
}

TEST(DataCommands, WhatIsPastItsEndGoesAlsoIfNobodyAsksForIt) {
  // The system chooses the worker that serves the client: the one that looks for such entries may sleep meanwhile.
  for (int round = 0; round < 6; ++round) {
    Served served(OnAnyPort(2));
    Peer peer(served);
    for (int i = 0; i < 300; ++i) CHECK_EQ(peer.Ask({"SET", "key" + std::to_string(i), "v", "PX", "1"}), "+OK\r\n");
    CHECK_EQ(peer.Ask({"SET", "stays", "v"}), "+OK\r\n");
    REQUIRE(Eventually([&] { return peer.Ask({"DBSIZE"}) == ":1\r\n"; }));
  }
}

TEST(DataCommands, GetsInOneLineFindTheirKeysWhateverFollows) {
  Served served;
  Peer peer(served);
  REQUIRE(peer.Send("SET k1 xyzk\r\nGET k1\r\nPING\r\nGET k1\r\nGET k2\r\n"));
  const std::string wanted = "+OK\r\n" + Bulk("xyzk") + "+PONG\r\n" + Bulk("xyzk") + "$-1\r\n";
  CHECK_EQ(peer.Receive(wanted.size()), wanted);
}

TEST(DataCommands, AnEndIsToldBackToTheMillisecond) {
  Served served;
  Peer peer(served);
  for (const char* end : {"4000000000123", "5000000000001", "17999999999999999"}) {
    CHECK_EQ(peer.Ask({"SET", "key", "v", "PXAT", end}), "+OK\r\n");
    CHECK_EQ(peer.Ask({"PEXPIRETIME", "key"}), std::string(":") + end + "\r\n");
  }
}

}  // namespace zerohop::resp
