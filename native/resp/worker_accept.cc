// worker_accept.cc: clients come, by sockets and as streams.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "resp/listener.h"
#include "resp/permission.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

constexpr std::string_view kTooMany = "-ERR max number of clients reached\r\n";

// Redis's own words, since people look for them.
constexpr std::string_view kDenied =
    "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    "default user. In this mode connections are only accepted from the loopback interface. If you want to connect from "
    "external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending "
    "the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host "
    "the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG "
    "REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the "
    "Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If "
    "you "
    "started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an "
    "authentication password for the default user. NOTE: You only need to do one of the above things in order for the "
    "server to start accepting connections from the outside.\r\n";

bool IsLoopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24 == 127;
  }
  if (address.ss_family != AF_INET6) return true;  // a unix socket
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

void SetTcpOptions(int fd, uint64_t keepalive_seconds) {
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (keepalive_seconds == 0) return;
  const int idle = static_cast<int>(std::min<uint64_t>(keepalive_seconds, INT16_MAX));
  const int interval = std::max(idle / 3, 1), probes = 3;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

}  // namespace

void Worker::Accept(Listener& listener) {
  for (size_t i = 0; i < kAcceptsMax; ++i) {
    sockaddr_storage peer{};
    socklen_t bytes = sizeof peer;
    const int fd = ::accept4(listener.fd(), reinterpret_cast<sockaddr*>(&peer), &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Admit(fd, listener.is_unix(), listener.is_unix() || IsLoopback(peer));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    // Out of descriptors or memory: the client stays in the backlog, and epoll would tell of it again at once.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) PauseListening();
    return;
  }
}

void Worker::PauseListening() {
  if (accept_again_us_ != 0) return;
  ListenAgain(false);
  accept_again_us_ = now_us_ + kCronUs;
  next_cron_us_ = std::min(next_cron_us_, accept_again_us_);
}

void Worker::Admit(int fd, bool unix_socket, bool local) {
  const auto refuse = [&](std::string_view text) {
    ++counts_.rejected_connections;
    [[maybe_unused]] const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::close(fd);
  };
  if (!server_.AdmitClient()) return refuse(kTooMany);
  if (!local && server_.RefusesStrangers()) {
    server_.DismissClient();
    return refuse(kDenied);
  }
  if (!unix_socket) SetTcpOptions(fd, server_.config().tcp_keepalive_seconds);
  auto client = std::make_unique<Client>(*this, server_.NextClientId(), fd);
  client->Put(kClientUnixSocket, unix_socket);
  client->events = EPOLLIN;
  epoll_event event{client->events, {.u64 = reinterpret_cast<uint64_t>(client.get())}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    server_.DismissClient();
    return;
  }
  Welcome(std::move(client));
}

void Worker::Welcome(std::unique_ptr<Client> client) {
  ++counts_.connections;
  client->connected_us = client->last_spoke_us = now_us_;
  client->account = &server_.users().default_user();
  client->authenticated = !server_.users().default_user().needs_password() && server_.users().default_user().enabled();
  server_.Enroll(client->id, *this);
  clients_.emplace(client->id, std::move(client));
  if (server_.config().timeout_seconds > 0) next_cron_us_ = std::min(next_cron_us_, now_us_ + kCronUs);
}

}  // namespace zerohop::resp
