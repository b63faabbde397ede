#include "resp/leases.h"

#include <algorithm>

#include "resp/worker.h"

namespace zerohop::resp {

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
  leases_.emplace(name, Lease{token, client.id, now + ttl_us, {}});
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

void Leases::VoidOne(size_t database, std::string_view key) {
  MutexLock lock(mutex_);
  const auto found = leases_.find(NameOf(database, key));
  if (found != leases_.end()) End(found);
}

void Leases::VoidAll(size_t database) {
  if (count_.load(std::memory_order_relaxed) == 0) return;
  MutexLock lock(mutex_);
  for (auto lease = leases_.begin(); lease != leases_.end();) {
    lease = lease->first[0] == static_cast<char>(database) ? End(lease) : std::next(lease);
  }
}

void Leases::Release(const std::set<std::pair<std::string, uint64_t>>& tokens) {
  MutexLock lock(mutex_);
  for (const auto& [name, token] : tokens) {
    const auto found = leases_.find(name);
    if (found != leases_.end() && found->second.token == token) End(found);
  }
}

}  // namespace zerohop::resp
