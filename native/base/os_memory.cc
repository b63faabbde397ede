#include "base/os_memory.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <fcntl.h>
#endif

#include "base/constants.h"
#include "base/sanitizers.h"

namespace zerohop {
namespace {

#if defined(MAP_NORESERVE)
constexpr int kNoReserve = MAP_NORESERVE;
#else
constexpr int kNoReserve = 0;
#endif

Status Refused(const char* what, size_t bytes) {
  std::string why = std::generic_category().message(errno);
  const uint64_t left = AddressSpaceLeftBytes();
  if (left != UINT64_MAX) why += " (ulimit -v or -d leaves " + std::to_string(left) + " bytes)";
  return {Code::kNoMemory, std::string(what) + " of " + std::to_string(bytes) + " bytes: " + why};
}

// Of the pages that this system maps: 4 KiB, or up to 64 KiB on arm64.
size_t SystemPageBytes() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }

// Maps `bytes` aligned to `alignment` by asking for more and giving the ends back.
std::byte* MapAligned(size_t bytes, size_t alignment, int protection, int flags) {
  bytes = AlignUp(bytes, SystemPageBytes());  // munmap takes no end that begins within a page
  const size_t asked = bytes + alignment;
  void* base = ::mmap(nullptr, asked, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  const auto start = reinterpret_cast<uintptr_t>(base);
  const uintptr_t aligned = AlignUp(start, alignment);
  if (aligned > start) ::munmap(base, aligned - start);
  const size_t behind = (start + asked) - (aligned + bytes);
  if (behind > 0) ::munmap(reinterpret_cast<void*>(aligned + bytes), behind);
  return reinterpret_cast<std::byte*>(aligned);
}

}  // namespace

Result<Mapping> Mapping::Reserve(size_t bytes, size_t alignment, MappingKind kind) {
  Mapping mapping;
  mapping.bytes_ = bytes;
  if (kind == MappingKind::kPrivate) {
    mapping.writable_ = mapping.readable_ = MapAligned(bytes, alignment, PROT_READ | PROT_WRITE, kNoReserve);
    if (mapping.writable_ == nullptr) return Refused("reserving an arena", bytes);
#if defined(__linux__)
    // Advice only: where huge pages or the flag are not to be had, everything still works.
    if (alignment >= kHugePageBytes) ::madvise(mapping.writable_, bytes, MADV_HUGEPAGE);
    ::madvise(mapping.writable_, bytes, MADV_DONTFORK);
#endif
    return mapping;
  }
#if defined(__linux__)
  mapping.file_ = ::memfd_create("zerohop", MFD_CLOEXEC);
  if (mapping.file_ < 0 || ::ftruncate(mapping.file_, static_cast<off_t>(bytes)) != 0) {
    return Refused("making a memory file", bytes);
  }
  const auto map = [&mapping, bytes, alignment](int protection) -> std::byte* {
    std::byte* at = MapAligned(bytes, alignment, PROT_NONE, kNoReserve);
    if (at == nullptr) return nullptr;
    void* got = ::mmap(at, bytes, protection, MAP_SHARED | MAP_FIXED | kNoReserve, mapping.file_, 0);
    if (got == MAP_FAILED) ::munmap(at, bytes);
    return got == MAP_FAILED ? nullptr : at;
  };
  mapping.writable_ = map(PROT_READ | PROT_WRITE);
  mapping.readable_ = mapping.writable_ == nullptr ? nullptr : map(PROT_READ);
  if (mapping.readable_ == nullptr) return Refused("mapping a memory file", bytes);
  ::madvise(mapping.writable_, bytes, MADV_DONTFORK);
  ::madvise(mapping.readable_, bytes, MADV_DONTFORK);
  return mapping;
#else
  return Status{Code::kIo, "verify: 'trap' needs Linux; use verify: 'sample'"};
#endif
}

Mapping::Mapping(Mapping&& other) noexcept { *this = std::move(other); }

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(writable_, other.writable_);
  std::swap(readable_, other.readable_);
  std::swap(bytes_, other.bytes_);
  std::swap(file_, other.file_);
  return *this;
}

void Mapping::Release() {
  if (readable_ != nullptr && readable_ != writable_) ::munmap(readable_, bytes_);
  if (writable_ != nullptr) ::munmap(writable_, bytes_);
  if (file_ >= 0) ::close(file_);
  writable_ = readable_ = nullptr;
  file_ = -1;
}

