// GETs and SETs that are run together: each is answered, and seen by others, as if it had run alone.
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

constexpr const char* kOk = "+OK\r\n";

std::string Times(size_t count, const std::string& text) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

// Sends all at once, and checks what is answered.
void CheckAnswers(Peer& peer, const std::string& requests, const std::string& expected) {
  REQUIRE(peer.Send(requests));
  CHECK_EQ(peer.Receive(expected.size()), expected);
  CHECK(peer.Silent());
}

std::string Pushed(std::string_view key) {
  return std::string(">2\r\n").append(Bulk("invalidate")).append("*1\r\n").append(Bulk(key));
}

}  // namespace

TEST(Together, AnswersAMixtureInItsOrder) {
  Served served;
  Peer peer(served);
  check::Random random(check::Seed());
  std::vector<std::string> values(20);
  for (int round = 0; round < 200; ++round) {
    std::string requests, expected;
    bool set = true;
    for (uint64_t i = 0, count = 1 + random.Below(100); i < count; ++i) {
      if (random.OneIn(6)) set = !set;
      const uint64_t at = random.Below(values.size());
      const std::string key = "key " + std::to_string(at);
      if (random.OneIn(40)) {
        requests += Request({"STRLEN", key});
        expected += ":" + std::to_string(values[at].size()) + "\r\n";
      } else if (set) {
        values[at] = std::string(1 + random.Below(random.OneIn(20) ? 12000 : 100), static_cast<char>('a' + i % 26));
        requests += Request({random.OneIn(2) ? "SET" : "set", key, values[at]});
        expected += kOk;
      } else {
        requests += Request({"GET", key});
        expected += values[at].empty() ? "$-1\r\n" : Bulk(values[at]);
      }
    }
    CheckAnswers(peer, requests, expected);
  }
}

TEST(Together, SetsAreSeenByTheProcessWithTheirKeysAsTextWhereTheyAreText) {
  Served served;
  Peer peer(served);
  CheckAnswers(peer, Request({"SET", "text", "1"}) + Request({"SET", "\xff\xfe", "2"}), Times(2, kOk));
  zerohop::testing::Client here(*served.cache);
  const uint16_t space = served.cache->FindSpace("resp:0").value_or(0);
  CHECK(here.Get("text", space) == "1");
  size_t as_bytes = 0, all = 0;
  for (size_t shard = 0; shard < Index::kShards; ++shard) {
    for (const ScannedKey& key : served.cache->Scan(here.session(), shard, space)) {
      ++all;
      as_bytes += key.is_bytes;
    }
  }
  CHECK_EQ(all, size_t{2});
  CHECK_EQ(as_bytes, size_t{1});
}

TEST(Together, SetsTakeOffTheEndOfWhatTheyReplace) {
  Served served;
  Peer peer(served);
  CheckAnswers(peer,
               Request({"SET", "a", "1", "EX", "100"}) + Request({"SET", "a", "2"}) + Request({"SET", "b", "2"}) +
                   Request({"TTL", "a"}),
               Times(3, kOk) + ":-1\r\n");
}

TEST(Together, SetsCountAsMany) {
  Served served;
  Peer peer(served);
  CheckAnswers(peer, Times(70, Request({"SET", "key", "value"})), Times(70, kOk));
  const std::string stats = peer.Ask({"INFO", "commandstats"});
  CHECK(stats.find("cmdstat_set:calls=70,") != std::string::npos);
  CHECK(peer.Ask({"CLIENT", "INFO"}).find(" cmd=client|info ") != std::string::npos);
}

// The client that gets the invalidations of another one hears of each of its own changes before its next reply.
TEST(Together, WhatASetPushesComesBehindItsReply) {
  Served served(OnAnyPort(1));
  Peer writer(served), reader(served);
  writer.Ask({"HELLO", "3"});
  const std::string id = writer.Ask({"CLIENT", "ID"});
  reader.Ask({"CLIENT", "TRACKING", "ON", "REDIRECT", id.substr(1, id.size() - 3)});
  for (const char* const key : {"a", "b", "c"}) reader.Ask({"GET", key});
  std::string requests, expected;
  for (const char* const key : {"a", "none", "b", "c"}) {
    requests += Request({"SET", key, "1"});
    expected += kOk;
    if (key != std::string_view("none")) expected += Pushed(key);
  }
  CheckAnswers(writer, requests, expected);
}

