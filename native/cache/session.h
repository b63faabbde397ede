// session.h: one thread's membership of one cache: its epoch record, its counters, and how to reach it.
//
// A Session belongs to one thread (an isolate, or a thread of a native test) from Cache::Join to Cache::Part.
#pragma once

#include <cstdint>

#include "cache/counters.h"
#include "cache/epoch.h"

namespace zerohop {

// Told, from any thread, that segments have begun to cool or were retired: the owner should let go of its buffers
// over them soon.  Called under the session list's lock: post a message, do nothing else.
class NoticeListener {
 public:
  virtual void OnNotice() = 0;

 protected:
  ~NoticeListener() = default;
};

struct Session {
  EpochRecord record;
  Counters counters;
  uint32_t verify_in = 0;                 // hits until the next sampled checksum
  uint64_t random = 0x9e3779b97f4a7c15u;  // draws the distance to the one after
  NoticeListener* listener = nullptr;     // may be null
};

// Keeps what the owner finds from being reused while it lives: until the value is copied, or its segment exposed.
// No Node-API call in between: it could run a collection of seconds, and every writer would wait for it.
class ReadGuard {
 public:
  ReadGuard(const EpochDomain& epochs, Session& session) : session_(session) { epochs.Enter(session.record); }
  ~ReadGuard() { EpochDomain::Leave(session_.record); }
  ReadGuard(const ReadGuard&) = delete;
  ReadGuard& operator=(const ReadGuard&) = delete;

 private:
  Session& session_;
};

}  // namespace zerohop
