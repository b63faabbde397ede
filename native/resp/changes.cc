#include "resp/changes.h"

#include <utility>

#include "resp/reply.h"
#include "resp/server.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

constexpr uint32_t kTrackingFlags = kClientTracking | kClientTrackingBroadcast | kClientTrackingOptIn |
                                    kClientTrackingOptOut | kClientTrackingCaching | kClientTrackingNoLoop |
                                    kClientTrackingBroken;

std::string WatchKey(uint16_t space, std::string_view key) {
  std::string both(reinterpret_cast<const char*>(&space), sizeof space);
  both += key;
  return both;
}

std::string ArrayOf(const PrefixTable::Keys& keys, uint64_t but_by) {
  std::string bulks;
  size_t count = 0;
  for (const auto& [key, by] : keys) {
    if (but_by != 0 && by == but_by) continue;
    AppendBulk(key, &bulks);
    ++count;
  }
  if (count == 0) return {};
  std::string array("*");
  array.append(std::to_string(count)).append("\r\n").append(bulks);
  return array;
}

}  // namespace

Changes::~Changes() {
  bool listening;
  {
    MutexLock lock(mutex_);
    listening = listening_;
  }
  if (listening) server_.cache().StopListening(this);
}

void Changes::Listen() {
  {
    MutexLock lock(mutex_);
    if (listening_) return;
    listening_ = true;
  }
  server_.cache().Listen(this);
}

// Whose thread this is, if it is one of this server's: another server of the cache counts its clients by itself.
Worker* Changes::RunningWorker() const {
  Worker* const worker = Worker::Running();
  return worker != nullptr && &worker->server() == &server_ ? worker : nullptr;
}

// ── What the cache tells ────────────────────────────────────────────────────────────────────────────────────────────

void Changes::OnChange(const Change& change) noexcept {
  if (!server_.IsDatabase(change.space)) return;
  TellWatchers(change);
  if (change.why == Change::Why::kCleared) {
    readers_.Clear();
    // Several databases that are cleared together are told once.
    if (tracking_clients() == 0 || cleared_.exchange(true)) return;
    if (Worker* const worker = RunningWorker())
      worker->HandOutSoon();
    else
      server_.workers()[0]->Post({.kind = Message::Kind::kHandOut});
    return;
  }
  const std::string_view key(reinterpret_cast<const char*>(change.key.data()), change.key.size());
  Worker* const worker = RunningWorker();
  const uint64_t by = worker != nullptr && change.by == &worker->session() ? worker->current_client() : 0;
  if (prefixes_.Collect(key, by)) {
    if (worker != nullptr)
      worker->HandOutSoon();
    else
      server_.workers()[0]->Post({.kind = Message::Kind::kHandOut});
  }
  TellReaders(key, by);
}

void Changes::TellReaders(std::string_view key, uint64_t changed_by) {
  const std::vector<uint64_t> readers = readers_.Take(key);
  if (readers.empty()) return;
  std::string keys = "*1\r\n";
  AppendBulk(key, &keys);
  for (const uint64_t reader : readers) Send(reader, {Invalidation::About::kKey, keys, changed_by});
}

void Changes::TellWatchers(const Change& change) {
  const bool cleared = change.why == Change::Why::kCleared;
  const bool gone = cleared || change.why == Change::Why::kDeleted || change.why == Change::Why::kExpired ||
                    change.why == Change::Why::kEvicted;
  const auto mark = [gone](Watched* watched) {
    // What was not there cannot go.
    if (!gone || watched->existed.load(std::memory_order_relaxed)) watched->changed->store(true);
  };
  if (cleared) {
    watchers_.EachOfAll([&](std::string_view, Watched* watched) {
      if (watched->space == change.space) mark(watched);
    });
  } else if (!watchers_.LooksEmpty()) {
    watchers_.Each(WatchKey(change.space, {reinterpret_cast<const char*>(change.key.data()), change.key.size()}), mark);
  }
}

void Changes::Watch(Watched* watched) { watchers_.Add(WatchKey(watched->space, watched->key), watched); }
void Changes::Unwatch(Watched* watched) { watchers_.Remove(WatchKey(watched->space, watched->key), watched); }

// ── Tracking ────────────────────────────────────────────────────────────────────────────────────────────────────────

