// CLIENT TRACKING over real sockets: whoever changes a key, each client that keeps its value hears of it.
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "resp/peer.h"

namespace zerohop::resp {
namespace {

using testing::Bulk;
using testing::Eventually;
using testing::OnAnyPort;
using testing::Peer;
using testing::Request;
using testing::Served;

constexpr const char* kOk = "+OK\r\n";

std::string Pushed(std::initializer_list<std::string_view> keys) {
  std::string text(">2\r\n");
  text.append(Bulk("invalidate")).append("*").append(std::to_string(keys.size())).append("\r\n");
  for (const std::string_view key : keys) text += Bulk(key);
  return text;
}
const std::string kAllPushed = std::string(">2\r\n") + Bulk("invalidate") + "_\r\n";

// A client of RESP3 that tracks.
Peer Tracking(const Served& served, std::initializer_list<std::string_view> options = {}) {
  Peer peer(served);
  peer.Ask({"HELLO", "3"});
  std::vector<std::string_view> words = {"CLIENT", "TRACKING", "ON"};
  words.insert(words.end(), options);
  std::string request("*");
  request.append(std::to_string(words.size())).append("\r\n");
  for (const std::string_view word : words) request += Bulk(word);
  REQUIRE(peer.Send(request));
  CHECK_EQ(peer.ReceiveReply(), kOk);
  return peer;
}

std::string IdOf(Peer& peer) {
  const std::string reply = peer.Ask({"CLIENT", "ID"});
  return reply.substr(1, reply.size() - 3);
}

}  // namespace

TEST(Tracking, TellsAKeyOnceAfterItWasReadAndChanged) {
  Served served;
  Peer reader = Tracking(served), writer(served);
  reader.Ask({"GET", "a"});
  CHECK_EQ(writer.Ask({"SET", "a", "1"}), kOk);
  CHECK_EQ(reader.ReceiveReply(), Pushed({"a"}));
  writer.Ask({"SET", "a", "2"});
  writer.Ask({"SET", "b", "2"});
  CHECK_EQ(reader.Ask({"PING"}), "+PONG\r\n");
  CHECK(reader.Silent());
}

TEST(Tracking, TellsOfDeletionsAndOfAnotherEnd) {
  Served served;
  Peer reader = Tracking(served), writer(served);
  writer.Ask({"MSET", "a", "1", "b", "1"});
  reader.Ask({"MGET", "a", "b"});
  writer.Ask({"DEL", "a"});
  CHECK_EQ(reader.ReceiveReply(), Pushed({"a"}));
  writer.Ask({"EXPIRE", "b", "100"});
  CHECK_EQ(reader.ReceiveReply(), Pushed({"b"}));
}

TEST(Tracking, TellsOfAnEnd) {
  Served served;
  Peer writer(served);
  // Until a reader comes before the end, however slow it is.
  for (int ms = 5;; ms *= 2) {
    REQUIRE(ms < testing::kPatienceMs);
    Peer reader = Tracking(served);
    writer.Ask({"SET", "key", "1", "PX", std::to_string(ms)});
    if (reader.Ask({"GET", "key"}) != Bulk("1")) continue;
    CHECK(Eventually([&] { return writer.Ask({"GET", "key"}) == "$-1\r\n"; }));
    CHECK_EQ(reader.ReceiveReply(), Pushed({"key"}));
    return;
  }
}

TEST(Tracking, TellsOfWhatCodeOfThisProcessWrites) {
  Served served;
  zerohop::testing::Client here(*served.cache);
  Peer reader = Tracking(served);
  reader.Ask({"GET", "key"});
  CHECK_EQ(here.Set("key", "value", 0), SetOutcome::kStored);
  CHECK_EQ(reader.ReceiveReply(), Pushed({"key"}));
  CHECK_EQ(reader.Ask({"GET", "key"}), Bulk("value"));
  served.cache->Clear();
  CHECK_EQ(reader.ReceiveReply(), kAllPushed);
}

TEST(Tracking, TellsClientsOfEachServerOfACache) {
  Served served;
  auto started = Server::Start(served.cache, OnAnyPort());
  REQUIRE(started.ok());
  Peer second(started.value()->port()), first = Tracking(served), writer(served);
  second.Ask({"HELLO", "3"});
  CHECK_EQ(second.Ask({"CLIENT", "TRACKING", "ON"}), kOk);
  first.Ask({"GET", "a"});
  second.Ask({"GET", "a"});
  writer.Ask({"SET", "a", "1"});
  CHECK_EQ(first.ReceiveReply(), Pushed({"a"}));
  CHECK_EQ(second.ReceiveReply(), Pushed({"a"}));
  second.Close();
  started.value().reset();
  first.Ask({"GET", "a"});
  writer.Ask({"SET", "a", "2"});
  CHECK_EQ(first.ReceiveReply(), Pushed({"a"}));
}

TEST(Tracking, TellsOfEveryEntryThatIsEvicted) {
  Served served(OnAnyPort(), 4 * testing::kMiB);
  Peer reader = Tracking(served), writer(served);
  const std::string value(100 * 1024, 'v');
  for (int i = 0; i < 20; ++i) writer.Ask({"SET", std::string("old") + std::to_string(i), value});
  for (int i = 0; i < 20; ++i) reader.Ask({"GET", std::string("old") + std::to_string(i)});
  for (int i = 0; i < 200; ++i) writer.Ask({"SET", std::string("new") + std::to_string(i), value});
  int gone = 0;
  for (int i = 0; i < 20; ++i) gone += writer.Ask({"EXISTS", std::string("old") + std::to_string(i)}) == ":0\r\n";
  REQUIRE(gone > 0);
  for (int i = 0; i < gone; ++i) CHECK_EQ(reader.ReceiveReply().substr(0, 2), ">2");
  CHECK_EQ(reader.Ask({"PING"}), "+PONG\r\n");
}

TEST(Tracking, TellsOfOnesOwnWritesAfterTheReplyAndNotWithNoLoop) {
  Served served;
  Peer own = Tracking(served);
  own.Ask({"GET", "a"});
  REQUIRE(own.Send(Request({"SET", "a", "1"}) + Request({"PING"})));
  const std::string wanted = kOk + Pushed({"a"}) + "+PONG\r\n";
  CHECK_EQ(own.Receive(wanted.size()), wanted);
  Peer quiet = Tracking(served, {"NOLOOP"});
  quiet.Ask({"GET", "a"});
  REQUIRE(quiet.Send(Request({"SET", "a", "1"}) + Request({"PING"})));
  const std::string silent = std::string(kOk) + "+PONG\r\n";
  CHECK_EQ(quiet.Receive(silent.size()), silent);
  Peer other(served);
  quiet.Ask({"GET", "a"});
  other.Ask({"SET", "a", "2"});
  CHECK_EQ(quiet.ReceiveReply(), Pushed({"a"}));
}

TEST(Tracking, TellsNothingWithinTheReplyOfATransaction) {
  Served served;
  Peer own = Tracking(served);
  own.Ask({"MGET", "a", "b"});
  own.Ask({"MULTI"});
  own.Ask({"SET", "a", "1"});
  own.Ask({"INCR", "b"});
  REQUIRE(own.Send(Request({"EXEC"})));
  const std::string wanted = std::string("*2\r\n") + std::string(kOk) + ":1\r\n" + Pushed({"a"}) + Pushed({"b"});
  CHECK_EQ(own.Receive(wanted.size()), wanted);
}

TEST(Tracking, BroadcastsWhatBeginsWithAPrefixTogether) {
  Served served(OnAnyPort(1));
  Peer reader = Tracking(served, {"BCAST", "PREFIX", "user:", "PREFIX", "x"});
  Peer writer(served);
  writer.Ask({"MULTI"});
  writer.Ask({"SET", "user:2", "1"});
  writer.Ask({"SET", "user:1", "1"});
  writer.Ask({"SET", "other", "1"});
  writer.Ask({"EXEC"});
  CHECK_EQ(reader.ReceiveReply(), Pushed({"user:1", "user:2"}));
  CHECK_EQ(reader.Ask({"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "user:1"}),
           "-ERR Prefix 'user:1' overlaps with an existing prefix 'user:'. Prefixes for a single client must not "
           "overlap.\r\n");
}

TEST(Tracking, NotesWithOptInAndOptOutWhatCachingSays) {
  Served served;
  Peer in = Tracking(served, {"OPTIN"}), out = Tracking(served, {"OPTOUT"}), writer(served);
  in.Ask({"GET", "a"});
  in.Ask({"CLIENT", "CACHING", "YES"});
  in.Ask({"GET", "b"});
  in.Ask({"GET", "c"});
  out.Ask({"GET", "a"});
  out.Ask({"CLIENT", "CACHING", "NO"});
  out.Ask({"GET", "b"});
  writer.Ask({"MSET", "a", "1", "b", "1", "c", "1"});
  CHECK_EQ(in.ReceiveReply(), Pushed({"b"}));
  CHECK_EQ(out.ReceiveReply(), Pushed({"a"}));
  CHECK_EQ(in.Ask({"PING"}) + out.Ask({"PING"}), "+PONG\r\n+PONG\r\n");
}

TEST(Tracking, RedirectsToAClientThatSubscribedAndSaysWhenItIsGone) {
  Served served;
  Peer ear(served), old(served), writer(served);
  const std::string id = IdOf(ear);
  ear.Ask({"SUBSCRIBE", "__redis__:invalidate"});
  CHECK_EQ(old.Ask({"CLIENT", "TRACKING", "ON", "REDIRECT", id}), kOk);
  CHECK_EQ(old.Ask({"CLIENT", "GETREDIR"}), std::string(":") + id + "\r\n");
  old.Ask({"GET", "a"});
  writer.Ask({"SET", "a", "1"});
  CHECK_EQ(ear.ReceiveReply(),
           std::string("*3\r\n") + Bulk("message") + Bulk("__redis__:invalidate") + std::string("*1\r\n") + Bulk("a"));
  writer.Ask({"FLUSHALL"});
  CHECK_EQ(ear.ReceiveReply(), std::string("*3\r\n") + Bulk("message") + Bulk("__redis__:invalidate") + "$-1\r\n");
  old.Ask({"HELLO", "3"});
  old.Ask({"GET", "a"});
  ear.Ask({"QUIT"});
  ear.ReceiveAll();
  while (writer.Ask({"CLIENT", "LIST", "ID", id}) != Bulk("")) {
  }
  writer.Ask({"SET", "a", "2"});
  CHECK_EQ(old.ReceiveReply(), std::string(">2\r\n") + Bulk("tracking-redir-broken") + std::string(":") + id + "\r\n");
}

TEST(Tracking, ForgetsKeysBeyondTheTablesLimitAndTellsThem) {
  Served served;
  Peer reader = Tracking(served), admin(served);
  for (int i = 0; i < 10; ++i) reader.Ask({"GET", std::string("key") + std::to_string(i)});
  CHECK_EQ(admin.Ask({"CONFIG", "SET", "tracking-table-max-keys", "3"}), kOk);
  for (int i = 0; i < 7; ++i) CHECK_EQ(reader.ReceiveReply().substr(0, 2), ">2");
  const std::string info = admin.Ask({"INFO", "stats"});
  CHECK(info.find("tracking_total_keys:3\r\n") != std::string::npos);
}

TEST(Tracking, TellsAllKeysOnceWhenAllDatabasesAreCleared) {
  Served served;
  Peer own = Tracking(served);
  own.Ask({"SELECT", "1"});
  own.Ask({"SET", "a", "1"});
  own.Ask({"SELECT", "0"});
  own.Ask({"SET", "a", "1"});
  REQUIRE(own.Send(Request({"FLUSHALL"}) + Request({"PING"})));
  const std::string wanted = kOk + kAllPushed + "+PONG\r\n";
  CHECK_EQ(own.Receive(wanted.size()), wanted);
}

// Clients on all workers read and write a few keys; each keeps what it read until it is told.
TEST(Tracking, LeavesNoStaleValueBehindOnceAllIsQuiet) {
  Served served(OnAnyPort(2));
  constexpr int kReaders = 4, kRounds = 300;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    Peer peer(served);
    for (int i = 0; !done.load(); ++i) peer.Ask({"SET", std::string("k") + std::to_string(i % 3), std::to_string(i)});
  });
  std::vector<std::thread> readers;
  std::atomic<int> stale{0};
  std::vector<Peer> peers;
  std::vector<std::map<std::string, std::string>> kept(kReaders);
  for (int i = 0; i < kReaders; ++i) peers.push_back(Tracking(served));
  const auto take = [](Peer& peer, std::map<std::string, std::string>& values, const std::string& key) {
    // Pushes may come before the reply.
    peer.Send(Request({"GET", key}));
    for (;;) {
      const std::string reply = peer.ReceiveReply();
      if (reply[0] != '>') {
        values[key] = reply;
        return;
      }
      for (auto each = values.begin(); each != values.end();) {
        each = reply.find(Bulk(each->first)) != std::string::npos ? values.erase(each) : std::next(each);
      }
    }
  };
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&, i] {
      const auto reader = static_cast<size_t>(i);
      for (int round = 0; round < kRounds; ++round)
        take(peers[reader], kept[reader], std::string("k") + std::to_string(round % 3));
    });
  }
  for (std::thread& each : readers) each.join();
  done = true;
  writer.join();
  Peer judge(served);
  for (size_t i = 0; i < kReaders; ++i) {
    // What is still on its way comes before this reply.
    take(peers[i], kept[i], "barrier");
    kept[i].erase("barrier");
    for (const auto& [key, value] : kept[i]) stale += judge.Ask({"GET", key}) != value;
  }
  CHECK_EQ(stale.load(), 0);
}

}  // namespace zerohop::resp
