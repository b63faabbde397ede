// Files in the address space: what is read, hashed and warmed is what the file holds, and a file that changes is told.
#include "weights/mapped_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/constants.h"
#include "base/os_memory.h"
#include "check.h"
#include "weights/digest.h"
#include "weights/fault_guard.h"
#include "weights/load.h"

namespace zerohop {
namespace {

// A file of its own, gone afterwards.
class OwnFile {
 public:
  explicit OwnFile(const std::vector<std::byte>& content) {
    const int file = ::mkstemp(path_);
    REQUIRE(file >= 0);
    REQUIRE(::write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    ::close(file);
  }
  ~OwnFile() { ::unlink(path_); }
  OwnFile(const OwnFile&) = delete;
  OwnFile& operator=(const OwnFile&) = delete;
  const char* path() const { return path_; }
  void SetTimeBack() const {
    const timeval times[2] = {{1, 0}, {1, 0}};
    REQUIRE(::utimes(path_, times) == 0);
  }

 private:
  char path_[32] = "/tmp/zerohop-test-XXXXXX";
};

std::vector<std::byte> SomeBytes(size_t count) {
  check::Random random(check::Seed());
  std::vector<std::byte> bytes(count);
  for (std::byte& each : bytes) each = static_cast<std::byte>(random.Next());
  return bytes;
}

std::shared_ptr<MappedFile> Opened(const OwnFile& file, MapStrategy strategy = MapStrategy::kAuto) {
  auto opened = MappedFile::Open(file.path(), strategy, true);
  REQUIRE(opened.ok());
  const auto& value = opened.value();
  if (!value->mapped()) REQUIRE(LoadFile(*value, 2, [](uint64_t) { return true; }).ok());
  return value;
}

FileRange AllOf(const MappedFile& file) { return {0, file.size()}; }

// Leaf by leaf, as docs/WEIGHTS.md has it.
Digest PlainRoot(const std::vector<std::byte>& content, size_t from, size_t leaves) {
  if (leaves == 1) {
    const std::byte mark{0};
    const size_t bytes = std::min<size_t>(kLeafBytes, content.size() - from);
    return Sha3From({}, {{&mark, 1}, {content.data() + from, bytes}});
  }
  size_t left = 1;
  while (left * 2 < leaves) left *= 2;
  const Digest a = PlainRoot(content, from, left);
  const Digest b = PlainRoot(content, from + left * kLeafBytes, leaves - left);
  std::vector<std::byte> both(a.begin(), a.end());
  both.insert(both.end(), b.begin(), b.end());
  const std::byte mark{1};
  return Sha3From({}, {{&mark, 1}, both});
}

// Reads a byte of each page.  Unseen by the thread sanitizer, for which a mapping that takes the place of another is a
// write: that is what is tried here.
__attribute__((no_sanitize("thread"), noinline)) void Touch(const FilePages& pages) {
  volatile std::byte each{};
  for (size_t i = 0; i < pages.size(); i += 4096) each = pages.bytes()[i];
  static_cast<void>(each);
}

constexpr auto kGoOn = [](uint64_t) { return true; };

}  // namespace

TEST(MappedFile, ShowsTheFileAndKeepsWhatIsWrittenToItself) {
  const std::vector<std::byte> content = SomeBytes(100'000);
  const OwnFile file(content);
  for (const MapStrategy strategy : {MapStrategy::kMap, MapStrategy::kRead, MapStrategy::kDirect}) {
    const auto one = Opened(file, strategy), other = Opened(file, strategy);
    CHECK_EQ(one->size(), content.size());
    CHECK(std::equal(content.begin(), content.end(), one->bytes()));
    one->bytes()[5] ^= std::byte{1};
    CHECK(other->bytes()[5] == content[5]);
    std::vector<std::byte> read(10);
    CHECK(one->Read(0, read).ok());
    CHECK(read[5] == content[5]);
    CHECK(!one->Changed());
    CHECK(one->ResidentBytes() <= content.size());
  }
}

TEST(MappedFile, TellsThatItWasCut) {
  const OwnFile file(SomeBytes(50'000));
  const auto opened = Opened(file);
  REQUIRE(::truncate(file.path(), 100) == 0);
  CHECK(opened->Changed());
  std::vector<std::byte> read(200);
  CHECK(opened->Read(0, read).code() == Code::kChanged);
  CHECK(DigestOfFile(*opened, AllOf(*opened), 2, kGoOn).status().code() == Code::kChanged);
  const FileRange all{0, opened->size()};
  CHECK(WarmFile(*opened, {&all, 1}, 2, kGoOn).code() == Code::kChanged);
}

TEST(MappedFile, LeavesZerosIfItIsDiscardedWhileItIsLoaded) {
  const std::vector<std::byte> content(size_t{24} << 20, std::byte{7});
  const OwnFile file(content);
  const auto opened = MappedFile::Open(file.path(), MapStrategy::kRead, true);
  REQUIRE(opened.ok());
  auto other = opened;
  const MappedFile& loaded = *other.value();
  const Status status = LoadFile(loaded, 1, [&](uint64_t) {
    loaded.pages()->Discard();
    return true;
  });
  CHECK(status.code() == Code::kClosed);
  CHECK(
      std::all_of(loaded.bytes(), loaded.bytes() + loaded.size(), [](std::byte each) { return each == std::byte{0}; }));
}

TEST(MappedFile, TellsAWriteWhoseTimeWasSetBack) {
  const OwnFile file(SomeBytes(5000));
  file.SetTimeBack();
  const auto opened = Opened(file);
  // As often as the system's clock needs to go on.
  do {
    const int writer = ::open(file.path(), O_WRONLY);
    CHECK_EQ(::pwrite(writer, "other", 5, 100), 5);
    ::close(writer);
    file.SetTimeBack();
    CHECK_EQ(Opened(file)->identity().modified_ns, opened->identity().modified_ns);
  } while (Opened(file)->identity().changed_ns == opened->identity().changed_ns);
  CHECK(opened->Changed());
}

TEST(MappedFile, IsNotChangedByTheLossOfItsName) {
  auto file = std::make_unique<OwnFile>(SomeBytes(5000));
  const auto opened = Opened(*file);
  file.reset();
  CHECK(!opened->Changed());
}

TEST(MappedFile, IsNotChangedByAnotherNameThatComesAndGoesAgain) {
  const OwnFile file(SomeBytes(5000));
  const auto opened = Opened(file);
  const std::string other = std::string(file.path()) + "-other";
  REQUIRE(::link(file.path(), other.c_str()) == 0);
  CHECK(!opened->Changed());
  REQUIRE(::unlink(other.c_str()) == 0);
  CHECK(!opened->Changed());
}

TEST(MappedFile, TellsAWriteWhoseTimeWasSetBackAlsoAfterAnotherNameCame) {
  const OwnFile file(SomeBytes(5000));
  file.SetTimeBack();
  const auto opened = Opened(file);
  const std::string other = std::string(file.path()) + "-other";
  REQUIRE(::link(file.path(), other.c_str()) == 0);
  CHECK(!opened->Changed());
  const int64_t linked_ns = Opened(file)->identity().changed_ns;
  do {  // until the system's clock has gone on
    const int writer = ::open(file.path(), O_WRONLY);
    CHECK_EQ(::pwrite(writer, "other", 5, 100), 5);
    ::close(writer);
    file.SetTimeBack();
  } while (Opened(file)->identity().changed_ns == linked_ns);
  CHECK(opened->Changed());
  ::unlink(other.c_str());
}

TEST(FilePages, OutliveTheirFile) {
  const std::vector<std::byte> content = SomeBytes(100'000);
  const OwnFile file(content);
  for (const MapStrategy strategy : {MapStrategy::kMap, MapStrategy::kRead}) {
    auto opened = Opened(file, strategy);
    const std::shared_ptr<FilePages> pages = opened->pages();
    opened.reset();
    CHECK(std::equal(content.begin(), content.end(), pages->bytes()));
  }
}

TEST(FilePages, AreZerosInTheirPlaceWhenTheyAreDiscarded) {
  const OwnFile file(SomeBytes(100'000));
  for (const MapStrategy strategy : {MapStrategy::kMap, MapStrategy::kRead}) {
    const std::shared_ptr<FilePages> pages = Opened(file, strategy)->pages();
    // Somebody reads all the time: there must be something at every moment.
    std::atomic<bool> done{false};
    std::thread reader([&] {
      while (!done) Touch(*pages);
    });
    pages->Discard();
    done = true;
    reader.join();
    const auto is_zero = [](std::byte each) { return each == std::byte{0}; };
    CHECK(std::all_of(pages->bytes(), pages->bytes() + pages->size(), is_zero));
    const auto other = Opened(file, strategy);
    const bool apart =
        other->bytes() + other->size() <= pages->bytes() || other->bytes() >= pages->bytes() + pages->size();
    CHECK(apart);
  }
}

TEST(MappedFile, LoadsWhateverIsThereInPieces) {
  for (const size_t bytes : {size_t{1}, size_t{4095}, size_t{4096}, size_t{8} << 20, (size_t{24} << 20) + 4097}) {
    const std::vector<std::byte> content = SomeBytes(bytes);
    const OwnFile file(content);
    for (const MapStrategy strategy : {MapStrategy::kRead, MapStrategy::kDirect}) {
      const auto opened = Opened(file, strategy);
      CHECK(!opened->mapped());
      CHECK(std::equal(content.begin(), content.end(), opened->bytes()));
    }
  }
}

#if defined(__linux__)
// Huge pages are taken whole: a part of one would keep the rest of it in memory.
TEST(MappedFile, LiesInHugePagesIfItIsReadAndNeverInMoreThanItsSize) {
  const std::vector<std::byte> content = SomeBytes(3 * kHugePageBytes + 5000);
  const OwnFile file(content);
  const auto opened = Opened(file, MapStrategy::kRead);
  CHECK_EQ(reinterpret_cast<uintptr_t>(opened->bytes()) % kHugePageBytes, uintptr_t{0});
  CHECK(std::equal(content.begin(), content.end(), opened->bytes()));
  const std::span<const std::byte> range(opened->bytes(), opened->size());
  CHECK(BytesInHugePages({&range, 1}) <= 3 * kHugePageBytes);
  CHECK_EQ(opened->ResidentBytes(), opened->size());
}
#endif

TEST(MappedFile, IsNotLoadedFromAFileThatWasCut) {
  const std::vector<std::byte> content = SomeBytes(20'000'000);
  for (const off_t left : {off_t{0}, off_t{5'000'000}, off_t{19'999'999}}) {
    for (const MapStrategy strategy : {MapStrategy::kRead, MapStrategy::kDirect}) {
      const OwnFile file(content);
      auto opened = MappedFile::Open(file.path(), strategy, true);
      REQUIRE(opened.ok());
      REQUIRE(::truncate(file.path(), left) == 0);
      CHECK(!LoadFile(*opened.value(), 2, kGoOn).ok());
    }
  }
}

TEST(ReadGuarded, EndsAReadOfPagesThatAreNoMore) {
  const OwnFile file(SomeBytes(100'000));
  const auto opened = Opened(file, MapStrategy::kMap);
  std::vector<std::byte> out(opened->size());
  const auto copy = [&] { std::memcpy(out.data(), opened->bytes(), out.size()); };
  CHECK(ReadGuarded(opened->bytes(), opened->size(), copy));
  REQUIRE(::truncate(file.path(), 4096) == 0);
  for (int again = 0; again < 3; ++again) CHECK(!ReadGuarded(opened->bytes(), opened->size(), copy));
  // Guards within guards: the one whose memory it is ends.
  const bool inner = ReadGuarded(opened->bytes(), opened->size(), [&] {
    CHECK(ReadGuarded(out.data(), out.size(), [] {}));
    std::memcpy(out.data(), opened->bytes() + 50'000, 10);
  });
  CHECK(!inner);
  CHECK(ReadGuarded(opened->bytes(), 4096, [&] { std::memcpy(out.data(), opened->bytes(), 4096); }));
  // Other threads' guards are their own.
  bool theirs = true;
  std::thread other([&] { theirs = ReadGuarded(opened->bytes(), opened->size(), copy); });
  other.join();
  CHECK(!theirs);
}

TEST(MappedFile, RefusesWhatIsNoFile) {
  for (const char* path : {"/tmp", "/dev/null", "/nowhere/at/all"}) {
    CHECK(!MappedFile::Open(path, MapStrategy::kAuto, true).ok());
  }
  const OwnFile empty({});
  CHECK(!MappedFile::Open(empty.path(), MapStrategy::kAuto, true).ok());
  const OwnFile file(SomeBytes(10));
  const std::string link = std::string(file.path()) + "-link";
  REQUIRE(::symlink(file.path(), link.c_str()) == 0);
  CHECK(MappedFile::Open(link, MapStrategy::kAuto, true).ok());
  CHECK(!MappedFile::Open(link, MapStrategy::kAuto, false).ok());
  ::unlink(link.c_str());
}

TEST(Digest, IsTheRootOfATreeHoweverManyThreadsMakeIt) {
  for (const size_t bytes :
       {size_t{1}, size_t{kLeafBytes}, size_t{kLeafBytes} + 1, size_t{3} * kLeafBytes, size_t{19} * kLeafBytes + 77}) {
    const std::vector<std::byte> content = SomeBytes(bytes);
    const OwnFile file(content);
    const auto opened = Opened(file);
    const Digest wanted = PlainRoot(content, 0, (bytes + kLeafBytes - 1) / kLeafBytes);
    for (const unsigned threads : {1u, 3u}) {
      std::atomic<uint64_t> done{0};
      auto made = DigestOfFile(*opened, AllOf(*opened), threads, [&done](uint64_t more) {
        done += more;
        return true;
      });
      REQUIRE(made.ok());
      CHECK(made.value() == wanted);
      CHECK_EQ(done.load(), bytes);
    }
    CHECK(!DigestOfFile(*opened, AllOf(*opened), 2, [](uint64_t) { return false; }).ok());
  }
}

TEST(WarmFile, ReadsEveryByteOnce) {
  const OwnFile file(SomeBytes(20'000'000));
  const auto opened = Opened(file);
  const FileRange ranges[] = {{0, 5}, {1'000'000, 19'000'000}, {19'999'999, 20'000'000}};
  std::atomic<uint64_t> done{0};
  CHECK(WarmFile(*opened, ranges, 3, [&done](uint64_t more) {
          done += more;
          return true;
        }).ok());
  CHECK_EQ(done.load(), 5u + 18'000'000u + 1u);
  CHECK(!WarmFile(*opened, ranges, 3, [](uint64_t) { return false; }).ok());
}

}  // namespace zerohop
