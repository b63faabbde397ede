// What is found must not be used again meanwhile: a lookup without a ReadGuard does not compile.
#include "cache/cache.h"

namespace zerohop {
Hit Look(Cache& cache, Session& session, const ReadGuard& guard, Bytes key) {
#if defined(MISUSE)
  static_cast<void>(guard);
  return cache.Find(session, 0, key, Cache::Use::kCount);  // error: cannot convert|no matching
#else
  return cache.Find(guard, session, 0, key, Cache::Use::kCount);
#endif
}
}  // namespace zerohop
