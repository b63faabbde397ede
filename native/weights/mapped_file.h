// mapped_file.h: a file of weights in the address space, for as long as somebody looks at it.
//
// The mapping is private and writable: what JavaScript writes goes into a copy of that page alone, reaches neither the
// file nor another process nor another mapping of it, and is not charged before it happens (MAP_NORESERVE).  Where a
// file may vanish under its pages (network file systems) it has memory of its own instead, which LoadFile fills.
//
// What goes through here can not fault: Read uses the file, not the pages (fault_guard.h is for who reads those).  A
// file that was cut or replaced since is told by Changed.
//
// Lifetime  counted (std::shared_ptr); unmapped with the last owner, on whatever thread.
// Threads   any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"

namespace zerohop {

// kDirect reads as kRead does, but past the system's page cache where the file system can (O_DIRECT).
enum class MapStrategy { kAuto, kMap, kRead, kDirect };

struct FileRange {
  uint64_t begin, end;
};

class MappedFile {
 public:
  // A regular file of at least one byte.  `follow`: whether the last part of the path may be a link.  Where it is not
  // mapped, its memory is zeros until LoadFile.
  static Result<std::shared_ptr<MappedFile>> Open(const std::string& path, MapStrategy strategy, bool follow);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::byte* bytes() const { return bytes_; }
  uint64_t size() const { return size_; }
  bool mapped() const { return mapped_; }

  // What it is, beside its path: the same as long as nobody replaced or wrote to it.
  struct Identity {
    uint64_t device, inode, size;
    int64_t modified_ns;
    bool operator==(const Identity&) const = default;
  };
  const Identity& identity() const { return identity_; }
  // The file is not what it was when it was opened.
  bool Changed() const;

  // Copies from the file, not from the pages.  kIo: the file was cut, or can not be read.
  Status Read(uint64_t from, std::span<std::byte> out) const;

  // As Read, into memory of whole pages at a place of the file that begins one: past the page cache, with kDirect.
  Status ReadPages(uint64_t from, std::span<std::byte> out) const;

  // Tells the system what is about to be used; returns false where it can not be told.
  bool WillNeed(uint64_t from, uint64_t bytes) const;
  // Keeps the pages in memory.
  Status Lock() const;
  uint64_t ResidentBytes() const;

 private:
  MappedFile() = default;

  int file_ = -1;
  int direct_file_ = -1;  // the same, past the page cache
  std::byte* bytes_ = nullptr;
  uint64_t size_ = 0;
  bool mapped_ = false;
  Identity identity_{};
};

}  // namespace zerohop
