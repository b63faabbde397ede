#include "weights/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/vfs.h>
#endif

#include "base/os_memory.h"

namespace zerohop {
namespace {

constexpr size_t kPage = 4096;
// A system may read less than it was asked for; and no more than 2 GiB at once.
constexpr size_t kReadMost = size_t{1} << 30;

std::string ErrorText(int error) { return std::system_category().message(error); }

#if defined(__APPLE__)
constexpr int kUncharged = 0;  // this system charges nothing before it happens
const timespec& Modified(const struct stat& facts) { return facts.st_mtimespec; }
const timespec& StatusChanged(const struct stat& facts) { return facts.st_ctimespec; }
#else
constexpr int kUncharged = MAP_NORESERVE;
const timespec& Modified(const struct stat& facts) { return facts.st_mtim; }
const timespec& StatusChanged(const struct stat& facts) { return facts.st_ctim; }
#endif

int64_t Nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

MappedFile::Identity IdentityOf(const struct stat& facts) {
  return {static_cast<uint64_t>(facts.st_dev), static_cast<uint64_t>(facts.st_ino),
          static_cast<uint64_t>(facts.st_size), Nanoseconds(Modified(facts)), Nanoseconds(StatusChanged(facts))};
}

// Opens the same file again, for reads past the page cache; -1 if the system does not allow that.
int OpenDirect([[maybe_unused]] int file) {
#if defined(__linux__)
  // By the descriptor, because the name may be another file's by now.
  return ::open(("/proc/self/fd/" + std::to_string(file)).c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
#else
  return -1;
#endif
}

// Whether another machine, or a program that serves the file system, may cut the file while it is open here.
bool OnNetwork([[maybe_unused]] int file) {
#if defined(__linux__)
  // NFS, SMB, SMB2, CIFS, AFS, Ceph, 9P, FUSE, Lustre, GPFS, Coda, NCP (statfs(2)).
  constexpr std::array<uint32_t, 12> kRemote = {0x6969,     0x517b,     0xfe534d42, 0xff534d42, 0x5346414f, 0x00c36400,
                                                0x01021997, 0x65735546, 0x0bd00bd0, 0x47504653, 0x73757245, 0x564c};
  struct statfs facts;
  if (::fstatfs(file, &facts) != 0) return false;
  return std::find(kRemote.begin(), kRemote.end(), static_cast<uint32_t>(facts.f_type)) != kRemote.end();
#else
  return false;
#endif
}

}  // namespace

Result<std::shared_ptr<MappedFile>> MappedFile::Open(const std::string& path, MapStrategy strategy, bool follow) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW));
  if (file < 0) return Refused(errno);
  const std::shared_ptr<MappedFile> opened(new MappedFile);
  opened->file_ = file;
  struct stat facts;
  if (::fstat(file, &facts) != 0) return Refused(errno);
  if (!S_ISREG(facts.st_mode)) return Status(Code::kIo, "expected a regular file");
  opened->identity_ = IdentityOf(facts);
  opened->NoteNames(facts.st_nlink);
  opened->owner_ = facts.st_uid;
  opened->mode_ = facts.st_mode & 07777;
  const uint64_t size = opened->size();
  if (size == 0) return Status(Code::kIo, "expected a file of weights, found an empty one");
  const bool read = strategy == MapStrategy::kRead || strategy == MapStrategy::kDirect ||
                    (strategy == MapStrategy::kAuto && OnNetwork(file));
  void* at = read ? MapZerosInHugePages(size)
                  : ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | kUncharged, file, 0);
  if (at == MAP_FAILED || at == nullptr) {
    const int error = errno;
    return Status(Refused(error).code(),
                  (error == ENOMEM ? "no address space for it: " : "it cannot be mapped: ") + ErrorText(error));
  }
  opened->pages_ = std::make_shared<FilePages>(static_cast<std::byte*>(at), size);
  opened->mapped_ = !read;
#if defined(MADV_DONTDUMP)
  ::madvise(at, size, MADV_DONTDUMP);  // if it fails, nothing is lost
