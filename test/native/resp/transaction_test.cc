// MULTI, EXEC and WATCH over real sockets.
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
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
constexpr const char* kQueued = "+QUEUED\r\n";
constexpr const char* kAborted = "*-1\r\n";

}  // namespace

TEST(Transaction, RunsWhatWasQueuedAndTellsEachAnswer) {
  Served served;
  Peer peer(served);
  CHECK_EQ(peer.Ask({"MULTI"}), kOk);
  CHECK_EQ(peer.Ask({"SET", "a", "1"}), kQueued);
  CHECK_EQ(peer.Ask({"INCR", "a"}), kQueued);
  CHECK_EQ(peer.Ask({"GET", "a"}), kQueued);
  CHECK_EQ(peer.Ask({"EXEC"}), std::string("*3\r\n") + kOk + std::string(":2\r\n") + Bulk("2"));
  CHECK_EQ(peer.Ask({"EXEC"}), "-ERR EXEC without MULTI\r\n");
  CHECK_EQ(peer.Ask({"DISCARD"}), "-ERR DISCARD without MULTI\r\n");
}

TEST(Transaction, ForgetsWhatWasQueuedWithDiscard) {
  Served served;
  Peer peer(served);
  peer.Ask({"MULTI"});
  CHECK_EQ(peer.Ask({"MULTI"}), "-ERR MULTI calls can not be nested\r\n");
  CHECK_EQ(peer.Ask({"WATCH", "a"}), "-ERR WATCH inside MULTI is not allowed\r\n");
  peer.Ask({"SET", "a", "1"});
  CHECK_EQ(peer.Ask({"DISCARD"}), kOk);
  CHECK_EQ(peer.Ask({"GET", "a"}), "$-1\r\n");
}

TEST(Transaction, RunsAsManyCommandsAsWereQueuedWhateverTheirWords) {
  Served served;
  Peer peer(served);
  std::string text = Request({"MULTI"}), wanted = kOk, answers;
  constexpr int kCommands = 20000;
  for (int i = 0; i < kCommands; ++i) {
    const std::string value(static_cast<size_t>(i % 50), 'v');
    text += i % 3 == 0 ? Request({"PING"}) : Request({"ECHO", value});
    wanted += kQueued;
    answers += i % 3 == 0 ? "+PONG\r\n" : Bulk(value);
  }
  text += Request({"EXEC"});
  wanted += "*" + std::to_string(kCommands) + "\r\n" + answers;
  std::thread sender([&] { peer.Send(text); });
  CHECK(peer.Receive(wanted.size()) == wanted);
  sender.join();
  CHECK(peer.Ask({"CLIENT", "LIST"}).find(" multi=-1 ") != std::string::npos);
}

TEST(Transaction, RunsNothingAfterACommandThatCouldNotBeQueued) {
  Served served;
  Peer peer(served);
  peer.Ask({"MULTI"});
  peer.Ask({"SET", "a", "1"});
  CHECK_EQ(peer.Ask({"NOPE"}), "-ERR unknown command 'NOPE', with args beginning with: \r\n");
  CHECK_EQ(peer.Ask({"EXEC"}), "-EXECABORT Transaction discarded because of previous errors.\r\n");
  CHECK_EQ(peer.Ask({"EXISTS", "a"}), ":0\r\n");
  peer.Ask({"MULTI"});
  CHECK_EQ(peer.Ask({"EXEC", "x"}),
           "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n");
}

TEST(Transaction, GoesOnAfterACommandThatFails) {
  Served served;
  Peer peer(served);
  peer.Ask({"SET", "a", "x"});
  peer.Ask({"MULTI"});
  peer.Ask({"INCR", "a"});
  peer.Ask({"SET", "b", "1"});
  CHECK_EQ(peer.Ask({"EXEC"}), std::string("*2\r\n-ERR value is not an integer or out of range\r\n") + kOk);
  const std::string info = peer.Ask({"INFO", "commandstats"});
  CHECK(info.find("cmdstat_incr:calls=1") != std::string::npos);
  CHECK(info.find("failed_calls=1") == info.rfind("failed_calls=1"));  // INCR's, and not EXEC's too
}

TEST(Transaction, IsGivenUpWhenAWatchedKeyWasChangedByAnyone) {
  Served served;
  zerohop::testing::Client here(*served.cache);
  Peer peer(served), other(served);
  const auto exec_after = [&](auto change) {
    peer.Ask({"WATCH", "a", "b"});
    change();
    peer.Ask({"MULTI"});
    peer.Ask({"PING"});
    return peer.Ask({"EXEC"});
  };
  const std::string done = "*1\r\n+PONG\r\n";
  CHECK_EQ(exec_after([] {}), done);
  CHECK_EQ(exec_after([&] { other.Ask({"SET", "a", "1"}); }), kAborted);
  CHECK_EQ(exec_after([&] { other.Ask({"SET", "c", "1"}); }), done);
  CHECK_EQ(exec_after([&] { other.Ask({"EXPIRE", "a", "100"}); }), kAborted);
  CHECK_EQ(exec_after([&] { other.Ask({"DEL", "a"}); }), kAborted);
  CHECK_EQ(exec_after([&] { here.Set("b", "1", 0); }), kAborted);
  CHECK_EQ(exec_after([&] { peer.Ask({"SET", "b", "2"}); }), kAborted);
  CHECK_EQ(exec_after([&] {
             other.Ask({"SET", "a", "1"});
             peer.Ask({"UNWATCH"});
           }),
           done);
}

