// fault_guard.h: reads of mapped pages whose file may be cut meanwhile.  The system then raises SIGBUS.  Here the
// signal ends the read, not the process (D61 in docs/DECISIONS.md).
//
// The handler is installed with the first read.  It passes other faults on to the handler that was there before.
//
// Threads   any.  A read belongs to its thread.
#pragma once

#include <csetjmp>
#include <cstddef>

namespace zerohop {

// The range that this thread reads at present.
class FaultGuard {
 public:
  FaultGuard(const void* begin, size_t bytes);
  ~FaultGuard();
  FaultGuard(const FaultGuard&) = delete;
  FaultGuard& operator=(const FaultGuard&) = delete;

  sigjmp_buf& back() { return back_; }

 private:
  friend struct FaultHandler;

  const std::byte* begin_;
  const std::byte* end_;
  FaultGuard* outer_;
  sigjmp_buf back_;
};

// Runs `read`, which reads from [begin, begin + bytes).  False: one of the pages is gone.  `read` is then left where it
// faulted, so it must hold nothing that has a destructor.
template <class Read>
bool ReadGuarded(const void* begin, size_t bytes, const Read& read) {
  FaultGuard guard(begin, bytes);
  // The signal mask is not saved, because that is a system call.  The handler unblocks what it must.
  if (sigsetjmp(guard.back(), 0) != 0) return false;
  read();
  return true;
}

}  // namespace zerohop
