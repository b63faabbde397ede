// pubsub.h: which clients listen to which channels and patterns, whatever worker they belong to.
//
// Messages of one channel reach all its listeners in one order: they are handed out under the lock.
//
// Threads  any.  The lock is a leaf, but for what `Publish` calls: that takes a worker's mailbox.
// Memory   a name and 8 bytes a listener; a name without listeners is forgotten.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "resp/glob.h"

namespace zerohop::resp {

class PubSub {
 public:
  // The client listens to the channel or pattern once; it knows that it did not before.
  void Subscribe(std::string_view channel, uint64_t client) { Add(&channels_, channel, client); }
  void SubscribePattern(std::string_view pattern, uint64_t client) { Add(&patterns_, pattern, client); }
  void Unsubscribe(std::string_view channel, uint64_t client) { Remove(&channels_, channel, client); }
  void UnsubscribePattern(std::string_view pattern, uint64_t client) { Remove(&patterns_, pattern, client); }

  // Calls `deliver(clients, pattern)` for the listeners of the channel (`pattern` is null), and of each pattern that it
  // matches.  Returns how many there were: a client that listens to several patterns hears the message several times.
  template <class Deliver>
  size_t Publish(std::string_view channel, Deliver deliver) {
    MutexLock lock(mutex_);
    size_t count = 0;
    if (const auto found = channels_.find(channel); found != channels_.end()) {
      deliver(std::span<const uint64_t>(found->second), static_cast<const std::string*>(nullptr));
      count += found->second.size();
    }
    for (const auto& [pattern, clients] : patterns_) {
      if (!GlobMatches(pattern, channel)) continue;
      deliver(std::span<const uint64_t>(clients), &pattern);
      count += clients.size();
    }
    return count;
  }

  // Names of channels that someone listens to.
  std::vector<std::string> Channels(std::string_view pattern) const;
  size_t ListenersOf(std::string_view channel) const;
  size_t channel_count() const;
  size_t pattern_count() const;  // different ones

 private:
  using Listeners = std::map<std::string, std::vector<uint64_t>, std::less<>>;

  void Add(Listeners* all, std::string_view name, uint64_t client) {
    MutexLock lock(mutex_);
    auto found = all->find(name);
    if (found == all->end()) found = all->emplace(std::string(name), std::vector<uint64_t>()).first;
    found->second.push_back(client);
  }
  void Remove(Listeners* all, std::string_view name, uint64_t client) {
    MutexLock lock(mutex_);
    const auto found = all->find(name);
    if (found == all->end()) return;
    std::erase(found->second, client);
    if (found->second.empty()) all->erase(found);
  }

  mutable Mutex mutex_;
  Listeners channels_ GUARDED_BY(mutex_), patterns_ GUARDED_BY(mutex_);
};

inline std::vector<std::string> PubSub::Channels(std::string_view pattern) const {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [channel, clients] : channels_) {
    if (GlobMatches(pattern, channel)) names.push_back(channel);
  }
  return names;
}

inline size_t PubSub::ListenersOf(std::string_view channel) const {
  MutexLock lock(mutex_);
  const auto found = channels_.find(channel);
  return found == channels_.end() ? 0 : found->second.size();
}

inline size_t PubSub::channel_count() const {
  MutexLock lock(mutex_);
  return channels_.size();
}

inline size_t PubSub::pattern_count() const {
  MutexLock lock(mutex_);
  return patterns_.size();
}

}  // namespace zerohop::resp
