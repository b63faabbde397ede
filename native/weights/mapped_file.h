// mapped_file.h: a file of weights in the address space, for as long as somebody uses it.
//
// The mapping is private and writable.  What JavaScript writes goes into a copy of that page.  It reaches neither the
// file nor another mapping, and takes no memory before it happens (MAP_NORESERVE).  Where a file may vanish under its
// pages (network file systems), it has memory of its own instead, which LoadFile fills.  That memory lies in huge pages
// where the system has them.
//
// Read cannot fault: it reads the file, not the pages.  Code that reads the pages uses fault_guard.h.  Changed tells
// whether the file was cut or written to since it was opened.
//
// Lifetime  counted (std::shared_ptr), on whatever thread.  The descriptors go with the last owner of the file: a
//           JavaScript handle, or work under way.  The pages go with the last owner of the mapping, which may be a
//           buffer that outlives the file.
// Threads   any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/mutex.h"
#include "base/status.h"

namespace zerohop {

// kDirect reads as kRead does, but past the system's page cache where the file system can (O_DIRECT).
enum class MapStrategy { kAuto, kMap, kRead, kDirect };

struct FileRange {
  uint64_t begin, end;
};

// Pages of the address space, unmapped with their last owner.
class FilePages {
 public:
  FilePages(std::byte* bytes, uint64_t size) : bytes_(bytes), size_(size) {}
  FilePages(const FilePages&) = delete;
  FilePages& operator=(const FilePages&) = delete;
  ~FilePages();

  std::byte* bytes() const { return bytes_; }
  uint64_t size() const { return size_; }

  // Gives the memory back and leaves zeros.  The range stays taken, so a late reader meets neither a fault nor another
  // file.  Whoever fills the pages asks `discarded` after each write; if it is true, it discards again what it wrote.
  void Discard() const;
  bool discarded() const { return discarded_.load(); }
  // The pages may leave memory again.
  void Unlock() const;

 private:
  std::byte* bytes_;
  uint64_t size_;
  mutable std::atomic<bool> discarded_{false};
};

class MappedFile {
 public:
  // Opens a regular file of at least one byte.  `follow`: whether the last part of the path may be a link.  If the file
  // is not mapped, its memory is zeros until LoadFile.
  static Result<std::shared_ptr<MappedFile>> Open(const std::string& path, MapStrategy strategy, bool follow);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::shared_ptr<FilePages>& pages() const { return pages_; }
  std::byte* bytes() const { return pages_->bytes(); }
  uint64_t size() const { return identity_.size; }
  bool mapped() const { return mapped_; }

  // Stays the same as long as nobody replaces the file or writes to it.  Programs can set the time of modification.
  // Only the system sets the time at which the inode changed.
  struct Identity {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns;
    bool operator==(const Identity&) const = default;
  };
  const Identity& identity() const { return identity_; }
  uint32_t owner() const { return owner_; }
  // Permission bits.
  uint32_t mode() const { return mode_; }
  // Whether the file is another one than when it was opened.  Another mode or owner counts as a change: it looks like a
  // write whose time was set back.  A name that came or went since the last call does not count.
  bool Changed() const;

  // Copies from the file, not from the pages.  kChanged: the file was cut.  kUnreadable: the system cannot read it.
  Status Read(uint64_t from, std::span<std::byte> out) const;

  // As Read, but past the page cache with kDirect.  REQUIRES: whole pages of memory, and a place in the file that is a
  // multiple of a page.
  Status ReadPages(uint64_t from, std::span<std::byte> out) const;

  // Tells the system which bytes are used next.  False where the system takes no such advice.
  bool WillNeed(uint64_t from, uint64_t bytes) const;
  // Keeps the pages in memory.
  Status Lock() const;
  uint64_t ResidentBytes() const;

 private:
  MappedFile() = default;

  int file_ = -1;
  int direct_file_ = -1;  // the same, past the page cache
  std::shared_ptr<FilePages> pages_;
  bool mapped_ = false;
  Identity identity_{};
  void NoteNames(uint64_t names) EXCLUDES(names_mutex_) {
    MutexLock lock(names_mutex_);
    names_ = names;
    changed_ns_ = identity_.changed_ns;
  }

  mutable Mutex names_mutex_;  // a leaf lock
  mutable uint64_t names_ GUARDED_BY(names_mutex_) = 0;
  mutable int64_t changed_ns_ GUARDED_BY(names_mutex_) = 0;  // of identity_, or when a name last came or went
  uint32_t owner_ = 0, mode_ = 0;
};

}  // namespace zerohop
