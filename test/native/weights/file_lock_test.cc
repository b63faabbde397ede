// A lock that is a file: one holder at a time, among threads and processes; free again when its holder ends.
#include "weights/file_lock.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

class OwnFolder {
 public:
  OwnFolder() { REQUIRE(::mkdtemp(path_) != nullptr); }
  ~OwnFolder() { ::rmdir(path_); }
  std::string file(const char* name) const { return std::string(path_) + "/" + name; }

 private:
  char path_[32] = "/tmp/zerohop-test-XXXXXX";
};

bool Exists(const std::string& path) {
  struct stat facts;
  return ::stat(path.c_str(), &facts) == 0;
}

}  // namespace

TEST(FileLock, IsHeldByOne) {
  const OwnFolder folder;
  const std::string path = folder.file("lock");
  {
    auto first = FileLock::TryTake(path, false);
    REQUIRE(first.ok());
    CHECK(first.value() != nullptr);
    auto second = FileLock::TryTake(path, false);
    REQUIRE(second.ok());
    CHECK(second.value() == nullptr);
    CHECK(Exists(path));
  }
  CHECK(!Exists(path));
  auto again = FileLock::TryTake(path, false);
  REQUIRE(again.ok());
  CHECK(again.value() != nullptr);
  CHECK(!FileLock::TryTake(folder.file("none/lock"), false).ok());
}

TEST(FileLock, IsForOtherUsersWhereItIsShared) {
  const OwnFolder folder;
  const std::string path = folder.file("lock");
  const mode_t mask = ::umask(022);
  for (const bool shared : {false, true}) {
    auto lock = FileLock::TryTake(path, shared);
    REQUIRE(lock.ok());
    CHECK(lock.value() != nullptr);
    struct stat facts;
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK_EQ(facts.st_mode & 0777u, shared ? 0644u : 0600u);
  }
  ::umask(mask);
}

TEST(FileLock, DoesNotWaitForAPipe) {
  const OwnFolder folder;
  const std::string path = folder.file("lock");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  auto lock = FileLock::TryTake(path, false);
  ::unlink(path.c_str());
}

TEST(FileLock, LetsOneAtATimeInAmongThreads) {
  const OwnFolder folder;
  const std::string path = folder.file("lock");
  std::atomic<int> inside{0}, entered{0}, most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        auto lock = FileLock::TryTake(path, false);
        REQUIRE(lock.ok());
        if (lock.value() == nullptr) continue;
        most = std::max(most.load(), ++inside);
        ++entered;
        std::this_thread::yield();
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(most.load(), 1);
  CHECK(entered > 0);
  CHECK(!Exists(path));
}

TEST(FileLock, IsFreeWhenItsHolderIsKilled) {
  const OwnFolder folder;
  const std::string path = folder.file("lock");
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto lock = FileLock::TryTake(path, false);
    const char told = lock.ok() && lock.value() != nullptr ? 'y' : 'n';
    if (::write(ready[1], &told, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char told = 0;
  REQUIRE(::read(ready[0], &told, 1) == 1);
  CHECK_EQ(told, 'y');
  auto busy = FileLock::TryTake(path, false);
  REQUIRE(busy.ok());
  CHECK(busy.value() == nullptr);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(Exists(path));  // nobody took it away
  auto free = FileLock::TryTake(path, false);
  REQUIRE(free.ok());
  CHECK(free.value() != nullptr);
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace zerohop
