// file_lock.h: a lock on a file, for one process at a time.  The system releases it when its holder ends, in whatever
// way (D65 in docs/DECISIONS.md).
//
// Lifetime  the lock is held as long as the object lives.  Its file is removed with it.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace zerohop {

class FileLock {
 public:
  // Takes the lock, without waiting.  Null: somebody else holds it, in this process or another one.  `shared`: other
  // users may take it too, as far as the umask of the process allows.
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
