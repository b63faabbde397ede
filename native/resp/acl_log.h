// acl_log.h: what was denied lately, for ACL LOG.
//
// Threads  any: a lock of its own.   Memory  at most `acllog-max-len` entries, 128 unless told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "resp/acl.h"

namespace zerohop::resp {

class AclLog {
 public:
  struct Entry {
    uint64_t count = 1;
    std::string reason;   // command, key, channel, auth
    std::string context;  // toplevel, multi
    std::string object;   // the command, key or channel
    std::string user;
    std::string client;  // a line of CLIENT LIST
    uint64_t at_us = 0;  // base/clock.h
  };

  // One that is like an entry of the last minute counts there.
  void Add(Entry entry, size_t entries_max);
  std::vector<Entry> Last(size_t count) const;
  void Clear();

 private:
  mutable Mutex mutex_;
  std::list<Entry> entries_ GUARDED_BY(mutex_);  // the newest first
};

}  // namespace zerohop::resp
