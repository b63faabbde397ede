#include "base/memory_limit.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "check.h"

namespace zerohop {
namespace {

constexpr uint64_t kMachine = uint64_t{16} << 30;

// A root directory of its own with the files a test gives it; removed again.
class FakeRoot {
 public:
  FakeRoot() {
    std::string name = (std::filesystem::temp_directory_path() / "zerohop-limit-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~FakeRoot() { std::filesystem::remove_all(path_); }

  FakeRoot& Write(const std::string& file, const std::string& text) {
    const std::filesystem::path path = path_ + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << "\n";
    return *this;
  }
  FakeRoot& Groups(const std::string& text) { return Write("/proc/self/cgroup", text); }
  uint64_t Limit() const { return MemoryLimitBytes(kMachine, path_); }

 private:
  std::string path_;
};

}  // namespace

TEST(MemoryLimit, IsTheMachinesWhereThereAreNoControlGroups) { CHECK_EQ(FakeRoot().Limit(), kMachine); }

TEST(MemoryLimit, IsTheVersionTwoGroupsOwn) {
  FakeRoot root;
  root.Groups("0::/app").Write("/sys/fs/cgroup/app/memory.max", "1073741824");
  CHECK_EQ(root.Limit(), uint64_t{1} << 30);
}

TEST(MemoryLimit, IsTheSmallestOnTheWayUpToTheRoot) {
  FakeRoot root;
  root.Groups("0::/outer/middle/inner")
      .Write("/sys/fs/cgroup/outer/middle/inner/memory.max", "4000000000")
      .Write("/sys/fs/cgroup/outer/middle/memory.max", "max")
      .Write("/sys/fs/cgroup/outer/memory.max", "2000000000");
  CHECK_EQ(root.Limit(), uint64_t{2000000000});
  root.Write("/sys/fs/cgroup/memory.max", "1000000000");
  CHECK_EQ(root.Limit(), uint64_t{1000000000});
}

TEST(MemoryLimit, TakesMaxAndGarbageForNoLimit) {
  FakeRoot root;
  root.Groups("0::/app").Write("/sys/fs/cgroup/app/memory.max", "max");
  CHECK_EQ(root.Limit(), kMachine);
  root.Write("/sys/fs/cgroup/app/memory.max", "a lot");
  CHECK_EQ(root.Limit(), kMachine);
  root.Write("/sys/fs/cgroup/app/memory.max", "0");
  CHECK_EQ(root.Limit(), kMachine);
}

TEST(MemoryLimit, NeverExceedsTheMachine) {
  FakeRoot root;
  root.Groups("0::/app").Write("/sys/fs/cgroup/app/memory.max", "9223372036854771712");
  CHECK_EQ(root.Limit(), kMachine);
}

TEST(MemoryLimit, InAContainerWithTheHostsPathIsTheMountsOwn) {
  FakeRoot root;
  root.Groups("0::/system.slice/docker-0123.scope").Write("/sys/fs/cgroup/memory.max", "536870912");
  CHECK_EQ(root.Limit(), uint64_t{512} << 20);
}

TEST(MemoryLimit, ReadsTheMemoryControllerOfVersionOne) {
  FakeRoot root;
  root.Groups("5:cpu,cpuacct:/app\n4:memory:/app\n1:name=systemd:/app")
      .Write("/sys/fs/cgroup/memory/app/memory.limit_in_bytes", "268435456")
      .Write("/sys/fs/cgroup/cpu,cpuacct/app/memory.limit_in_bytes", "1");
  CHECK_EQ(root.Limit(), uint64_t{256} << 20);
}

TEST(MemoryLimit, ReadsVersionOnesUnlimitedNumberAsTheMachine) {
  FakeRoot root;
  root.Groups("4:memory:/").Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  CHECK_EQ(root.Limit(), kMachine);
}

TEST(MemoryLimit, FindsMemoryAmongControllersThatShareAHierarchy) {
  FakeRoot root;
  root.Groups("3:cpuset,memory:/app").Write("/sys/fs/cgroup/memory/app/memory.limit_in_bytes", "134217728");
  CHECK_EQ(root.Limit(), uint64_t{128} << 20);
}

TEST(MemoryLimit, InAVersionOneContainerWithTheHostsPathIsTheMountsOwn) {
  FakeRoot root;
  root.Groups("4:memory:/docker/0123").Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864");
  CHECK_EQ(root.Limit(), uint64_t{64} << 20);
}

TEST(MemoryLimit, ReadsVersionTwoBesideVersionOne) {
  FakeRoot root;
  root.Groups("4:memory:/app\n0::/app")
      .Write("/sys/fs/cgroup/memory/app/memory.limit_in_bytes", "900000000")
      .Write("/sys/fs/cgroup/unified/app/memory.max", "800000000");
  CHECK_EQ(root.Limit(), uint64_t{800000000});
}

TEST(MemoryLimit, SkipsLinesWithoutTwoColons) {
  FakeRoot root;
  root.Groups("garbage\n0\n0:\n0::/app").Write("/sys/fs/cgroup/app/memory.max", "123456789");
  CHECK_EQ(root.Limit(), uint64_t{123456789});
}

}  // namespace zerohop
