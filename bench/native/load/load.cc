// load.cc: asks a server for values as fast as it answers, or at a given rate, and checks every answer.
//
//   zerohop_load --connect tcp:127.0.0.1:6379 | unix:/path   --protocol resp|memcached   --command set|get|mget
//                --bytes 64   --keys 100000   --clients 50   --pipeline 1   --batch 100   --seconds 2   --rate 0
//                --fill: sets the keys in turn, `fills` times, and ends
//
// One thread, one epoll.  Without a rate each client sends `pipeline` requests, waits for all replies, and sends the
// next ones: a closed loop.  With a rate requests are due at fixed times, and a latency counts from when its request
// was due: so a server that stalls is charged for those that waited.
//
// A value tells its key: its length, its first and its last bytes are compared.  Prints one line of JSON:
//   requests, seconds, wrong, p50_us, p99_us, p999_us, max_us
// Exit code 1: the server closed a connection, answered an error, or an answer was wrong.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr size_t kKeyBytes = 16;
constexpr uint64_t kSecondNs = 1000000000;

[[noreturn]] void Fail(const std::string& why) {
  std::fprintf(stderr, "zerohop_load: %s\n", why.c_str());
  std::exit(1);
}

uint64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * kSecondNs + static_cast<uint64_t>(now.tv_nsec);
}

struct Options {
  std::string connect = "tcp:127.0.0.1:6379", protocol = "resp", command = "get";
  size_t bytes = 64, keys = 100000, clients = 50, pipeline = 1, batch = 100, fills = 1;
  double seconds = 2, rate = 0;
  bool fill = false;
};

Options Parse(int count, char** args) {
  std::map<std::string, std::string> given;
  for (int i = 1; i < count; ++i) {
    const std::string name = args[i];
    given[name] = name == "--fill" || i + 1 == count ? "1" : args[++i];
  }
  Options options;
  const auto text = [&](const char* name, std::string* to) {
    if (given.contains(name)) *to = given[name];
  };
  const auto number = [&](const char* name, size_t* to) {
    if (given.contains(name)) *to = std::strtoull(given[name].c_str(), nullptr, 10);
  };
  text("--connect", &options.connect);
  text("--protocol", &options.protocol);
  text("--command", &options.command);
  number("--bytes", &options.bytes);
  number("--keys", &options.keys);
  number("--clients", &options.clients);
  number("--pipeline", &options.pipeline);
  number("--batch", &options.batch);
  number("--fills", &options.fills);
  if (given.contains("--seconds")) options.seconds = std::strtod(given["--seconds"].c_str(), nullptr);
  if (given.contains("--rate")) options.rate = std::strtod(given["--rate"].c_str(), nullptr);
  options.fill = given.contains("--fill");
  return options;
}

// What is asked and what must come back, in the words of one protocol.
class Protocol {
 public:
  explicit Protocol(const Options& options) : options_(options), resp_(options.protocol == "resp") {
    if (options.command == "mget" && !resp_) Fail("mget is asked over resp alone");
    value_.assign(options.bytes, '.');
  }

  void Key(size_t key, char* to) const { std::snprintf(to, kKeyBytes + 1, "key:%012zu", key); }

  // `keys`: one, or as many as a batch has.
  void Ask(const size_t* keys, bool set, std::string* out) {
    char key[kKeyBytes + 1];
    Key(keys[0], key);
    if (set) {
      if (resp_) {
        Append(out, "*3\r\n$3\r\nSET\r\n$16\r\n%s\r\n$%zu\r\n", key, options_.bytes);
      } else {
        Append(out, "set %s 0 0 %zu\r\n", key, options_.bytes);
      }
      Stamp(key);
      *out += value_;
      *out += "\r\n";
    } else if (options_.command == "mget") {
      Append(out, "*%zu\r\n$4\r\nMGET\r\n", options_.batch + 1);
      for (size_t i = 0; i < options_.batch; ++i) {
        Key(keys[i], key);
        Append(out, "$16\r\n%s\r\n", key);
      }
    } else if (resp_) {
      Append(out, "*2\r\n$3\r\nGET\r\n$16\r\n%s\r\n", key);
    } else {
      Append(out, "get %s\r\n", key);
    }
  }

