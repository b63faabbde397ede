// process_fence.h: a memory fence on every core that runs this process, asked for by one thread.
//
// On Linux this is membarrier(2), private expedited.  Where it is missing (macOS, old kernels, a seccomp filter),
// callers use locked instructions instead.  So they do under the thread sanitizer, which does not see the fence.
#pragma once

namespace zerohop {

// Registers the process at the first call.
bool ProcessFenceAvailable();

// REQUIRES: ProcessFenceAvailable().  Cost: some microseconds while other threads of the process run.
void ProcessFence();

}  // namespace zerohop
