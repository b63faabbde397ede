// file_lock.h: one process at a time, told by a file: the system takes the lock back when its holder ends, however it
// ends.
//
// Lifetime  the lock is held as long as the object lives; its file is gone with it.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace zerohop {

class FileLock {
 public:
  // Null where somebody else holds it, in this process or another: nothing is waited for.  `shared`: other users may
  // take it, too, as far as the process's umask allows.
  static Result<std::unique_ptr<FileLock>> TryTake(const std::string& path, bool shared);

  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  FileLock(std::string path, int file) : path_(std::move(path)), file_(file) {}

  std::string path_;
  int file_;
};

}  // namespace zerohop
