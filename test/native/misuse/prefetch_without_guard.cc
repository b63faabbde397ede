// The index may be outgrown meanwhile: its arrays are looked at under a ReadGuard only.
#include "cache/index.h"

namespace zerohop {
void Fetch(const Index& index, const ReadGuard& guard) {
#if defined(MISUSE)
  static_cast<void>(guard);
  index.Prefetch(1);  // error: too few arguments|no matching function
#else
  index.Prefetch(guard, 1);
#endif
}
}  // namespace zerohop
