// The same commands, by chance, give the same replies here as in Redis 7, which runs beside.
//
// Left out: what may differ (docs/RESP.md): the order of keys, times that pass, when keys that ended leave the count,
// random keys.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "resp/command_table.h"
#include "resp/peer.h"

namespace zerohop::resp {
namespace {

using testing::OnAnyPort;
using testing::Peer;
using testing::Served;

// A redis-server of this test's own, without files.
class Redis {
 public:
  Redis() : path_("/tmp/zerohop-" + std::to_string(::getpid()) + "-redis.sock") {
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path_.c_str(), "--save", "",
               "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning", nullptr);
      ::_exit(127);
    }
  }
  ~Redis() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::unlink(path_.c_str());
  }
  Redis(const Redis&) = delete;
  Redis& operator=(const Redis&) = delete;

  Peer Connect() const {
    for (;;) {
      Peer peer(path_);
      if (peer.connected()) return peer;
      REQUIRE(::waitpid(pid_, nullptr, WNOHANG) == 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

 private:
  const std::string path_;
  pid_t pid_ = 0;
};

using Words = std::vector<std::string>;

std::string Asked(Peer& peer, const Words& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) text += testing::Bulk(word);
  REQUIRE(peer.Send(text));
  return peer.ReceiveReply();
}

// What cannot be printed, as dots.
std::string Plain(std::string text) {
  for (char& c : text) c = c >= ' ' && c <= '~' ? c : '.';
  return text;
}

std::string Shown(const Words& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(Plain(word.substr(0, 60)));
  return text;
}

// Commands that a client could send, right ones and wrong ones.
class Chance {
 public:
  explicit Chance(uint64_t seed) : random_(seed) {}

  Words Command() {
    const std::string name =
        Some({"GET",     "SET",     "SETEX",    "PSETEX",    "SETNX",       "GETSET",   "GETDEL",     "GETEX",
              "MGET",    "MSET",    "MSETNX",   "STRLEN",    "APPEND",      "GETRANGE", "SUBSTR",     "SETRANGE",
              "INCR",    "DECR",    "INCRBY",   "DECRBY",    "INCRBYFLOAT", "DEL",      "UNLINK",     "EXISTS",
              "EXPIRE",  "PEXPIRE", "EXPIREAT", "PEXPIREAT", "TTL",         "PTTL",     "EXPIRETIME", "PEXPIRETIME",
              "PERSIST", "TOUCH",   "TYPE",     "RENAME",    "RENAMENX",    "COPY",     "KEYS",       "SCAN",
              "FLUSHDB", "OBJECT",  "FUNCTION", "SET",       "SET",         "GET",      "FLUSHALL"});
    Words words{random_.OneIn(10) ? Lower(name) : name};
    const auto add = [&](std::initializer_list<std::string> more) { words.insert(words.end(), more); };
    if (name == "SET") {
      add({Key(), Value()});
      while (random_.OneIn(3)) SetOption(words);
    } else if (name == "SETEX" || name == "PSETEX") {
      add({Key(), random_.OneIn(4) ? Time() : Soon(), Value()});
    } else if (name == "GETEX") {
      add({Key()});
      while (random_.OneIn(2)) SetOption(words);
    } else if (name == "MGET" || name == "DEL" || name == "UNLINK" || name == "EXISTS" || name == "TOUCH") {
      for (uint64_t count = 1 + random_.Below(4); count > 0; --count) add({Key()});
    } else if (name == "MSET" || name == "MSETNX") {
      for (uint64_t count = 1 + random_.Below(3); count > 0; --count) add({Key(), Value()});
      if (random_.OneIn(8)) words.pop_back();
    } else if (name == "GETRANGE" || name == "SUBSTR") {
      add({Key(), Index(), Index()});
    } else if (name == "SETRANGE") {
      add({Key(), random_.OneIn(6) ? Number() : std::to_string(random_.Below(60)), random_.OneIn(4) ? "" : Value()});
    } else if (name == "INCRBY" || name == "DECRBY") {
      add({Key(), Number()});
    } else if (name == "INCRBYFLOAT") {
      // Not one of the others: Redis calls what this makes no integer, though it may look like one.
      add({random_.OneIn(2) ? "float" : "float too", Number()});
    } else if (name == "EXPIRE" || name == "PEXPIRE") {
      add({Key(), random_.OneIn(3) ? Time() : Some({Soon(), Soon(), "-1", "0"})});
      while (random_.OneIn(3)) add({Some({"NX", "XX", "GT", "LT", "gt", "nope"})});
    } else if (name == "EXPIREAT" || name == "PEXPIREAT") {
      add({Key(), random_.OneIn(4) ? Time() : Unix(name == "PEXPIREAT")});
      while (random_.OneIn(3)) add({Some({"NX", "XX", "GT", "LT"})});
    } else if (name == "RENAME" || name == "RENAMENX") {
      add({Key(), Key()});
    } else if (name == "COPY") {
      add({Key(), Key()});
      while (random_.OneIn(3)) {
        random_.OneIn(2) ? add({"REPLACE"}) : add({"DB", Some({"0", "0", "0", "16", "-1", "x", "99999999999"})});
      }
    } else if (name == "KEYS") {
      add({Some({"*", "k*", "?1", "[k-l]?", "nope", "k[^1]", "", "\\k1"})});
    } else if (name == "SCAN") {
      add({Some({"0", "0", "x", " 1", "1x"})});
      while (random_.OneIn(2)) {
        add({Some({"COUNT", "MATCH", "TYPE", "nope"}), Some({"0", "-1", "x", "string", "k*", "1000000", "5"})});
      }
      if (random_.OneIn(8)) add({"COUNT"});
      // Which of the keys come first is another matter.
      if (words.size() > 1 && words[1] == "0") add({"COUNT", "1000000"});
    } else if (name == "FLUSHDB" || name == "FLUSHALL") {
      if (!random_.OneIn(4)) return {"PING"};
      while (random_.OneIn(2)) add({Some({"ASYNC", "sync", "nope"})});
    } else if (name == "OBJECT") {
      add({Some({"ENCODING", "encoding", "HELP", "nope"}), Key()});
      if (words[1] == "HELP") words.pop_back();
    } else if (name == "FUNCTION") {
      add({"FLUSH"});
      while (random_.OneIn(3)) add({Some({"ASYNC", "SYNC", "nope"})});
    } else {
      add({Key()});
      if (name == "SETNX" || name == "GETSET" || name == "APPEND") add({Value()});
    }
    if (random_.OneIn(50)) words.push_back(Value());
    if (random_.OneIn(50) && words.size() > 1) words.pop_back();
    return words;
  }

 private:
  std::string Some(const Words& words) { return words[random_.Below(words.size())]; }
  static std::string Lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](char c) { return static_cast<char>(c | 0x20); });
    return text;
  }
  std::string Key() {
    return random_.OneIn(60)   ? ""
           : random_.OneIn(60) ? std::string("\xff\0\r\n", 4)
                               : "k" + std::to_string(random_.Below(6));
  }
  std::string Value() {
    switch (random_.Below(8)) {
      case 0: return "";
      case 1: return std::string(random_.Below(60), 'v');
      case 2: return std::string(random_.Below(5000), 'w');
      case 3: return std::string("\0\xff\r\n", 4);
      default: return Number();
    }
  }
  std::string Number() {
    switch (random_.Below(10)) {
      case 0:
        return Some({"9223372036854775807", "-9223372036854775808", "9223372036854775808", "-9223372036854775",
                     "10000000000000000"});
      case 1: return Some({"", "01", "-0", "+1", " 1", "1 ", "x", "1.", "nan", "inf", "-inf", "0x10", "1e3", "1e5000"});
      case 2: return Some({"1.5", "-2.25", "3.0e3", "17179869184", "0.1", "1e-20", "5.0"});
      default: return std::to_string(static_cast<int64_t>(random_.Below(300)) - 100);
    }
  }
  // None that is over before both servers were asked.
  std::string Time() {
    const std::string number = Number();
    const bool soon = !number.empty() && number.size() < 4 && number[0] >= '1' && number[0] <= '9';
    return soon ? number + "00000" : number;
  }
  // Hardly ever the same one twice: GT and LT would tell a millisecond between two servers.
  std::string Soon() { return std::to_string(1 + random_.Below(900)) + "00000"; }
  std::string Index() {
    return random_.OneIn(8) ? Number() : std::to_string(static_cast<int64_t>(random_.Below(40)) - 20);
  }
  std::string Unix(bool ms) {
    const std::string seconds = Some({"1", "100", "4000000000", "4000000001", "5000000000", "1600000000"});
    return ms && seconds.size() > 3 ? seconds + "123" : seconds;
  }
  void SetOption(Words& words) {
    const std::string option =
        Some({"NX", "XX", "GET", "KEEPTTL", "PERSIST", "EX", "PX", "EXAT", "PXAT", "nx", "nope"});
    words.push_back(option);
    if (random_.OneIn(12)) return;
    if (option == "EX" || option == "PX") words.push_back(random_.OneIn(4) ? Time() : Soon());
    if (option == "EXAT" || option == "PXAT") words.push_back(random_.OneIn(4) ? Time() : Unix(option == "PXAT"));
  }

  check::Random random_;
};

