#include "cache/session_list.h"

#include <algorithm>

#include "base/reserve.h"

namespace zerohop {

void SessionList::Add(Session* session) {
  MutexLock lock(mutex_);
  EnsureRoom(sessions_, sessions_.size() + 1);
  epochs_.Add(&session->record);
  sessions_.push_back(session);
}

void SessionList::Remove(Session* session) {
  epochs_.Remove(&session->record);
  MutexLock lock(mutex_);
  std::erase(sessions_, session);
  session->counters.AddTo(departed_);
  for (size_t space = 0; space < departed_by_space_.size(); ++space) {
    session->AddTo(departed_by_space_[space], static_cast<uint16_t>(space));
  }
}

void SessionList::ReserveSpaces(size_t spaces) {
  MutexLock lock(mutex_);
  departed_by_space_.resize(spaces);
}

void SessionList::Announce() {
  MutexLock lock(mutex_);
  for (const Session* session : sessions_) {
    if (session->holder != nullptr) session->holder->OnNotice();
  }
}

bool SessionList::AskToCollect(const Session& asker, CollectionNeed need) {
  MutexLock lock(mutex_);
  bool asked = false;
  for (const Session* session : sessions_) {
    if (session == &asker || session->holder == nullptr) continue;
    asked |= session->holder->OnCollectionWanted(need);
  }
  return asked;
}

CountTotals SessionList::Totals() const {
  MutexLock lock(mutex_);
  CountTotals totals = departed_;
  for (const Session* session : sessions_) session->counters.AddTo(totals);
  return totals;
}

CountTotals SessionList::TotalsOf(uint16_t space) const {
  MutexLock lock(mutex_);
  CountTotals totals{};
  if (space < departed_by_space_.size()) totals = departed_by_space_[space];
  for (const Session* session : sessions_) session->AddTo(totals, space);
  return totals;
}

}  // namespace zerohop
