#include "cache/exclusive.h"

#include "cache/cache.h"

namespace zerohop {

Exclusive::Exclusive(Cache& cache, const Session& session)
    : cache_(cache), outermost_(cache.gate_.owner_.load(std::memory_order_relaxed) != &session) {
  if (!outermost_) return;
  cache_.gate_.mutex_.lock();
  cache_.gate_.owner_.store(&session, std::memory_order_relaxed);
  cache_.index_.SetOwner(&session);
}

Exclusive::~Exclusive() {
  if (!outermost_) return;
  cache_.index_.SetOwner(nullptr);
  cache_.gate_.owner_.store(nullptr, std::memory_order_relaxed);
  cache_.gate_.mutex_.unlock();
}

}  // namespace zerohop
