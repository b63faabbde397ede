// Users, clients, settings and figures over real sockets.
#include <chrono>
#include <string>
#include <thread>

#include "resp/peer.h"

namespace zerohop::resp {
namespace {

using testing::Bulk;
using testing::OnAnyPort;
using testing::Peer;
using testing::Request;
using testing::Served;

constexpr const char* kOk = "+OK\r\n";
constexpr const char* kWrongPassword = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

bool Contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Config WithPassword() {
  Config config = OnAnyPort();
  config.requirepass = "pw";
  return config;
}

}  // namespace

TEST(Admin, LetsNobodyInWithoutThePassword) {
  Served served(WithPassword());
  Peer peer(served);
  CHECK_EQ(peer.Ask({"GET", "a"}), "-NOAUTH Authentication required.\r\n");
  CHECK_EQ(peer.Ask({"AUTH", "no"}), kWrongPassword);
  CHECK_EQ(peer.Ask({"AUTH", "default", "pw"}), kOk);
  CHECK_EQ(peer.Ask({"GET", "a"}), "$-1\r\n");
  CHECK_EQ(peer.Ask({"RESET"}), "+RESET\r\n");
  CHECK_EQ(peer.Ask({"GET", "a"}), "-NOAUTH Authentication required.\r\n");
  CHECK(Contains(peer.Ask({"HELLO", "3"}), "-NOAUTH HELLO must be called with the client already authenticated"));
  CHECK_EQ(peer.Ask({"HELLO", "3", "AUTH", "default", "pw", "SETNAME", "me"}).substr(0, 4), "%7\r\n");
  CHECK_EQ(peer.Ask({"CLIENT", "GETNAME"}), Bulk("me"));
}

// As many failures as one likes: the client stays, each is in the log, and none of the passwords.
TEST(Admin, LogsEveryFailedLoginWithoutItsPassword) {
  Served served(WithPassword());
  Peer peer(served);
  for (int i = 0; i < 300; ++i) CHECK_EQ(peer.Ask({"AUTH", "guess" + std::to_string(i)}), kWrongPassword);
  CHECK_EQ(peer.Ask({"AUTH", "nobody", "secret"}), kWrongPassword);
  CHECK_EQ(peer.Ask({"HELLO", "3", "AUTH", "nobody", "secret"}), kWrongPassword);
  CHECK_EQ(peer.Ask({"AUTH", "pw"}), kOk);
  const std::string log = peer.Ask({"ACL", "LOG"});
  CHECK(!Contains(log, "secret") && !Contains(log, "guess") && !Contains(log, "pw"));
  // Alike ones within a minute are one entry.
  CHECK(Contains(log, Bulk("count") + ":300\r\n" + Bulk("reason") + Bulk("auth")));
  CHECK(Contains(log, Bulk("username") + Bulk("nobody")));
  CHECK_EQ(peer.Ask({"ACL", "LOG", "RESET"}), kOk);
  CHECK_EQ(peer.Ask({"ACL", "LOG"}), "*0\r\n");
}

TEST(Admin, ChangesThePasswordWhileClientsAreThere) {
  Served served(WithPassword());
  Peer in(served), out(served);
  in.Ask({"AUTH", "pw"});
  CHECK_EQ(in.Ask({"CONFIG", "SET", "requirepass", ""}), kOk);
  CHECK_EQ(out.Ask({"PING"}), "+PONG\r\n");
  CHECK_EQ(out.Ask({"AUTH", "pw"}),
           "-ERR AUTH <password> called without any password configured for the default user. Are you sure your "
           "configuration is correct?\r\n");
  in.Ask({"CONFIG", "SET", "requirepass", "new"});
  Peer late(served);
  CHECK_EQ(late.Ask({"AUTH", "pw"}), kWrongPassword);
  CHECK_EQ(late.Ask({"AUTH", "new"}), kOk);
}

TEST(Admin, LetsAUserRunAndReadOnlyWhatItMay) {
  Served served;
  Peer admin(served), bob(served);
  CHECK_EQ(admin.Ask({"ACL", "SETUSER", "bob", "on", ">pw", "+@read", "+client|id", "%R~app:*", "+copy", "&none"}),
           kOk);
  CHECK_EQ(bob.Ask({"AUTH", "bob", "pw"}), kOk);
  CHECK_EQ(bob.Ask({"ACL", "WHOAMI"}), "-NOPERM this user has no permissions to run the 'acl|whoami' command\r\n");
  CHECK_EQ(bob.Ask({"GET", "app:1"}), "$-1\r\n");
  CHECK_EQ(bob.Ask({"GET", "other"}),
           "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n");
  CHECK_EQ(bob.Ask({"COPY", "app:1", "app:2"}),
           "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n");
  CHECK_EQ(bob.Ask({"SET", "app:1", "x"}), "-NOPERM this user has no permissions to run the 'set' command\r\n");
  CHECK_EQ(bob.Ask({"CLIENT", "ID"}).substr(0, 1), ":");
  const std::string log = admin.Ask({"ACL", "LOG"});
  CHECK(Contains(log, Bulk("acl|whoami")) && Contains(log, Bulk("app:2")) && Contains(log, "user=bob"));
  CHECK_EQ(admin.Ask({"ACL", "DRYRUN", "bob", "GET", "app:1"}), kOk);
  CHECK_EQ(admin.Ask({"ACL", "DELUSER", "bob"}), ":1\r\n");
  CHECK_EQ(bob.ReceiveAll(), "");
}

TEST(Admin, TellsNoPasswordAnywhere) {
  Served served(WithPassword());
  Peer peer(served);
  peer.Ask({"AUTH", "verysecret"});
  peer.Ask({"AUTH", "pw"});
  peer.Ask({"ACL", "SETUSER", "bob", ">verysecret"});
  CHECK(!Contains(peer.Ask({"ACL", "SETUSER", "bob", "<verysecret2"}), "verysecret"));
  for (const char* what : {"LIST", "LOG", "USERS"}) CHECK(!Contains(peer.Ask({"ACL", what}), "verysecret"));
  CHECK(!Contains(peer.Ask({"CLIENT", "LIST"}), "verysecret"));
}

TEST(Admin, PausesWritersUntilToldOrTimeIsUp) {
  Served served;
  Peer admin(served), writer(served);
  CHECK_EQ(admin.Ask({"CLIENT", "PAUSE", "100000", "WRITE"}), kOk);
  REQUIRE(writer.Send(Request({"SET", "a", "1"}) + Request({"GET", "a"})));
  while (!Contains(admin.Ask({"INFO", "clients"}), "blocked_clients:1\r\n")) {
  }
  CHECK_EQ(admin.Ask({"GET", "a"}), "$-1\r\n");
  CHECK(writer.Silent());
  CHECK_EQ(admin.Ask({"CLIENT", "UNPAUSE"}), kOk);
  CHECK_EQ(writer.Receive(12), std::string(kOk) + "$1\r\n1\r\n");
  admin.Ask({"CLIENT", "PAUSE", "20"});
  CHECK_EQ(writer.Ask({"SET", "a", "2"}), kOk);
}

TEST(Admin, ClosesTheClientsThatAreMeant) {
  Served served(OnAnyPort(2));
  Peer admin(served), victim(served), other(served);
  const std::string id = victim.Ask({"CLIENT", "ID"});
  CHECK_EQ(admin.Ask({"CLIENT", "KILL", "ID", id.substr(1, id.size() - 3)}), ":1\r\n");
  CHECK_EQ(victim.ReceiveAll(), "");
  CHECK_EQ(other.Ask({"PING"}), "+PONG\r\n");
  CHECK_EQ(admin.Ask({"CLIENT", "KILL", "127.0.0.1:1"}), "-ERR No such client\r\n");
  CHECK_EQ(admin.Ask({"CLIENT", "KILL", "TYPE", "normal"}), ":1\r\n");
  CHECK_EQ(other.ReceiveAll(), "");
  CHECK_EQ(admin.Ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"}), ":1\r\n");
  CHECK_EQ(admin.ReceiveAll(), "");
}

TEST(Admin, AnswersOnlyWhatTheClientWantsToHear) {
  Served served;
  Peer peer(served);
  REQUIRE(peer.Send(Request({"CLIENT", "REPLY", "OFF"}) + Request({"PING"}) + Request({"CLIENT", "REPLY", "ON"}) +
                    Request({"CLIENT", "REPLY", "SKIP"}) + Request({"ECHO", "not heard"}) +
                    Request({"ECHO", "heard"})));
  const std::string wanted = kOk + Bulk("heard");
  CHECK_EQ(peer.Receive(wanted.size()), wanted);
}

TEST(Admin, SetsAllSettingsOrNone) {
  Served served;
  Peer peer(served);
  CHECK_EQ(peer.Ask({"CONFIG", "SET", "timeout", "7", "proto-max-bulk-len", "2mb"}), kOk);
  CHECK_EQ(peer.Ask({"CONFIG", "GET", "timeout", "proto-max-*"}),
           std::string("*4\r\n") + Bulk("timeout") + Bulk("7") + Bulk("proto-max-bulk-len") + Bulk("2097152"));
  CHECK_EQ(peer.Ask({"CONFIG", "SET", "timeout", "8", "maxclients", "x"}),
           "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't be parsed into an "
           "integer\r\n");
  CHECK_EQ(peer.Ask({"CONFIG", "GET", "TIMEOUT"}), std::string("*2\r\n") + Bulk("timeout") + Bulk("7"));
  CHECK_EQ(peer.Ask({"CONFIG", "SET", "nope", "1"}),
           "-ERR Unknown option or number of arguments for CONFIG SET - 'nope'\r\n");
  CHECK_EQ(peer.Ask({"CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 512k 5"}), kOk);
  CHECK_EQ(peer.Ask({"CONFIG", "GET", "client-output-buffer-limit"}),
           std::string("*2\r\n") + Bulk("client-output-buffer-limit") +
               Bulk("normal 0 0 0 slave 268435456 67108864 60 pubsub 1048576 512000 5"));
  CHECK_EQ(peer.Ask({"CONFIG", "SET", "notify-keyspace-events", "KEA"}), kOk);
  CHECK_EQ(peer.Ask({"CONFIG", "GET", "notify-keyspace-events"}),
           std::string("*2\r\n") + Bulk("notify-keyspace-events") + Bulk("AKE"));
}

TEST(Admin, CountsCommandsAndErrors) {
  Served served(OnAnyPort(2));
  Peer one(served), other(served);
  one.Ask({"SET", "a", "x"});
  other.Ask({"INCR", "a"});
  other.Ask({"GET"});
  one.Ask({"GET", "a"});
  const std::string info = one.Ask({"INFO", "everything"});
  CHECK(Contains(info, "cmdstat_set:calls=1,"));
  CHECK(Contains(info, "cmdstat_incr:calls=1,") && Contains(info, "rejected_calls=0,failed_calls=1"));
  CHECK(Contains(info, "errorstat_ERR:count=2\r\n"));
  CHECK(Contains(info, "keyspace_hits:") && Contains(info, "db0:keys=1,"));
  CHECK_EQ(one.Ask({"CONFIG", "RESETSTAT"}), kOk);
  const std::string after = one.Ask({"INFO", "all"});
  CHECK(!Contains(after, "cmdstat_set") && !Contains(after, "errorstat_ERR"));
  CHECK(Contains(after, "cmdstat_config|resetstat:calls=1,") && !Contains(after, "failed_calls=1"));
}

TEST(Admin, TellsItsCommandsAsRedisDoes) {
  Served served;
  Peer peer(served);
  const std::string get = peer.Ask({"COMMAND", "INFO", "get"});
  CHECK(Contains(get, std::string("*10\r\n") + Bulk("get") + ":2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"));
  CHECK_EQ(peer.Ask({"COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"}), std::string("*2\r\n") + Bulk("a") + Bulk("b"));
  CHECK_EQ(peer.Ask({"COMMAND", "GETKEYS", "PING", "x"}), "-ERR The command has no key arguments\r\n");
  CHECK_EQ(peer.Ask({"COMMAND", "GETKEYS", "PING"}),
           "-ERR wrong number of arguments for 'command|getkeys' command\r\n");
  CHECK(Contains(peer.Ask({"COMMAND", "LIST", "FILTERBY", "PATTERN", "client|track*"}), Bulk("client|tracking")));
  CHECK(Contains(peer.Ask({"COMMAND", "DOCS", "get"}), Bulk("summary")));
  CHECK(Contains(peer.Ask({"COMMAND", "DOCS", "zh.purge"}),
                 Bulk("arguments") + "*1\r\n*6\r\n" + Bulk("name") + Bulk("what") + Bulk("type") + Bulk("oneof") +
                     Bulk("arguments") + "*2\r\n*4\r\n" + Bulk("name") + Bulk("tag") + Bulk("type") + Bulk("string")));
  CHECK_EQ(peer.Ask({"CLIENT", "SETINFO", "LIB-NAME", "x"}), "-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.\r\n");
}

}  // namespace zerohop::resp
