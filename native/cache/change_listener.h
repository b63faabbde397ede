// change_listener.h: who is told that a key's visible value changed: a server's invalidations.
//
//   kWritten   stored, or stored anew              kTouched   its end changed
//   kDeleted   by key, by tag, or by a refused set kExpired   found past its end, and dropped
//   kEvicted   pushed out                          kCleared   all keys of the keyspace; `key` is empty
//
// A change is told when it can be seen already, or cannot be missed any more, under the lock of the key's index shard:
// so the changes of one key are told in their order.  kCleared is told under the lock of removals.
//
// Not told: what upkeep removes of a keyspace that was cleared, because kCleared told it; and entries whose header
// JavaScript wrote over, because their key is unknown: whoever remembers such a key still has its last value.
//
// Threads  OnChange runs in the thread that makes the change.  It must not call the cache, nor wait for who does.
// Cost     nobody listens: one load and a branch that is not taken, at each change.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

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

class ChangeFeed {
 public:
  void Tell(const Change& change) const noexcept {
    ChangeListener* const listener = listener_.load(std::memory_order_acquire);
    if (listener != nullptr) [[unlikely]]
      listener->OnChange(change);
  }
  bool heard() const { return listener_.load(std::memory_order_relaxed) != nullptr; }
  void Set(ChangeListener* listener) { listener_.store(listener, std::memory_order_release); }

 private:
  std::atomic<ChangeListener*> listener_{nullptr};
};

}  // namespace zerohop
