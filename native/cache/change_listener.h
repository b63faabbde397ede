// change_listener.h: a listener is told when the visible value of a key changes.  A server sends invalidations by it.
//
//   kWritten   stored, or stored anew               kTouched   its end changed
//   kDeleted   by key, by tag, or by a refused set  kExpired   found expired, and dropped
//   kEvicted   evicted                              kCleared   all keys of the keyspace; `key` is empty
//
// A change is told under the lock of the key's index shard, when every later lookup sees it.  So the changes of one key
// are told in their order.  kCleared is told under the lock of removals.
//
// Two changes are not told.  What upkeep removes of a cleared keyspace was told by kCleared.  If JavaScript wrote over
// the header of an entry, its key is unknown: whoever remembers such a key still has its last value.
//
// Threads  OnChange runs in the thread that makes the change.  It must not call the cache, nor wait for a thread that
//          does.
// Cost     if nobody listens: one load and a branch that is not taken, at each change.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace zerohop {

struct Session;

struct Change {
  enum class Why : uint8_t { kWritten, kDeleted, kExpired, kEvicted, kTouched, kCleared };
  Why why;
  uint16_t space;
  uint64_t hash;
  std::span<const std::byte> key;  // valid during the call
  const Session* by;               // whose call it was; null: evictions, and upkeep
};

class ChangeListener {
 public:
  virtual void OnChange(const Change& change) noexcept = 0;

 protected:
  ~ChangeListener() = default;
};

// The listeners: a list that is replaced as a whole.
class ChangeFeed {
 public:
  using Listeners = std::vector<ChangeListener*>;

  ChangeFeed() = default;
  ~ChangeFeed() { delete listeners_.load(std::memory_order_relaxed); }
  ChangeFeed(const ChangeFeed&) = delete;
  ChangeFeed& operator=(const ChangeFeed&) = delete;

  void Tell(const Change& change) const noexcept {
    const Listeners* const listeners = listeners_.load(std::memory_order_acquire);
    if (listeners == nullptr) [[likely]]
      return;
    for (ChangeListener* const listener : *listeners) listener->OnChange(change);
  }
  bool heard() const { return listeners_.load(std::memory_order_relaxed) != nullptr; }
  Listeners Copy() const {
    const Listeners* const listeners = listeners_.load(std::memory_order_acquire);
    return listeners == nullptr ? Listeners() : *listeners;
  }
  // Returns the old list.  The caller frees it once no call of Tell that began before can be under way.
  std::unique_ptr<const Listeners> Replace(Listeners listeners) {
    const Listeners* const next = listeners.empty() ? nullptr : new Listeners(std::move(listeners));
    return std::unique_ptr<const Listeners>(listeners_.exchange(next, std::memory_order_acq_rel));
  }

 private:
  std::atomic<const Listeners*> listeners_{nullptr};
};

}  // namespace zerohop
