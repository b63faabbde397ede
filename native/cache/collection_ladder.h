// collection_ladder.h: when a store is refused as pinned, garbage is collected and the store is tried again.
//
// A store is refused as pinned when a buffer shows every segment that could be emptied.  Some of these buffers may be
// garbage that V8 has not collected yet.  Each rung asks for more, and the store is tried again after it:
//
//   1  collect the young generation: frees the buffers that were released lately
//   2  collect the whole heap: frees the buffers that have grown old
//
//   a thread with an isolate   collects its own heap, at once (BufferHolder::Collect)
//   any other thread           asks all holders of buffers, and waits until a segment comes back, at most some
//                              milliseconds a rung.  Each segment that comes back is another try.  After a climb in
//                              vain, stores are refused at once for a while.  So a thread spends at most 1/11 of its
//                              time waiting.
//
// Threads  the session's own.  REQUIRES: no lock and no ReadGuard is held: collections free memory that readers keep.
#pragma once

#include <chrono>
#include <cstdint>

#include "cache/arena.h"
#include "cache/buffer_holder.h"
#include "cache/exposure_control.h"
#include "cache/session.h"
#include "cache/session_list.h"

namespace zerohop {

class CollectionLadder {
 public:
  CollectionLadder(Session& session, SessionList& sessions, ExposureControl& exposure, const Arena& arena)
      : session_(session), sessions_(sessions), exposure_(exposure), arena_(arena) {}

  // True: memory may have come back, so the store is worth another try.  False: the refusal stands.
  bool Climb() { return session_.holder != nullptr ? CollectOwn() : AskOthers(); }

 private:
  using Clock = std::chrono::steady_clock;

  bool CollectOwn();
  bool AskOthers();
  bool Ask(CollectionNeed need);
  bool AwaitUnexposed();

  Session& session_;
  SessionList& sessions_;
  ExposureControl& exposure_;
  const Arena& arena_;
  CollectionNeed rung_ = CollectionNeed::kNothing;  // the one climbed last
  uint32_t unexposed_ = 0;                          // segments that had come back before the last try, ever
  Clock::time_point deadline_{};                    // of the rung
};

}  // namespace zerohop