  // The bytes of the whole reply that begins `in`; 0 while some are missing.  Counts answers that are wrong.
  size_t Reply(std::string_view in, const size_t* keys, bool set, size_t* wrong) {
    if (set) return Literal(in, resp_ ? "+OK\r\n" : "STORED\r\n");
    if (options_.command != "mget") return One(in, keys[0], wrong);
    const std::string head = "*" + std::to_string(options_.batch) + "\r\n";
    size_t at = Literal(in, head);
    if (at == 0) return 0;
    // Cheap before dear: a batch of large values comes in many pieces.
    if (in.size() < head.size() + options_.batch * options_.bytes) return 0;
    for (size_t i = 0; i < options_.batch; ++i) {
      const size_t bytes = One(in.substr(at), keys[i], wrong);
      if (bytes == 0) return 0;
      at += bytes;
    }
    return at;
  }

 private:
  template <class... Args>
  static void Append(std::string* out, const char* format, Args... args) {
    char text[128];
    out->append(text, static_cast<size_t>(std::snprintf(text, sizeof(text), format, args...)));
  }
  void Stamp(const char* key) {
    const size_t stamp = std::min(kKeyBytes, value_.size());
    std::memcpy(value_.data(), key, stamp);
    std::memcpy(value_.data() + value_.size() - stamp, key, stamp);
  }
  static size_t Literal(std::string_view in, std::string_view expected) {
    if (in.substr(0, expected.size()) == expected) return expected.size();
    if (in.size() < expected.size() && expected.substr(0, in.size()) == in) return 0;
    Fail("expected " + std::string(expected) + "received " + std::string(in.substr(0, 60)));
  }
  size_t One(std::string_view in, size_t key, size_t* wrong) {
    char name[kKeyBytes + 1], head[96];
    Key(key, name);
    const int head_bytes = resp_ ? std::snprintf(head, sizeof(head), "$%zu\r\n", options_.bytes)
                                 : std::snprintf(head, sizeof(head), "VALUE %s 0 %zu\r\n", name, options_.bytes);
    const std::string_view tail = resp_ ? "\r\n" : "\r\nEND\r\n";
    const size_t begins = Literal(in, {head, static_cast<size_t>(head_bytes)});
    const size_t whole = begins + options_.bytes + tail.size();
    if (begins == 0 || in.size() < whole) return 0;
    const std::string_view value = in.substr(begins, options_.bytes);
    const std::string_view stamp(name, std::min(kKeyBytes, options_.bytes));
    if (!value.starts_with(stamp) || !value.ends_with(stamp) || in.substr(whole - tail.size(), tail.size()) != tail)
      ++*wrong;
    return whole;
  }

  const Options& options_;
  const bool resp_;
  std::string value_;
};

// Latencies in buckets of 1/32 of a power of two: 3 % wide.
class Latencies {
 public:
  void Add(uint64_t ns) {
    ++buckets_[Bucket(ns)];
    ++count_;
    max_ns_ = std::max(max_ns_, ns);
  }
  double QuantileUs(double share) const {
    auto left = static_cast<uint64_t>(share * static_cast<double>(count_));
    for (size_t i = 0; i < kBuckets; ++i) {
      if (left < buckets_[i]) return static_cast<double>(Lowest(i)) / 1000;
      left -= buckets_[i];
    }
    return max_us();
  }
  double max_us() const { return static_cast<double>(max_ns_) / 1000; }
  uint64_t count() const { return count_; }

