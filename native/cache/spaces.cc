#include "cache/spaces.h"

#include <algorithm>
#include <utility>

#include "base/reserve.h"

namespace zerohop {

Spaces::Spaces()
    : incarnations_(new Incarnation[kIncarnationsMax]), current_(new std::atomic<uint16_t>[kSpacesMax]()) {}

std::optional<uint16_t> Spaces::Find(const std::string& name) const {
  MutexLock lock(mutex_);
  const auto found = std::find_if(spaces_.begin(), spaces_.end(), [&](const Space& one) { return one.name == name; });
  if (found == spaces_.end()) return std::nullopt;
  return static_cast<uint16_t>(found - spaces_.begin());
}

Spaces::Space Spaces::At(uint16_t space) const {
  MutexLock lock(mutex_);
  return spaces_[space];
}

size_t Spaces::size() const {
  MutexLock lock(mutex_);
  return spaces_.size();
}

std::optional<uint16_t> Spaces::TakeIncarnation(uint16_t space) {
  uint16_t number;
  if (!buried_.empty()) {
    number = buried_.back();
    buried_.pop_back();
  } else if (unused_ < kIncarnationsMax) {
    number = unused_++;
  } else {
    return std::nullopt;
  }
  Incarnation& incarnation = incarnations_[number];
  incarnation.entries.store(0, std::memory_order_relaxed);
  incarnation.space.store(space, std::memory_order_relaxed);
  incarnation.births.fetch_add(1, std::memory_order_relaxed);
  incarnation.alive.store(true, std::memory_order_release);
  return number;
}

std::optional<uint16_t> Spaces::Add(Space space) {
  MutexLock lock(mutex_);
  if (spaces_.size() == kSpacesMax) return std::nullopt;
  const auto id = static_cast<uint16_t>(spaces_.size());
  EnsureRoom(spaces_, spaces_.size() + 1);
  const std::optional<uint16_t> incarnation = TakeIncarnation(id);
  if (!incarnation) return std::nullopt;
  spaces_.push_back(std::move(space));
  current_[id].store(*incarnation, std::memory_order_release);
  return id;
}

void Spaces::Tell(uint16_t space, const std::string& terms) {
  MutexLock lock(mutex_);
  spaces_[space].terms = terms;
}

bool Spaces::Renew(uint16_t space) {
  MutexLock lock(mutex_);
  // Memory for the old number to wait, and then to be given out again, before anything changes.
  EnsureRoom(waiting_, waiting_.size() + 1);
  EnsureRoom(buried_, buried_.size() + waiting_.size() + 1);
  const std::optional<uint16_t> next = TakeIncarnation(space);
  if (!next) return false;
  const uint16_t old = current_[space].exchange(*next, std::memory_order_acq_rel);
  incarnations_[old].alive.store(false, std::memory_order_release);
  waiting_.push_back({old, clock_});
  dead_.store(waiting_.size(), std::memory_order_relaxed);
  return true;
}

uint64_t Spaces::BeginPass() {
  MutexLock lock(mutex_);
  return ++clock_;
}

void Spaces::Buried(uint64_t pass) {
  MutexLock lock(mutex_);
  const auto gone =
      std::partition(waiting_.begin(), waiting_.end(), [pass](const Dead& one) { return one.died >= pass; });
  for (auto one = gone; one != waiting_.end(); ++one) buried_.push_back(one->incarnation);
  waiting_.erase(gone, waiting_.end());
  dead_.store(waiting_.size(), std::memory_order_relaxed);
}

}  // namespace zerohop
