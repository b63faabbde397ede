#include "resp/server.h"

#include <cstdio>
#include <string>

#include "resp/peer.h"

namespace zerohop::resp {
namespace {

using testing::Bulk;
using testing::OnAnyPort;
using testing::Peer;
using testing::Request;
using testing::Served;

// A path for a socket, of this process.
std::string SocketPath(const char* name) { return "/tmp/zerohop-" + std::to_string(::getpid()) + "-" + name + ".sock"; }

}  // namespace

TEST(Server, AnswersOverTcp) {
  Served served;
  Peer peer(served);
  CHECK_EQ(peer.Ask({"PING"}), "+PONG\r\n");
  CHECK_EQ(peer.Ask({"ECHO", "hello"}), Bulk("hello"));
  CHECK_EQ(peer.Ask({"GET", "key"}), "$-1\r\n");
  CHECK_EQ(peer.Ask({"SET", "key", "value"}), "+OK\r\n");
  CHECK_EQ(peer.Ask({"get", "key"}), Bulk("value"));
}

TEST(Server, AnswersOverAUnixSocket) {
  Config config = OnAnyPort();
  config.unix_path = SocketPath("answers");
  {
    Served served(config);
    Peer peer(config.unix_path);
    REQUIRE(peer.connected());
    CHECK_EQ(peer.Ask({"SET", "key", "value"}), "+OK\r\n");
    Peer other(served);
    CHECK_EQ(other.Ask({"GET", "key"}), Bulk("value"));
  }
  CHECK(::access(config.unix_path.c_str(), F_OK) != 0);
}

TEST(Server, SharesItsEntriesWithTheProcess) {
  Served served;
  zerohop::testing::Client here(*served.cache);
  const uint16_t space = 0;  // the cache itself is database 0
  Peer peer(served);
  CHECK_EQ(here.Set("key", "of this process", space), SetOutcome::kStored);
  CHECK_EQ(peer.Ask({"GET", "key"}), Bulk("of this process"));
  CHECK_EQ(peer.Ask({"SET", "key", "of a client"}), "+OK\r\n");
  CHECK_EQ(here.Get("key", space).value_or(""), "of a client");
}

TEST(Server, AnswersAPipelineInItsOrder) {
  Served served;
  Peer peer(served);
  std::string asked, wanted;
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "key" + std::to_string(i), value(static_cast<size_t>(i) * 7, 'v');
    asked += Request({"SET", key, value}) + Request({"GET", key}) + Request({"GET", "no " + key}) + "PING\r\n";
    wanted += "+OK\r\n" + Bulk(value) + "$-1\r\n+PONG\r\n";
  }
  REQUIRE(peer.Send(asked));
  CHECK(peer.Receive(wanted.size()) == wanted);
  CHECK(peer.Silent());
}

TEST(Server, TellsWhatItDoesNotKnow) {
  Served served;
  Peer peer(served);
  CHECK_EQ(peer.Ask({"NOPE", "a", "b"}), "-ERR unknown command 'NOPE', with args beginning with: 'a' 'b' \r\n");
  CHECK_EQ(peer.Ask({"GET"}), "-ERR wrong number of arguments for 'get' command\r\n");
  CHECK_EQ(peer.Ask({"PING", "still here"}), Bulk("still here"));
}

}  // namespace zerohop::resp
