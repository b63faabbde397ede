// process_fence.h: a memory fence on every core that runs this process, asked for by one thread.
//
// Linux: membarrier(2), private expedited.  Not there (macOS, old kernels, a seccomp filter), or not visible to the
// thread sanitizer: the callers use locked instructions instead.
#pragma once

namespace zerohop {

// Registers the process at the first call.
bool ProcessFenceAvailable();

// REQUIRES: ProcessFenceAvailable().  Cost: some microseconds while other threads of the process run.
void ProcessFence();

}  // namespace zerohop