 private:
  static constexpr int kSteps = 5;  // 2^5 buckets a power of two
  static constexpr size_t kBuckets = size_t{64} << kSteps;
  static size_t Bucket(uint64_t ns) {
    if (ns < (uint64_t{1} << kSteps)) return ns;
    const int power = 63 - __builtin_clzll(ns);
    return (static_cast<size_t>(power - kSteps + 1) << kSteps) + ((ns >> (power - kSteps)) & ((1u << kSteps) - 1));
  }
  static uint64_t Lowest(size_t bucket) {
    if (bucket < (size_t{1} << kSteps)) return bucket;
    const size_t power = (bucket >> kSteps) + kSteps - 1;
    return ((uint64_t{1} << kSteps) + (bucket & ((1u << kSteps) - 1))) << (power - kSteps);
  }
  std::vector<uint64_t> buckets_ = std::vector<uint64_t>(kBuckets);
  uint64_t count_ = 0, max_ns_ = 0;
};

struct Client {
  int fd = -1;
  std::string out;
  size_t sent = 0;
  std::vector<char> in = std::vector<char>(size_t{64} << 10);
  size_t begin = 0, end = 0;
  std::vector<size_t> keys;      // of the requests on their way, a batch each
  std::vector<uint64_t> due_ns;  // of each request
  size_t answered = 0;           // of those
  bool wants_out = false;
  bool idle() const { return answered == due_ns.size(); }
};

