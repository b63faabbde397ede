// A session belongs to one thread and one list.
#include "cache/session.h"

namespace zerohop {
void Hand(Session& session) {
#if defined(MISUSE)
  Session another = session;  // error: deleted
  static_cast<void>(another);
#else
  static_cast<void>(session);
#endif
}
}  // namespace zerohop