void Changes::Track(Client& client, uint64_t redirect, uint32_t flags, const std::vector<std::string_view>& prefixes) {
  Listen();
  if (!client.tracking) client.tracking = std::make_unique<TrackingPart>(*this, client.id);
  auto& part = static_cast<TrackingPart&>(*client.tracking);
  {
    MutexLock lock(mutex_);
    if (tracking_.insert(client.id).second) tracking_count_.fetch_add(1, std::memory_order_relaxed);
  }
  part.on = true;
  const uint32_t caching = client.flags & kClientTrackingCaching;
  client.Put(kTrackingFlags, false);
  client.Put(kClientTracking | flags | caching);
  client.redirect = redirect;
  if ((flags & kClientTrackingBroadcast) == 0) return;
  const bool no_loop = (flags & kClientTrackingNoLoop) != 0;
  const auto add = [&](std::string_view prefix) {
    part.prefixes.emplace(prefix);
    prefixes_.Add(prefix, client.id, no_loop);
  };
  if (prefixes.empty()) add("");
  for (const std::string_view prefix : prefixes) add(prefix);
  // The option counts for all prefixes, those that were there too.
  for (const std::string& prefix : part.prefixes) prefixes_.Add(prefix, client.id, no_loop);
}

void Changes::Untrack(Client& client) {
  client.tracking.reset();
  client.Put(kTrackingFlags, false);
  client.redirect = 0;
}

// Its notes in the table stay: whoever finds one sees that the client is gone, or tracks no more.
void Changes::Gone(uint64_t client, const std::set<std::string>& prefixes, bool was_tracking) {
  for (const std::string& prefix : prefixes) prefixes_.Remove(prefix, client);
  if (!was_tracking) return;
  MutexLock lock(mutex_);
  tracking_.erase(client);
  tracking_count_.fetch_sub(1, std::memory_order_relaxed);
}

void Changes::Remember(Client& client, std::string_view key) {
  readers_.Add(key, client.id);
  if (const size_t keys_max = server_.config().tracking_table_max_keys; keys_max != 0 && readers_.keys() > keys_max)
    Trim(keys_max);
}

void Changes::Trim(size_t keys_max) {
  while (readers_.keys() > keys_max) {
    std::optional<std::pair<std::string, std::vector<uint64_t>>> some;
    {
      MutexLock lock(mutex_);
      some = readers_.TakeRandom(random_);
    }
    if (!some) return;
    std::string keys = "*1\r\n";
    AppendBulk(some->first, &keys);
    for (const uint64_t reader : some->second) Send(reader, {Invalidation::About::kKey, keys});
  }
}

void Changes::Send(uint64_t client, Invalidation what) {
  if (Worker* const worker = RunningWorker()) {
    if (Client* const own = worker->Find(client)) return Deliver(*own, what);
  }
  server_.Post(client, {.kind = Message::Kind::kInvalidate, .invalidation = std::move(what)});
}

void Changes::Deliver(Client& client, const Invalidation& what) {
  if (what.redirected) return Write(client, what);
  if (!client.Has(kClientTracking)) return;
  // A note from a time when it tracked otherwise.
  if (client.Has(kClientTrackingBroadcast) && what.about == Invalidation::About::kKey) return;
  if (client.Has(kClientTrackingNoLoop) && what.changed_by == client.id) return;
  if (client.redirect == 0) return Write(client, what);
  Invalidation forwarded = what;
  forwarded.redirected = true;
  if (Client* const reader = client.worker.Find(client.redirect)) return Write(*reader, forwarded);
  if (server_.Post(client.redirect, {.kind = Message::Kind::kInvalidate, .invalidation = std::move(forwarded)})) return;
  client.Put(kClientTrackingBroken);
  if (client.protocol < 3) return;
  client.worker.Push(client, ">2\r\n$21\r\ntracking-redir-broken\r\n:" + std::to_string(client.redirect) + "\r\n");
}

void Changes::Write(Client& client, const Invalidation& what) {
  std::string text;
  if (client.protocol >= 3) {
    text = ">2\r\n$10\r\ninvalidate\r\n";
    text += what.about == Invalidation::About::kEverything ? "_\r\n" : what.keys;
  } else if (what.redirected && client.Has(kClientSubscribed)) {
    text = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n";
    text += what.about == Invalidation::About::kEverything ? "$-1\r\n" : what.keys;
  } else {
    return;  // RESP2 has no way to tell it among replies
  }
  client.worker.Push(client, text);
}

void Changes::HandOut() {
  TellCleared();
  prefixes_.HandOut([this](uint64_t client, bool no_loop, const PrefixTable::Keys& keys) {
    std::string array = ArrayOf(keys, no_loop ? client : 0);
    if (!array.empty()) Send(client, {Invalidation::About::kPrefix, std::move(array)});
  });
}

void Changes::TellCleared() {
  if (!cleared_.exchange(false)) return;
  std::vector<uint64_t> clients;
  {
    MutexLock lock(mutex_);
    clients.assign(tracking_.begin(), tracking_.end());
  }
  for (const uint64_t client : clients) Send(client, {Invalidation::About::kEverything, {}});
}

}  // namespace zerohop::resp