class Load {
 public:
  explicit Load(const Options& options) : options_(options), protocol_(options), clients_(options.clients) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    for (Client& client : clients_) {
      client.fd = Connect();
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &client;
      if (epoll_ctl(epoll_, EPOLL_CTL_ADD, client.fd, &event) != 0) Fail("epoll_ctl");
    }
  }

  void Run() {
    const uint64_t begun = NowNs();
    uint64_t now = begun;
    const uint64_t ends = begun + static_cast<uint64_t>(options_.seconds * kSecondNs);
    next_due_ns_ = begun;
    if (options_.rate > 0) {
      for (Client& client : clients_) free_.push_back(&client);
    } else {
      for (Client& client : clients_) Send(client, options_.pipeline, now);
    }
    std::vector<epoll_event> events(clients_.size());
    bool asking = true;
    while (busy_ > 0 || asking) {
      if (options_.rate > 0 && asking) AskDue(now);
      timespec wait{1, 0};
      if (options_.rate > 0 && asking && !free_.empty()) {
        const uint64_t ns = next_due_ns_ > now ? next_due_ns_ - now : 0;
        wait = {static_cast<time_t>(ns / kSecondNs), static_cast<long>(ns % kSecondNs)};
      }
      const int ready = epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
      if (ready < 0 && errno != EINTR) Fail("epoll_pwait2");
      now = NowNs();
      if (ready > 0) heard_ns_ = now;
      // A missing value of an `mget` looks like a reply that is not all there.
      if (busy_ > 0 && now - heard_ns_ > kSilenceNs)
        Fail("no reply for ten seconds: a value is missing, or the server hangs");
      asking = asking && now < ends && !(options_.fill && filled_ >= options_.keys * options_.fills);
      for (int i = 0; i < ready; ++i) {
        auto& client = *static_cast<Client*>(events[static_cast<size_t>(i)].data.ptr);
        if (events[static_cast<size_t>(i)].events & EPOLLOUT) Flush(client);
        if (events[static_cast<size_t>(i)].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) Receive(client, &now);
        if (!client.idle() || client.due_ns.empty()) continue;
        --busy_;
        client.due_ns.clear();
        client.keys.clear();
        client.answered = 0;
        if (options_.rate > 0) {
          free_.push_back(&client);
        } else if (asking) {
          Send(client, options_.pipeline, now);
        }
      }
    }
    const double seconds = static_cast<double>(NowNs() - begun) / kSecondNs;
    std::printf("{\"requests\":%" PRIu64
                ",\"seconds\":%.6f,\"wrong\":%zu,\"p50_us\":%.2f,\"p99_us\":%.2f,"
                "\"p999_us\":%.2f,\"max_us\":%.2f}\n",
                latencies_.count(), seconds, wrong_, latencies_.QuantileUs(.5), latencies_.QuantileUs(.99),
                latencies_.QuantileUs(.999), latencies_.max_us());
    if (wrong_ > 0) Fail(std::to_string(wrong_) + " answers were wrong");
  }

 private:
  int Connect() const {
    const std::string& to = options_.connect;
    int fd;
    if (to.starts_with("unix:")) {
      fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::strncpy(address.sun_path, to.c_str() + 5, sizeof(address.sun_path) - 1);
      if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) Fail("cannot connect to " + to);
    } else {
      const size_t colon = to.rfind(':');
      fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<uint16_t>(std::stoi(to.substr(colon + 1))));
      inet_pton(AF_INET, to.substr(4, colon - 4).c_str(), &address.sin_addr);
      if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) Fail("cannot connect to " + to);
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    return fd;
  }

  size_t Draw() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_ % options_.keys;
  }
  bool set() const { return options_.fill || options_.command == "set"; }
  size_t KeysEach() const { return !set() && options_.command == "mget" ? options_.batch : 1; }

  void Send(Client& client, size_t requests, uint64_t due_ns) {
    client.out.clear();
    client.sent = 0;
    for (size_t i = 0; i < requests; ++i) {
      const size_t first = client.keys.size();
      for (size_t j = 0; j < KeysEach(); ++j) client.keys.push_back(options_.fill ? filled_++ % options_.keys : Draw());
      client.due_ns.push_back(due_ns);
      protocol_.Ask(&client.keys[first], set(), &client.out);
    }
    ++busy_;
    Flush(client);
  }

  void AskDue(uint64_t now) {
    const auto step = static_cast<uint64_t>(kSecondNs / options_.rate);
    while (next_due_ns_ <= now && !free_.empty()) {
      Client& client = *free_.front();
      free_.pop_front();
      Send(client, 1, next_due_ns_);
      next_due_ns_ += step;
    }
  }

  void Flush(Client& client) {
    while (client.sent < client.out.size()) {
      const ssize_t sent = send(client.fd, client.out.data() + client.sent, client.out.size() - client.sent,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) {
        if (errno != EAGAIN) Fail("the server closed a connection");
        break;
      }
      client.sent += static_cast<size_t>(sent);
    }
    const bool wants_out = client.sent < client.out.size();
    if (wants_out == client.wants_out) return;
    client.wants_out = wants_out;
    epoll_event event{};
    event.events = EPOLLIN | (wants_out ? EPOLLOUT : 0u);
    event.data.ptr = &client;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
  }

  void Receive(Client& client, uint64_t* now) {
    if (client.end == client.in.size()) {
      if (client.begin > 0) {
        std::memmove(client.in.data(), client.in.data() + client.begin, client.end - client.begin);
        client.end -= client.begin;
        client.begin = 0;
      } else {
        client.in.resize(client.in.size() * 2);
      }
    }
    const ssize_t got = recv(client.fd, client.in.data() + client.end, client.in.size() - client.end, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) Fail("the server closed a connection");
    *now = NowNs();
    client.end += static_cast<size_t>(got);
    while (!client.idle()) {
      const std::string_view in(client.in.data() + client.begin, client.end - client.begin);
      const size_t bytes = protocol_.Reply(in, &client.keys[client.answered * KeysEach()], set(), &wrong_);
      if (bytes == 0) break;
      client.begin += bytes;
      latencies_.Add(*now - client.due_ns[client.answered++]);
    }
    if (client.begin == client.end) client.begin = client.end = 0;
  }

  const Options& options_;
  Protocol protocol_;
  std::vector<Client> clients_;
  std::deque<Client*> free_;
  Latencies latencies_;
  int epoll_;
  static constexpr uint64_t kSilenceNs = 10 * kSecondNs;

  size_t busy_ = 0, wrong_ = 0, filled_ = 0;
  uint64_t heard_ns_ = NowNs();
  uint64_t next_due_ns_ = 0;
  uint64_t random_ = 0x9e3779b97f4a7c15u;
};

}  // namespace

int main(int count, char** args) {
  const Options options = Parse(count, args);
  Load(options).Run();
  return 0;
}
