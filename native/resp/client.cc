#include "resp/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "resp/worker.h"

namespace zerohop::resp {
namespace {

std::string EndpointText(int fd, bool peer) {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof storage;
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if ((peer ? ::getpeername(fd, address, &bytes) : ::getsockname(fd, address, &bytes)) != 0) return "?:0";
  char text[INET6_ADDRSTRLEN] = "?";
  if (storage.ss_family == AF_INET) {
    const auto* const v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return std::string(text).append(":").append(std::to_string(ntohs(v4->sin_port)));
  }
  if (storage.ss_family == AF_INET6) {
    const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return std::string("[").append(text).append("]:").append(std::to_string(ntohs(v6->sin6_port)));
  }
  // The client's end has no name: both ends are shown by the server's.
  if (peer) return EndpointText(fd, /*peer=*/false);
  return std::string(reinterpret_cast<const sockaddr_un*>(&storage)->sun_path) + ":0";
}

}  // namespace

Client::Client(Worker& its_worker, uint64_t its_id, int its_fd)
    : worker(its_worker), id(its_id), fd(its_fd), input(its_worker.scraps()) {}

Client::~Client() {
  if (fd >= 0) ::close(fd);
}

std::string Client::PeerText() const { return Has(kClientStream) ? stream_peer : EndpointText(fd, true); }
std::string Client::LocalText() const { return Has(kClientStream) ? stream_local : EndpointText(fd, false); }

}  // namespace zerohop::resp