// The keys of an array in some order; what passes while two servers are asked is not told apart.
std::string Comparable(const Words& words, std::string reply) {
  std::string name = words[0];
  std::transform(name.begin(), name.end(), name.begin(), [](char c) { return static_cast<char>(c & ~0x20); });
  if (name == "TTL" || name == "PTTL" || name == "EXPIRETIME" || name == "PEXPIRETIME") {
    // Seconds and milliseconds that were counted from two moments.
    long long number = reply[0] == ':' ? std::atoll(reply.c_str() + 1) : 0;
    // No end is later here than 64 bits of microseconds tell.
    number = std::min(number, name[0] == 'P' ? 10'000'000'000'000'000ll : 10'000'000'000'000ll);
    if (number > 1000) return ":" + std::to_string((number + 50000) / 100000);
  }
  if ((name == "KEYS" || name == "SCAN") && reply[0] == '*') {
    std::vector<std::string> parts;
    for (size_t from = 0; from < reply.size();) {
      const size_t end = std::min(reply.find("\r\n", from), reply.size() - 2);
      parts.push_back(reply.substr(from, end + 2 - from));
      from = end + 2;
    }
    std::sort(parts.begin(), parts.end());
    reply.clear();
    for (const std::string& part : parts) reply += part;
  }
  return reply;
}

// What COMMAND DOCS says of a command's arguments, which it says last.
std::string ArgumentsIn(const std::string& docs) {
  const size_t at = docs.find("$9\r\narguments\r\n");
  return at == std::string::npos ? "none" : docs.substr(at);
}

}  // namespace