TEST(Together, ATransactionTakesWhatStandsBetweenItsEnds) {
  Served served;
  Peer peer(served), other(served);
  const std::string sets = Request({"SET", "a", "1"}) + Request({"SET", "b", "1"});
  CheckAnswers(peer, sets + Request({"MULTI"}) + sets + Request({"EXEC"}) + sets,
               Times(3, kOk) + Times(2, "+QUEUED\r\n") + "*2\r\n" + Times(4, kOk));
  CHECK_EQ(peer.Ask({"WATCH", "a"}), kOk);
  CheckAnswers(other, sets, Times(2, kOk));
  CheckAnswers(peer, Request({"MULTI"}) + sets + Request({"EXEC"}),
               std::string(kOk) + Times(2, "+QUEUED\r\n") + "*-1\r\n");
}

TEST(Together, ReplyOffAndDatabasesHoldForEachSet) {
  Served served;
  Peer peer(served);
  const auto set = [](const char* value) { return Request({"SET", "a", value}) + Request({"SET", "b", value}); };
  CheckAnswers(peer,
               set("0") + Request({"SELECT", "1"}) + set("1") + Request({"CLIENT", "REPLY", "SKIP"}) + set("2") +
                   Request({"CLIENT", "REPLY", "OFF"}) + set("3") + Request({"CLIENT", "REPLY", "ON"}) +
                   Request({"MGET", "a", "b"}) + Request({"SELECT", "0"}) + Request({"MGET", "a", "b"}),
               Times(2 + 1 + 2 + 1 + 1, kOk) + "*2\r\n" + Times(2, Bulk("3")) + kOk + "*2\r\n" + Times(2, Bulk("0")));
}

TEST(Together, SetsBehindASelectAreOfTheOtherDatabase) {
  Served served;
  Peer peer(served);
  const std::string sets = Request({"SET", "a", "1"}) + Request({"SET", "b", "1"});
  const std::string gets = Request({"MGET", "a", "b"});
  // The first time the database is opened, later it is there already.
  CheckAnswers(peer, Request({"SELECT", "1"}) + sets + gets, Times(3, kOk) + "*2\r\n" + Times(2, Bulk("1")));
  CheckAnswers(peer, Request({"SELECT", "0"}) + sets + gets, Times(3, kOk) + "*2\r\n" + Times(2, Bulk("1")));
  CheckAnswers(peer, Request({"SELECT", "1"}) + Request({"DEL", "a", "b"}) + sets + gets,
               std::string(kOk) + ":2\r\n" + Times(2, kOk) + "*2\r\n" + Times(2, Bulk("1")));
  CheckAnswers(peer, Request({"RESET"}) + Request({"DEL", "a", "b"}) + sets + gets,
               std::string("+RESET\r\n:2\r\n") + Times(2, kOk) + "*2\r\n" + Times(2, Bulk("1")));
}

TEST(Together, WhoMayNotSetIsToldSoEachTime) {
  Served served;
  Peer peer(served);
  CHECK_EQ(peer.Ask({"ACL", "SETUSER", "weak", "on", "nopass", "~a", "+set"}), kOk);
  CHECK_EQ(peer.Ask({"AUTH", "weak", "x"}), kOk);
  const std::string denied = "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n";
  CheckAnswers(peer, Request({"SET", "a", "1"}) + Request({"SET", "b", "1"}) + Request({"SET", "a", "1"}),
               kOk + denied + kOk);
}

TEST(Together, APauseHoldsSetsBackAndLetsGetsThrough) {
  Served served;
  Peer peer(served), other(served);
  CHECK_EQ(other.Ask({"CLIENT", "PAUSE", "60000", "WRITE"}), kOk);
  const std::string gets = Times(3, Request({"GET", "a"}));
  REQUIRE(peer.Send(gets + Times(3, Request({"SET", "a", "1"}))));
  CHECK_EQ(peer.Receive(15), Times(3, "$-1\r\n"));
  CHECK_EQ(other.Ask({"GET", "a"}), "$-1\r\n");
  CHECK_EQ(other.Ask({"CLIENT", "UNPAUSE"}), kOk);
  CHECK_EQ(peer.Receive(15), Times(3, kOk));
}

}  // namespace zerohop::resp