TEST(Transaction, IsGivenUpWhenADatabaseWasClearedOnlyIfTheKeyWasThere) {
  Served served;
  Peer peer(served), other(served);
  peer.Ask({"WATCH", "absent"});
  other.Ask({"FLUSHALL"});
  peer.Ask({"MULTI"});
  CHECK_EQ(peer.Ask({"EXEC"}), "*0\r\n");
  peer.Ask({"SET", "there", "1"});
  peer.Ask({"WATCH", "there"});
  other.Ask({"FLUSHDB"});
  peer.Ask({"MULTI"});
  CHECK_EQ(peer.Ask({"EXEC"}), kAborted);
}

TEST(Transaction, IsGivenUpWhenAWatchedKeyReachedItsEnd) {
  Served served;
  Peer peer(served);
  // Until the key is watched before its end, however slow its client is.
  for (int ms = 20;; ms *= 2) {
    peer.Ask({"SET", "a", "1", "PX", std::to_string(ms)});
    peer.Ask({"WATCH", "a"});
    const bool in_time = peer.Ask({"GET", "a"}) == Bulk("1");
    std::this_thread::sleep_for(std::chrono::milliseconds(ms + 10));
    if (in_time) break;
    peer.Ask({"UNWATCH"});
  }
  peer.Ask({"MULTI"});
  CHECK_EQ(peer.Ask({"EXEC"}), kAborted);
  // It was past its end when it was watched: nothing changes when it is dropped.
  peer.Ask({"WATCH", "a"});
  peer.Ask({"GET", "a"});
  peer.Ask({"MULTI"});
  CHECK_EQ(peer.Ask({"EXEC"}), "*0\r\n");
}

// Two clients and a thread of the process add to one number in their own ways: no addition is lost.
TEST(Transaction, RunsWhereAWatchedKeyWasPastItsEndBefore) {
  Served served;
  Peer peer(served), other(served);
  peer.Ask({"SET", "a", "1", "PX", "1"});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK_EQ(peer.Ask({"WATCH", "a"}), kOk);
  CHECK_EQ(other.Ask({"DEL", "a"}), ":0\r\n");
  peer.Ask({"MULTI"});
  peer.Ask({"GET", "a"});
  CHECK_EQ(peer.Ask({"EXEC"}), "*1\r\n$-1\r\n");
}

TEST(Transaction, LetsNoOtherWriterInBetween) {
  Served served(OnAnyPort(2));
  constexpr int kEach = 200;
  Peer(served).Ask({"SET", "n", "0"});
  const auto add = [&] {
    Peer peer(served);
    for (int i = 0; i < kEach; ++i) {
      for (;;) {
        peer.Ask({"WATCH", "n"});
        const std::string old = peer.Ask({"GET", "n"});
        const size_t line = old.find("\r\n") + 2;
        const int value = std::atoi(old.substr(line).c_str());
        peer.Ask({"MULTI"});
        peer.Ask({"SET", "n", std::to_string(value + 1)});
        if (peer.Ask({"EXEC"}) != kAborted) break;
      }
    }
  };
  std::thread a(add), b(add);
  std::thread c([&] {
    Peer peer(served);
    for (int i = 0; i < kEach; ++i) peer.Ask({"INCR", "n"});
  });
  a.join();
  b.join();
  c.join();
  CHECK_EQ(Peer(served).Ask({"GET", "n"}), Bulk(std::to_string(3 * kEach)));
}

TEST(Transaction, MayNotRunWhatItsUserMayNoLonger) {
  Served served;
  Peer admin(served), peer(served);
  admin.Ask({"ACL", "SETUSER", "bob", "on", "nopass", "+@all", "~*", "&*"});
  CHECK_EQ(peer.Ask({"AUTH", "bob", "x"}), kOk);
  peer.Ask({"MULTI"});
  peer.Ask({"SET", "a", "1"});
  admin.Ask({"ACL", "SETUSER", "bob", "-set"});
  CHECK_EQ(
      peer.Ask({"EXEC"}),
      "*1\r\n-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This "
      "command is no longer allowed for the following reason: no permission to execute the command or "
      "subcommand\r\n");
}

}  // namespace zerohop::resp
