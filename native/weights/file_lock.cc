#include "weights/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace zerohop {
namespace {

int OpenLock(const std::string& path, bool shared) {
  // O_NONBLOCK: do not wait for the other end of a pipe.
  constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | kFlags, shared ? 0666 : 0600);
  if (file >= 0 || !shared || errno != EACCES) return file;
  // Another user's file: a lock need not write to it.
  return ::open(path.c_str(), O_RDONLY | kFlags);
}

}  // namespace

Result<std::unique_ptr<FileLock>> FileLock::TryTake(const std::string& path, bool shared) {
  for (;;) {
    const int file = OpenLock(path, shared);
    if (file < 0) return Refused(errno);
    std::unique_ptr<FileLock> lock(new FileLock({}, file));
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::unique_ptr<FileLock>();
      if (errno == EINTR) continue;
      return Refused(errno);
    }
    // The former holder has removed the file.  The name now belongs to another file, which somebody may hold.
    struct stat mine, named;
    if (::fstat(file, &mine) == 0 && ::stat(path.c_str(), &named) == 0 && mine.st_ino == named.st_ino &&
        mine.st_dev == named.st_dev) {
      lock->path_ = path;
      return lock;
    }
  }
}

FileLock::~FileLock() {
  // The file is removed before the lock is released, so that nobody takes a file that is about to go.
  if (!path_.empty()) ::unlink(path_.c_str());
  ::close(file_);
}

}  // namespace zerohop
