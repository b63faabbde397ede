// A guard ends once, where it began.
#include "cache/session.h"

namespace zerohop {
void Keep(const ReadGuard& guard) {
#if defined(MISUSE)
  const ReadGuard another = guard;  // error: deleted
  static_cast<void>(another);
#else
  static_cast<void>(guard);
#endif
}
}  // namespace zerohop
