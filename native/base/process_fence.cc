#include "base/process_fence.h"

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "base/sanitizers.h"

namespace zerohop {

#if defined(__linux__) && !defined(ZEROHOP_TSAN)

bool ProcessFenceAvailable() {
  static const bool available = ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return available;
}

void ProcessFence() { ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0); }

#else

bool ProcessFenceAvailable() { return false; }
void ProcessFence() {}

#endif

}  // namespace zerohop
