// memory_limit.h: how much memory this process may use: the machine's, or less where a control group says so.
//
// A container's limit is the smallest one on the way from the process's group up to the root.  Version 2 of control
// groups keeps it in `memory.max`, version 1 in `memory/…/memory.limit_in_bytes`.  Inside a container, the path in
// /proc/self/cgroup is often the host's and does not exist under the mount.  Then the mount's own root is the group.
#pragma once

#include <cstdint>
#include <string>

namespace zerohop {

// `root` is a prefix of /proc and /sys, so that a test can give its own tree.  It is empty in production.
uint64_t MemoryLimitBytes(uint64_t physical_bytes, const std::string& root = "");

}  // namespace zerohop
