// os_memory.h: address space from the operating system; the only file that maps memory.
//
// A Mapping is reserved once and filled by the kernel page by page as it is touched: reserving costs no memory.
// `Decommit` gives pages back; they read as zeros when they are touched again.
//
//   kPrivate   one anonymous private mapping: huge pages asked for, not inherited by fork (MADV_DONTFORK)
//   kMirrored  one memory file mapped twice: `writable()` for us, `readable()` without write permission for
//              JavaScript, so that a write through a view faults at once (debugging; Linux)
//
// Threads  Reserve, Release: one.  Decommit: any, for ranges that nobody reads or writes meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"

namespace zerohop {

enum class MappingKind { kPrivate, kMirrored };

class Mapping {
 public:
  // REQUIRES: `alignment` is a power of two, and at least kPageBytes.
  static Result<Mapping> Reserve(size_t bytes, size_t alignment, MappingKind kind);

  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { Release(); }

  std::byte* writable() const { return writable_; }
  std::byte* readable() const { return readable_; }  // the same address as writable() for kPrivate
  size_t bytes() const { return bytes_; }

  // Gives the pages of [offset, offset + bytes) back to the system.  REQUIRES: both numbers are multiples of
  // kPageBytes.
  void Decommit(size_t offset, size_t bytes) const;

  // Bytes of this mapping that are in memory now (mincore).  For kMirrored, the file's pages.
  size_t ResidentBytes() const;

 private:
  void Release();

  std::byte* writable_ = nullptr;
  std::byte* readable_ = nullptr;
  size_t bytes_ = 0;
  int file_ = -1;
};

// Zeroed memory straight from the system, for what is given back as a whole; null if there is none.
void* MapZeros(size_t bytes);
// The same in huge pages, if there is enough of it and the system has some: no page that is only partly used.
void* MapZerosInHugePages(size_t bytes);
void Unmap(void* at, size_t bytes);
// What MapZeros gave, `bytes` long, with another length and perhaps at another place: its pages move, and nothing is
// copied (Linux).  Null, and nothing has changed, if there is no memory.
void* Remap(void* at, size_t bytes, size_t new_bytes);

// How much of some ranges lies in huge pages now, all together; 0 where the system does not tell.  Their neighbours may
// share a mapping with them, and then it may be less.  Cost: the kernel looks at all pages of the process, some ms for
// a GB of small ones, once for all ranges.
uint64_t BytesInHugePages(std::span<const std::span<const std::byte>> ranges);

// Physical memory of the machine, in bytes.
uint64_t PhysicalMemoryBytes();

// Bytes that the limits of this process (`ulimit -v`, `ulimit -d`) leave for new mappings; UINT64_MAX without a limit.
// Only Linux enforces them.
uint64_t AddressSpaceLeftBytes();

}  // namespace zerohop
