// peer.h: a server for one test, and clients of it over real sockets.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "cache/client.h"
#include "check.h"
#include "resp/server.h"

namespace zerohop::resp::testing {

using zerohop::testing::kMiB;

// A request as clients send it.
inline std::string Request(std::initializer_list<std::string_view> words) {
  std::string text("*");
  text.append(std::to_string(words.size())).append("\r\n");
  for (const std::string_view word : words) {
    text.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
  }
  return text;
}

inline std::string Bulk(std::string_view bytes) {
  return std::string("$").append(std::to_string(bytes.size())).append("\r\n").append(bytes).append("\r\n");
}

// Config for tests: a port that the system chooses, on loopback.
inline Config OnAnyPort(size_t threads = 2) {
  Config config;
  config.bind = {"127.0.0.1"};
  config.port = 0;
  config.threads = threads;
  return config;
}

constexpr int kPatienceMs = 60000;

// Asks until `holds` is true; false if it never is.  A test that waits for a time to pass asks so: a busy machine may
// let any time pass between two lines.
template <class Condition>
bool Eventually(Condition holds) {
  for (const auto begun = std::chrono::steady_clock::now();;) {
    if (holds()) return true;
    if (std::chrono::steady_clock::now() - begun > std::chrono::milliseconds(kPatienceMs)) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

// A server with a cache of its own.
struct Served {
  explicit Served(Config config = OnAnyPort(), size_t max_bytes = 8 * kMiB)
      : cache(zerohop::testing::MakeCache(max_bytes)) {
    auto started = Server::Start(cache, std::move(config));
    REQUIRE(started.ok());
    server = std::move(started.value());
  }
  std::shared_ptr<Cache> cache;
  std::unique_ptr<Server> server;
};

// A client.  Reading waits at most so long that a test that fails ends.
class Peer {
 public:
  explicit Peer(const Served& served) : Peer(served.server->port()) {}
  explicit Peer(int port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    const int yes = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  }
  explicit Peer(const std::string& path) {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Peer() { Close(); }
  Peer(Peer&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_), unread_(std::move(other.unread_)) {}
  Peer& operator=(Peer&&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  // False: the server has closed.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // Exactly so many bytes; fewer if the server closed or said nothing for a long while.
  std::string Receive(size_t bytes) {
    while (unread_.size() < bytes && More()) {
    }
    std::string text = unread_.substr(0, bytes);
    unread_.erase(0, text.size());
    return text;
  }
  // One reply, whole, as it came.
  std::string ReceiveReply() {
    for (;;) {
      if (const size_t bytes = ReplyBytes(unread_, 0); bytes != std::string::npos) return Receive(bytes);
      if (!More()) return std::exchange(unread_, {});
    }
  }
  // Until the server closes.
  std::string ReceiveAll() {
    while (More()) {
    }
    return std::exchange(unread_, {});
  }
  // Sends a request and gives the reply.
  std::string Ask(std::initializer_list<std::string_view> words) {
    if (!Send(Request(words))) return "closed";
    return ReceiveReply();
  }
  // Nothing is there to be read.
  bool Silent() {
    pollfd waiting{fd_, POLLIN, 0};
    return unread_.empty() && ::poll(&waiting, 1, 0) == 0;
  }

 private:
  bool More() {
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, kPatienceMs) != 1) return false;
    char bytes[65536];
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    unread_.append(bytes, static_cast<size_t>(got));
    return true;
  }

  // Where the reply that begins at `from` ends; npos: it is not whole.
  static size_t ReplyBytes(const std::string& text, size_t from) {
    const size_t line = text.find("\r\n", from);
    if (line == std::string::npos) return std::string::npos;
    size_t end = line + 2;
    const char type = text[from];
    long long count = 0;
    if (std::strchr("$=!*~%>", type) != nullptr) count = std::atoll(text.c_str() + from + 1);
    if (type == '$' || type == '=' || type == '!') {
      if (count >= 0) end += static_cast<size_t>(count) + 2;
      return end <= text.size() ? end : std::string::npos;
    }
    if (type == '%') count *= 2;
    for (long long i = 0; i < count; ++i) {
      end = ReplyBytes(text, end);
      if (end == std::string::npos) return end;
    }
    return end;
  }

  int fd_ = -1;
  bool connected_ = false;
  std::string unread_;
};

}  // namespace zerohop::resp::testing
