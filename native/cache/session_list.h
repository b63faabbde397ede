// session_list.h: the sessions of one cache: what they counted, and how their buffer holders are reached.
//
// Threads  any.  `mutex_` is a leaf lock, but Add asks the epoch list under it.  Holders are called under it, so none
// is
//          called after its session has left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "cache/buffer_holder.h"
#include "cache/counters.h"
#include "cache/epoch.h"
#include "cache/session.h"

namespace zerohop {

class SessionList {
 public:
  explicit SessionList(EpochDomain& epochs) : epochs_(epochs) {}

  void Add(Session* session) EXCLUDES(mutex_);
  // The session's counts stay.
  void Remove(Session* session) EXCLUDES(mutex_);
  // Allocates what the counts of so many keyspaces need.  May throw std::bad_alloc; then nothing has changed.
  void ReserveSpaces(size_t spaces) EXCLUDES(mutex_);

  // Tells every holder that the notice has grown.
  void Announce() EXCLUDES(mutex_);
  // Asks every holder but the asker's for a collection.  False: none of them holds a buffer.
  bool AskToCollect(const Session& asker, CollectionNeed need) EXCLUDES(mutex_);

  // Counts that belong to no keyspace, and those of one keyspace.
  CountTotals Totals() const EXCLUDES(mutex_);
  CountTotals TotalsOf(uint16_t space) const EXCLUDES(mutex_);

 private:
  EpochDomain& epochs_;
  mutable Mutex mutex_;
  std::vector<Session*> sessions_ GUARDED_BY(mutex_);
  // Of sessions that were removed.
  CountTotals departed_ GUARDED_BY(mutex_){};
  std::vector<CountTotals> departed_by_space_ GUARDED_BY(mutex_);
};

}  // namespace zerohop