void Mapping::Decommit(size_t offset, size_t bytes) const {
#if defined(__linux__)
  if (file_ >= 0) {
    ::fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                static_cast<off_t>(bytes));
    return;
  }
  ::madvise(writable_ + offset, bytes, MADV_DONTNEED);
#else
  // MADV_DONTNEED keeps the pages on macOS; mapping anew over them gives them back.
  ::mmap(writable_ + offset, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
#endif
}

size_t Mapping::ResidentBytes() const {
  if (writable_ == nullptr) return 0;
  const size_t page = SystemPageBytes();
  const size_t pages = AlignUp(bytes_, page) / page;
#if defined(__linux__)
  std::vector<unsigned char> resident(pages);
#else
  std::vector<char> resident(pages);
#endif
  if (::mincore(writable_, bytes_, resident.data()) != 0) return 0;
  size_t count = 0;
  for (const auto each : resident) count += each & 1;
  return count * page;
}

void* MapZeros(size_t bytes) {
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

void* MapZerosInHugePages(size_t bytes) {
#if defined(__linux__)
  if (bytes >= kHugePageBytes) {
    void* const at = MapAligned(bytes, kHugePageBytes, PROT_READ | PROT_WRITE, 0);
    if (at != nullptr) ::madvise(at, bytes, MADV_HUGEPAGE);
    return at;
  }
#endif
  return MapZeros(bytes);
}

void Unmap(void* at, size_t bytes) { ::munmap(at, bytes); }

void* Remap(void* at, size_t bytes, size_t new_bytes) {
#if defined(__linux__) && !defined(ZEROHOP_TSAN)
  // ThreadSanitizer does not know mremap: what other threads once did at the new place would look like a race.
  void* const moved = ::mremap(at, bytes, new_bytes, MREMAP_MAYMOVE);
  return moved == MAP_FAILED ? nullptr : moved;
#else
  void* const moved = MapZeros(new_bytes);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, at, std::min(bytes, new_bytes));
  Unmap(at, bytes);
  return moved;
#endif
}

uint64_t BytesInHugePages([[maybe_unused]] std::span<const std::span<const std::byte>> ranges) {
  uint64_t huge = 0;
#if defined(__linux__)
  const auto begin_of = [](std::span<const std::byte> range) { return reinterpret_cast<uint64_t>(range.data()); };
  uint64_t last = 0;
  for (const auto range : ranges) last = std::max(last, begin_of(range) + range.size());
  std::ifstream maps("/proc/self/smaps");
  uint64_t overlap = 0;  // of the mapping whose lines are read, with all ranges
  for (std::string line; std::getline(maps, line);) {
    uint64_t from = 0, to = 0, kib = 0;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " ", &from, &to) == 2) {
      if (from >= last) break;  // they come in the order of their addresses
      overlap = 0;
      for (const auto range : ranges) {
        const uint64_t begin = std::max(from, begin_of(range)), end = std::min(to, begin_of(range) + range.size());
        overlap += begin < end ? end - begin : 0;
      }
    } else if (overlap > 0 && (std::sscanf(line.c_str(), "AnonHugePages: %" SCNu64, &kib) == 1 ||
                               std::sscanf(line.c_str(), "ShmemPmdMapped: %" SCNu64, &kib) == 1 ||
                               std::sscanf(line.c_str(), "FilePmdMapped: %" SCNu64, &kib) == 1)) {
      huge += std::min(kib << 10, overlap);
    }
  }
#endif
  return huge;
}

uint64_t PhysicalMemoryBytes() { return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * SystemPageBytes(); }

uint64_t AddressSpaceLeftBytes() {
  uint64_t left = UINT64_MAX;
#if defined(__linux__)
  // In pages: size, resident, shared, text, lib, data.
  uint64_t size = 0, skipped = 0, data = 0;
  std::ifstream("/proc/self/statm") >> size >> skipped >> skipped >> skipped >> skipped >> data;
  const uint64_t page = SystemPageBytes();
  const auto lower = [&left, page](int which, uint64_t pages) {
    rlimit limit{};
    if (::getrlimit(which, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    left = std::min<uint64_t>(left, limit.rlim_cur - std::min<uint64_t>(limit.rlim_cur, pages * page));
  };
  lower(RLIMIT_AS, size);
  lower(RLIMIT_DATA, data);
#endif
  return left;
}

}  // namespace zerohop
