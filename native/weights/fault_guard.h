// fault_guard.h: reads of pages whose file may be cut meanwhile: the system then raises SIGBUS, which ends the read
// here, and not the process.
//
// The handler is installed with the first read.  A fault of anybody else is passed on to whoever handled it before.
// Threads   any; a read is its own thread's.
#pragma once

#include <csetjmp>
#include <cstddef>

namespace zerohop {

// What this thread reads now.
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

// Runs `read`, which reads from [begin, begin + bytes); false if a page of it was no more.  `read` is left where it
// faulted: it must hold nothing then that has a destructor.
template <class Read>
bool ReadGuarded(const void* begin, size_t bytes, const Read& read) {
  FaultGuard guard(begin, bytes);
  // Without the signal mask: no call of the system.  The handler unblocks what it has to.
  if (sigsetjmp(guard.back(), 0) != 0) return false;
  read();
  return true;
}

}  // namespace zerohop
