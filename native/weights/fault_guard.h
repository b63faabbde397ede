// fault_guard.h: reads of mapped pages whose file may be cut meanwhile.  The system then raises SIGBUS: here that ends
// the read, not the process.
//
// The handler is installed with the first read.  It passes other faults on to the handler that was there before.
// Threads   any; a read is its own thread's.
#pragma once

#include <csetjmp>
#include <cstddef>

namespace zerohop {

// The range that this thread reads now.
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

// Runs `read`, which reads from [begin, begin + bytes); false if one of the pages is gone.  `read` is left where it
// faulted, so it must hold nothing there that has a destructor.
template <class Read>
bool ReadGuarded(const void* begin, size_t bytes, const Read& read) {
  FaultGuard guard(begin, bytes);
  // The signal mask is not saved, which would be a system call.  The handler unblocks what it must.
  if (sigsetjmp(guard.back(), 0) != 0) return false;
  read();
  return true;
}

}  // namespace zerohop
