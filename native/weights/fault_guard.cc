#include "weights/fault_guard.h"

#include <csignal>

namespace zerohop {
namespace {

thread_local FaultGuard* innermost = nullptr;
struct sigaction before;

}  // namespace

struct FaultHandler {
  static bool Install() {
    struct sigaction action = {};
    action.sa_sigaction = Handle;
    // SIGBUS is not masked in the handler, because the handler is left by a jump.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    return ::sigaction(SIGBUS, &action, &before) == 0;
  }

  static void Handle(int number, siginfo_t* info, void* context) {
    const auto* const at = static_cast<const std::byte*>(info->si_addr);
    for (FaultGuard* guard = innermost; guard != nullptr; guard = guard->outer_) {
      if (at < guard->begin_ || at >= guard->end_) continue;
      // If another handler (a program's, a sanitizer's) called this one, SIGBUS is blocked.  The jump does not undo
      // that, and a fault while it is blocked ends the process.
      sigset_t this_signal;
      sigemptyset(&this_signal);
      sigaddset(&this_signal, number);
      ::pthread_sigmask(SIG_UNBLOCK, &this_signal, nullptr);
      siglongjmp(guard->back_, 1);
    }
    PassOn(number, info, context);
  }

  // Does what would happen without this handler.
  static void PassOn(int number, siginfo_t* info, void* context) {
    if ((before.sa_flags & SA_SIGINFO) != 0) {
      before.sa_sigaction(number, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
      before.sa_handler(number);
    } else {
      ::sigaction(number, &before, nullptr);
      // A signal that was sent, and not caused by an instruction, does not come again by itself.
      if (info->si_code <= 0) ::raise(number);
    }
  }
};

FaultGuard::FaultGuard(const void* begin, size_t bytes)
    : begin_(static_cast<const std::byte*>(begin)), end_(begin_ + bytes), outer_(innermost) {
  // Not std::call_once: it calls an inline function that Node 24 exports too, and Node's looks in a variable of its own
  // for what to call (D67 in docs/DECISIONS.md).
  static const bool installed = FaultHandler::Install();
  static_cast<void>(installed);
  innermost = this;
}

FaultGuard::~FaultGuard() { innermost = outer_; }

}  // namespace zerohop
