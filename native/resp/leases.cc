#include "resp/leases.h"

#include <algorithm>

#include "resp/worker.h"

namespace zerohop::resp {
namespace {

// As the standard's condition variable wants it.
struct Lockable {
  Mutex& mutex;
  void lock() ACQUIRE(mutex) { mutex.Lock(); }
  void unlock() RELEASE(mutex) { mutex.Unlock(); }
};

}  // namespace

Leases::Taken Leases::Take(Client& client, std::string_view key, uint64_t ttl_us) {
  const uint64_t now = NowUs();
  const std::string name = NameOf(client.database, key);
  if (client.leases == nullptr) client.leases = std::make_unique<Held>(*this);
  auto& tokens = static_cast<Held&>(*client.leases).tokens;
  MutexLock lock(mutex_);
  const auto found = leases_.find(name);
  if (found != leases_.end() && found->second.until_us > now) {
    Lease& lease = found->second;
    const bool own = lease.holder == client.id;
    if (!own && std::find(lease.waiters.begin(), lease.waiters.end(), client.id) == lease.waiters.end()) {
      lease.waiters.push_back(client.id);
    }
    return {.until_us = lease.until_us, .own = own};
  }
  if (found != leases_.end()) End(found);
  if (leases_.size() >= kLeasesMax) return {.full = true};
  // What the client holds of before is over, or another's: it is dropped when there is much of it.
  if (tokens.size() >= 64) {
    std::erase_if(tokens, [&](const auto& one) REQUIRES(mutex_) {
      const auto lease = leases_.find(one.first);
      return lease == leases_.end() || lease->second.token != one.second;
    });
  }
  const uint64_t token = next_token_++;
  tokens.emplace(name, token);
  leases_.emplace(name, Lease{.token = token, .holder = client.id, .until_us = now + ttl_us, .waiters = {}});
  count_.store(leases_.size(), std::memory_order_relaxed);
  return {.token = token};
}

// Who waits asks again.
Leases::Table::iterator Leases::End(Table::iterator lease) {
  // A server that stops has resumed everybody for the last time.
  if (!server_.stopping()) {
    for (const uint64_t waiter : lease->second.waiters) server_.Post(waiter, {.kind = Message::Kind::kResume});
  }
  const auto next = leases_.erase(lease);
  count_.store(leases_.size(), std::memory_order_relaxed);
  return next;
}

bool Leases::BeginStore(const std::string& name, uint64_t token) {
  if (count_.load(std::memory_order_relaxed) == 0) return false;
  MutexLock lock(mutex_);
  const auto found = leases_.find(name);
  if (found == leases_.end() || found->second.token != token || found->second.storing) return false;
  found->second.storing = true;
  found->second.until_us = UINT64_MAX;  // its time does not run out any more
  return true;
}

void Leases::EndStore(const std::string& name) {
  MutexLock lock(mutex_);
  End(leases_.find(name));
  stored_.notify_all();
}

void Leases::AwaitStore() {
  Lockable lock{mutex_};
  stored_.wait(lock);
}

void Leases::VoidOne(size_t database, std::string_view key) {
  const std::string name = NameOf(database, key);
  MutexLock lock(mutex_);
  auto found = leases_.find(name);
  for (; found != leases_.end() && found->second.storing; found = leases_.find(name)) AwaitStore();
  if (found != leases_.end()) End(found);
}

void Leases::VoidAll(size_t database) {
  if (count_.load(std::memory_order_relaxed) == 0) return;
  const std::string prefix = NameOf(database, {});
  MutexLock lock(mutex_);
  for (;;) {
    bool storing = false;
    for (auto lease = leases_.begin(); lease != leases_.end();) {
      const bool meant = lease->first.starts_with(prefix);
      storing = storing || (meant && lease->second.storing);
      lease = meant && !lease->second.storing ? End(lease) : std::next(lease);
    }
    if (!storing) return;
    AwaitStore();
  }
}

void Leases::Release(const std::set<std::pair<std::string, uint64_t>>& tokens) {
  MutexLock lock(mutex_);
  for (const auto& [name, token] : tokens) {
    const auto found = leases_.find(name);
    if (found != leases_.end() && found->second.token == token && !found->second.storing) End(found);
  }
}

}  // namespace zerohop::resp
