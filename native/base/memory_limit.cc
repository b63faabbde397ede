#include "base/memory_limit.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace zerohop {
namespace {

// The number in a limit file; no limit for "max", garbage or no file.
uint64_t ReadLimit(const std::string& path) {
  std::ifstream file(path);
  uint64_t limit = 0;
  return (file >> limit) && limit > 0 ? limit : UINT64_MAX;
}

// The smallest limit of `group` and its parents, the mount's root included.
uint64_t SmallestUpward(const std::string& mount, std::string group, const std::string& name) {
  uint64_t smallest = UINT64_MAX;
  for (;;) {
    smallest = std::min(smallest, ReadLimit(std::string(mount).append(group).append("/").append(name)));
    const size_t cut = group.find_last_of('/');
    if (group.empty() || cut == std::string::npos) return smallest;
    group.erase(cut);
  }
}

// True if `name` is one of the comma-separated `controllers`.
bool Lists(const std::string& controllers, const std::string& name) {
  std::istringstream each(controllers);
  for (std::string one; std::getline(each, one, ',');) {
    if (one == name) return true;
  }
  return false;
}

}  // namespace

uint64_t MemoryLimitBytes(uint64_t physical_bytes, const std::string& root) {
  const std::string mount = root + "/sys/fs/cgroup";
  uint64_t limit = physical_bytes;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "hierarchy:controllers:/path"
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    if (controllers.empty()) {
      limit = std::min(limit, SmallestUpward(mount, path, "memory.max"));
      limit = std::min(limit, SmallestUpward(mount + "/unified", path, "memory.max"));
    } else if (Lists(controllers, "memory")) {
      limit = std::min(limit, SmallestUpward(mount + "/memory", path, "memory.limit_in_bytes"));
    }
  }
  return limit;
}

}  // namespace zerohop