#endif
  if (strategy == MapStrategy::kDirect) opened->direct_file_ = OpenDirect(file);
  // The file may have been cut between the two calls.
  if (opened->Changed()) return Status(Code::kChanged, "changed while it was opened");
  return opened;
}

FilePages::~FilePages() { ::munmap(bytes_, size_); }

void FilePages::Discard() const {
  discarded_.store(true);
  // In one step, so the range is mapped at every moment.  If the system refuses, the memory goes with the last owner.
  (void)::mmap(bytes_, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | kUncharged, -1, 0);
}

void FilePages::Unlock() const { ::munlock(bytes_, size_); }

MappedFile::~MappedFile() {
  for (const int file : {file_, direct_file_}) {
    if (file >= 0) ::close(file);
  }
}

bool MappedFile::Changed() const {
  struct stat facts;
  if (::fstat(file_, &facts) != 0) return true;
  Identity now = IdentityOf(facts);
  const int64_t changed_ns = std::exchange(now.changed_ns, identity_.changed_ns);
  if (now != identity_ || facts.st_uid != owner_ || (facts.st_mode & 07777) != mode_) return true;
  // Replacing a file by renaming takes the name from the old one, and that sets the old one's time.  From then on that
  // time is compared.
  MutexLock lock(names_mutex_);
  if (facts.st_nlink != std::exchange(names_, facts.st_nlink)) changed_ns_ = changed_ns;
  return changed_ns != changed_ns_;
}

Status MappedFile::Read(uint64_t from, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(file_, out.data(), std::min(out.size(), kReadMost), static_cast<off_t>(from));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {Code::kUnreadable, "reading failed: " + ErrorText(errno)};
    if (got == 0) return {Code::kChanged, "the file was cut at byte " + std::to_string(from)};
    from += static_cast<uint64_t>(got);
    out = out.subspan(static_cast<size_t>(got));
  }
  return {};
}

Status MappedFile::ReadPages(uint64_t from, std::span<std::byte> out) const {
  if (direct_file_ < 0) return Read(from, out);
  size_t done = 0;
  while (done < out.size()) {
    // Whole pages: the memory goes on to the end of its last page.
    const size_t rest = (out.size() - done + kPage - 1) / kPage * kPage;
    const ssize_t got =
        ::pread(direct_file_, out.data() + done, std::min(rest, kReadMost), static_cast<off_t>(from + done));
    if (got < 0 && errno == EINTR) continue;
    // Some file systems open a file in this way and then do not read it.  A file that was cut may end within a page.
    if (got <= 0 || static_cast<size_t>(got) % kPage != 0) {
      const size_t known = done + static_cast<size_t>(std::max<ssize_t>(got, 0));
      return known >= out.size() ? Status() : Read(from + known, out.subspan(known));
    }
    done += static_cast<size_t>(got);
  }
  return {};
}

bool MappedFile::WillNeed(uint64_t from, uint64_t bytes) const {
  if (!mapped_ || from >= size()) return !mapped_;
  const uint64_t start = from / kPage * kPage;
  return ::madvise(this->bytes() + start, std::min(bytes, size() - from) + (from - start), MADV_WILLNEED) == 0;
}

Status MappedFile::Lock() const {
  if (::mlock(bytes(), size()) == 0) return {};
  return {Code::kNoMemory,
          "the system does not keep " + std::to_string(size()) + " bytes in memory: " + ErrorText(errno)};
}

uint64_t MappedFile::ResidentBytes() const {
  constexpr size_t kPagesAtOnce = size_t{1} << 16;
  std::vector<unsigned char> pages(kPagesAtOnce);
  uint64_t resident = 0;
  for (uint64_t at = 0; at < size(); at += kPagesAtOnce * kPage) {
    const uint64_t bytes = std::min<uint64_t>(size() - at, kPagesAtOnce * kPage);
#if defined(__APPLE__)
    auto* const vector = reinterpret_cast<char*>(pages.data());
#else
    auto* const vector = pages.data();
#endif
    if (::mincore(this->bytes() + at, bytes, vector) != 0) return resident;
    for (uint64_t page = 0; page * kPage < bytes; ++page) resident += (pages[page] & 1) != 0 ? kPage : 0;
  }
  return std::min(resident, size());
}

}  // namespace zerohop
