// registry.h: named caches of the process: the same name is the same cache in every thread.
//
// A cache lives as long as someone holds it.  The registry itself holds none.  It is never destroyed, because threads
// may still run when static objects are destroyed.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "cache/cache.h"

namespace zerohop {

class Registry {
 public:
  static Registry& Process();

  // The cache of that name; it is made if there is none.  kOptions if it was opened with other options.  An empty name
  // makes a new cache that nobody else can open.
  Result<std::shared_ptr<Cache>> Open(const std::string& name, const CacheOptions& options) EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::map<std::string, std::weak_ptr<Cache>> named_ GUARDED_BY(mutex_);
};

}  // namespace zerohop
