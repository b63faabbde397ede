#include "base/process_fence.h"

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__SANITIZE_THREAD__)
#define ZEROHOP_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ZEROHOP_TSAN 1
#endif
#endif

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
