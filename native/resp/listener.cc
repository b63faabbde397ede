#include "resp/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace zerohop::resp {
namespace {

Status CannotListen(const std::string& where, int error) {
  const Status refused = Refused(error);
  return {refused.code(), "cannot listen on " + where + ": " + refused.detail()};
}

// Whether somebody accepts clients on that path.
bool SomebodyListens(const sockaddr_un& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return true;
  const bool answered = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  // A full backlog is a listener too.
  const bool listens = answered || errno == EAGAIN;
  ::close(fd);
  return listens;
}

}  // namespace

Result<std::shared_ptr<Listener>> Listener::Tcp(const std::string& address, int port, int backlog, bool first) {
  sockaddr_storage storage{};
  socklen_t bytes;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    bytes = sizeof *v4;
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<uint16_t>(port));
    bytes = sizeof *v6;
  } else {
    return Status(Code::kInvalid, "'" + address + "' is no IPv4 or IPv6 address");
  }
  const std::string where = (storage.ss_family == AF_INET ? address : '[' + address + ']') + ':' + std::to_string(port);
  std::shared_ptr<Listener> made(new Listener());
  made->fd_ = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made->fd_ < 0) return CannotListen(where, errno);
  const int yes = 1;
  ::setsockopt(made->fd_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (!first) ::setsockopt(made->fd_, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
  if (storage.ss_family == AF_INET6) ::setsockopt(made->fd_, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  if (::bind(made->fd_, reinterpret_cast<const sockaddr*>(&storage), bytes) != 0) return CannotListen(where, errno);
  // The first one is bound alone: else another server that shares its port would share ours.
  if (first) ::setsockopt(made->fd_, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
  if (::listen(made->fd_, backlog) != 0) return CannotListen(where, errno);
  bytes = sizeof storage;
  ::getsockname(made->fd_, reinterpret_cast<sockaddr*>(&storage), &bytes);
  made->port_ = ntohs(storage.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
  return made;
}

Result<std::shared_ptr<Listener>> Listener::Unix(const std::string& path, uint32_t mode, int backlog) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Status(Code::kInvalid, "a socket's path has 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  struct stat file {};
  if (::lstat(path.c_str(), &file) == 0) {
    if (!S_ISSOCK(file.st_mode)) return CannotListen(path, EEXIST);
    if (SomebodyListens(address)) return CannotListen(path, EADDRINUSE);
    ::unlink(path.c_str());
  }
  std::shared_ptr<Listener> made(new Listener());
  made->fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made->fd_ < 0) return CannotListen(path, errno);
  if (::bind(made->fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return CannotListen(path, errno);
  }
  made->path_ = path;
  if (::lstat(path.c_str(), &file) == 0) {
    made->device_ = file.st_dev;
    made->inode_ = file.st_ino;
  }
  // Before anyone can connect.
  if (mode != 0 && ::chmod(path.c_str(), mode) != 0) return CannotListen(path, errno);
  if (::listen(made->fd_, backlog) != 0) return CannotListen(path, errno);
  return made;
}

Listener::~Listener() {
  if (fd_ >= 0) ::close(fd_);
  struct stat file {};
  if (!path_.empty() && ::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ && file.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

}  // namespace zerohop::resp