TEST(Differential, TellsTheArgumentsOfEveryCommandAsRedisDoes) {
  const Redis redis;
  Served served(OnAnyPort(1));
  for (const char* protocol : {"2", "3"}) {
    Peer theirs = redis.Connect(), ours(served);
    Asked(theirs, {"HELLO", protocol});
    Asked(ours, {"HELLO", protocol});
    for (const Command* const command : CommandTable::Process().all()) {
      const std::string name = CommandTable::FullName(*command);
      if (name.substr(0, 3) == "zh." || !command->subcommands.empty()) continue;
      CHECK_EQ(name + ": " + Plain(ArgumentsIn(Asked(ours, {"COMMAND", "DOCS", name}))),
               name + ": " + Plain(ArgumentsIn(Asked(theirs, {"COMMAND", "DOCS", name}))));
    }
  }
}

TEST(Differential, AnswersEveryDataCommandAsRedisDoes) {
  const Redis redis;
  Served served(OnAnyPort(1));
  for (const int protocol : {2, 3}) {
    Peer theirs = redis.Connect(), ours(served);
    CHECK_EQ(Asked(theirs, {"FLUSHALL"}), Asked(ours, {"FLUSHALL"}));
    if (protocol == 3) {
      Asked(theirs, {"HELLO", "3"});
      if (Asked(ours, {"HELLO", "3"})[0] == '-') return;
    }
    Chance chance(check::Seed() + static_cast<uint64_t>(protocol));
    constexpr int kCommands = 30000;
    // By chance they are asked once in thousands of rounds.
    for (const Words& words : {Words{"SET", "k", "v", "PXAT", "9223372036854775807"}, Words{"PERSIST", "k"}})
      CHECK_EQ(Plain(Asked(ours, words)), Plain(Asked(theirs, words)));
    int differences = 0;
    for (int i = 0; i < kCommands && differences < 20; ++i) {
      const Words words = chance.Command();
      const std::string wanted = Comparable(words, Asked(theirs, words));
      const std::string seen = Comparable(words, Asked(ours, words));
      if (seen == wanted) continue;
      ++differences;
      CHECK_EQ(Shown(words) + " -> " + Plain(seen.substr(0, 200)),
               Shown(words) + " -> " + Plain(wanted.substr(0, 200)));
    }
  }
}

}  // namespace zerohop::resp
