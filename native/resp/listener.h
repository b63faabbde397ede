// listener.h: sockets that wait for clients: made, and taken away again.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/status.h"

namespace zerohop::resp {

class Listener {
 public:
  // TCP on a numeric address.  Several of one address and port share its clients (SO_REUSEPORT).  Port 0: the system
  // chooses.  `first`: an error if anybody listens there already.
  static Result<std::shared_ptr<Listener>> Tcp(const std::string& address, int port, int backlog, bool first);
  // A path.  A socket file on which nobody listens is replaced; one on which somebody does is an error, like any other
  // file.  `mode` 0: as the umask says.
  static Result<std::shared_ptr<Listener>> Unix(const std::string& path, uint32_t mode, int backlog);
  // Closes it; a path's file goes, if it still is ours.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const { return fd_; }
  int port() const { return port_; }
  bool is_unix() const { return !path_.empty(); }

 private:
  Listener() = default;
  int fd_ = -1;
  int port_ = 0;
  std::string path_;
  dev_t device_ = 0;  // of the path's file
  ino_t inode_ = 0;
};

}  // namespace zerohop::resp
