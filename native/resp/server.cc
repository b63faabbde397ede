#include "resp/server.h"

#include <sys/random.h>

#include <algorithm>
#include <span>

#include "base/clock.h"
#include "resp/acl_log.h"
#include "resp/changes.h"
#include "resp/command_table.h"
#include "resp/leases.h"
#include "resp/listener.h"
#include "resp/permission.h"
#include "resp/pubsub.h"
#include "resp/touches.h"
#include "resp/worker.h"

namespace zerohop::resp {

namespace {

std::string RandomDigits() {
  uint8_t random[20] = {};
  // 20 bytes come at once; without a random source the digits are all 0.
  [[maybe_unused]] const ssize_t got = ::getrandom(random, sizeof random, 0);
  std::string digits;
  for (const uint8_t byte : random) {
    digits += "0123456789abcdef"[byte >> 4];
    digits += "0123456789abcdef"[byte & 15];
  }
  return digits;
}

}  // namespace

Server::Server(std::shared_ptr<Cache> cache, Config config)
    : cache_(std::move(cache)),
      held_bytes_unless_set_(std::max<uint64_t>(cache_->options().max_bytes, kHeldBytesMin)),
      config_(std::move(config)),
      listed_(config_.databases.size()),
      lock_(std::max<size_t>(config_.threads, 1)),
      started_us_(NowUs()),
      unix_offset_us_(ReadClockUs(CLOCK_REALTIME) - started_us_),
      run_id_(RandomDigits()),
      users_(std::make_unique<Users>(AclCommandsOfTable())),
      acl_log_(std::make_unique<AclLog>()),
      pubsub_(std::make_unique<PubSub>()),
      changes_(std::make_unique<Changes>(*this)) {
  users_->SetDefaultPassword(config_.requirepass);
  config_.kept.emplace("maxmemory", std::to_string(cache_->options().max_bytes));
  config_.kept.emplace("io-threads", std::to_string(std::max<size_t>(config_.threads, 1)));
  config_.kept.emplace("tcp-backlog", std::to_string(config_.backlog));
  config_.kept.emplace("databases", std::to_string(listed_ != 0 ? listed_ : spaces_.size()));
  config_.threads = std::max<size_t>(config_.threads, 1);
  leases = std::make_unique<Leases>(*this);
  touches = std::make_unique<Touches>();
  for (auto& space : spaces_) space.store(kNotOpened, std::memory_order_relaxed);
}

Result<std::unique_ptr<Server>> Server::Start(std::shared_ptr<Cache> cache, Config config) {
  std::unique_ptr<Server> server(new Server(std::move(cache), std::move(config)));
  if (Status status = server->Open(); !status.ok()) return status;
  return server;
}

// A failure half way: the destructor closes and joins what is there.
Status Server::Open() {
  CommandTable::Process();
  if (Status status = AddUsers(); !status.ok()) return status;
  if (Result<uint16_t> first = SpaceOf(0); !first.ok()) return first.status();
  for (size_t i = 0; i < config_.threads; ++i) {
    workers_.push_back(std::make_unique<Worker>(*this, i));
    if (Status status = workers_.back()->Open(); !status.ok()) return status;
  }
  if (Status status = OpenListeners(); !status.ok()) return status;
  for (const auto& worker : workers_) {
    if (Status status = worker->Run(); !status.ok()) return status;
  }
  return {};
}

Status Server::OpenListeners() {
  if (config_.tcp) {
    port_ = config_.port;
    for (const std::string& each : config_.bind) {
      const bool optional = each.starts_with('-');
      std::string address = optional ? each.substr(1) : each;
      if (address == "*") address = "0.0.0.0";
      for (const auto& worker : workers_) {
        auto listener = Listener::Tcp(address, port_, config_.backlog, worker == workers_.front());
        if (!listener.ok() && optional && worker == workers_.front()) break;
        if (!listener.ok()) return listener.status();
        port_ = listener.value()->port();
        if (Status status = worker->Listen(std::move(listener.value())); !status.ok()) return status;
      }
    }
  }
  config_.kept["port"] = std::to_string(port_);
  if (!config_.unix_path.empty()) {
    auto listener = Listener::Unix(config_.unix_path, config_.unix_mode, config_.backlog);
    if (!listener.ok()) return listener.status();
    for (const auto& worker : workers_) {
      if (Status status = worker->Listen(listener.value()); !status.ok()) return status;
    }
  }
  return {};
}

// A rule may hold a password: what is wrong with one is said without it.
Status Server::AddUsers() {
  for (size_t i = 0; i < config_.users.size(); ++i) {
    std::vector<std::string_view> words;
    const std::string_view line = config_.users[i];
    for (size_t at = line.find_first_not_of(' '); at != std::string_view::npos;) {
      const size_t end = std::min(line.find(' ', at), line.size());
      words.push_back(line.substr(at, end - at));
      at = line.find_first_not_of(' ', end);
    }
    const std::string which = "users[" + std::to_string(i) + "]";
    if (words.empty()) return {Code::kInvalid, which + ": expected a name and the rules of ACL SETUSER"};
    for (size_t rule = 1; rule < words.size(); ++rule) {
      if (users_->Set(words[0], std::span(words).subspan(rule, 1)).empty()) continue;
      return {Code::kInvalid, which + ": rule " + std::to_string(rule) + " is none of ACL SETUSER's"};
    }
    if (words.size() == 1) users_->Set(words[0], {});
  }
  return {};
}

Server::~Server() { Stop(); }

void Server::Stop(uint64_t drain_ms) {
  MutexLock lock(stop_mutex_);
  if (stopped_) return;
  stopping_.store(true, std::memory_order_release);
  const uint64_t until_us = NowUs() + drain_ms * 1000;
  for (const auto& worker : workers_) worker->Post({.kind = Message::Kind::kStop, .until_us = until_us});
  for (const auto& worker : workers_) worker->Join();
  stopped_ = true;
  // Streams that came too late for a worker.
  std::map<uint64_t, std::shared_ptr<StreamEnd>> late;
  {
    MutexLock streams(streams_mutex_);
    late.swap(streams_);
  }
  for (const auto& [id, stream] : late) stream->Give(id, {});
}

Result<uint16_t> Server::SpaceOf(size_t database) {
  const uint32_t opened = spaces_[database].load(std::memory_order_acquire);
  if (opened != kNotOpened) return static_cast<uint16_t>(opened);
  if (listed_ == 0) {
    spaces_[database].store(static_cast<uint32_t>(database), std::memory_order_release);
    return static_cast<uint16_t>(database);
  }
  const Database& given = config_.databases[database];
  // An open keyspace is served whatever its codec: its values are the bytes that the codec stores.
  const std::optional<uint16_t> open = given.space ? given.space : cache_->FindSpace(given.name);
  Result<uint16_t> space = open ? Result<uint16_t>(*open) : cache_->OpenSpace(given.name, "", "bytes");
  if (space.ok()) spaces_[database].store(space.value(), std::memory_order_release);
  return space;
}

std::optional<uint16_t> Server::OpenedSpaceOf(size_t database) const {
  const uint32_t opened = spaces_[database].load(std::memory_order_acquire);
  if (opened == kNotOpened) return std::nullopt;
  return static_cast<uint16_t>(opened);
}

ServerFigures Server::Figures() {
  // Counted without locks by those who hold it shared.
  const ExclusiveLock exclusively(lock_);
  const WorkerCounts total = TotalCounts();
  return {client_count(), total.connections, total.rejected_connections, total.commands, total.errors.total,
          total.bytes_in, total.bytes_out};
}

std::vector<Server::TimesOfCommand> Server::CommandTimesNow() {
  const ExclusiveLock exclusively(lock_);
  std::vector<TimesOfCommand> all;
  for (const Command* const command : CommandTable::Process().all()) {
    TimesOfCommand one{command, {}};
    for (const auto& worker : workers_) {
      const Histogram* const times = worker->command_times().Of(command->index);
      if (times != nullptr) one.of_workers.push_back(times);
    }
    if (!one.of_workers.empty()) all.push_back(std::move(one));
  }
  return all;
}

bool Server::Admits(std::string_view password) {
  const ExclusiveLock exclusively(lock_);
  return users().Authenticate("default", password) != nullptr;
}

bool Server::RefusesStrangersNow() {
  const ExclusiveLock exclusively(lock_);
  return RefusesStrangers();
}

Client* Server::FindClient(uint64_t id) {
  for (const auto& worker : workers_) {
    const auto found = worker->clients().find(id);
    if (found != worker->clients().end() && !found->second->Has(kClientClosing)) return found->second.get();
  }
  return nullptr;
}

void Server::EachClient(const std::function<void(Client&)>& visit) {
  for (const auto& worker : workers_) {
    for (const auto& [id, client] : worker->clients()) {
      if (!client->Has(kClientClosing)) visit(*client);
    }
  }
}

void Server::DisconnectWhoHoldsMost() {
  if (!HoldsTooMuch()) return;
  struct Holder {
    bool spared;
    size_t bytes;
    Client* client;
    bool operator<(const Holder& other) const { return spared != other.spared ? spared : bytes < other.bytes; }
  };
  std::vector<Holder> holders;
  EachClient([&](Client& client) {
    const size_t bytes = client.held_bytes + client.pending.shared_bytes();
    if (bytes > 0) holders.push_back({client.Has(kClientNoEvict), bytes, &client});
  });
  std::make_heap(holders.begin(), holders.end());
  while (!holders.empty() && HoldsTooMuch()) {
    std::pop_heap(holders.begin(), holders.end());
    Client& most = *holders.back().client;
    most.worker.GiveUp(most);
    holders.pop_back();
  }
}

WorkerCounts Server::TotalCounts() const {
  WorkerCounts total;
  total.by_command.resize(CommandTable::Process().all().size());
  for (const auto& worker : workers_) {
    const WorkerCounts& one = worker->counts();
    total.connections += one.connections;
    total.rejected_connections += one.rejected_connections;
    total.commands += one.commands;
    total.bytes_in += one.bytes_in;
    total.bytes_out += one.bytes_out;
    total.passes += one.passes;
    total.wakeups += one.wakeups;
    total.query_limit_disconnections += one.query_limit_disconnections;
    total.output_limit_disconnections += one.output_limit_disconnections;
    for (size_t i = 0; i < total.by_command.size(); ++i) {
      total.by_command[i].calls += one.by_command[i].calls;
      total.by_command[i].micros += one.by_command[i].micros;
      total.by_command[i].rejected += one.by_command[i].rejected;
      total.by_command[i].failed += one.by_command[i].failed;
    }
    total.errors.total += one.errors.total;
    for (const auto& [code, count] : one.errors.by_code) total.errors.by_code[code] += count;
  }
  return total;
}

CountTotals Server::CacheCounts() const {
  CountTotals total{};
  EachDatabase([&](size_t, uint16_t space) {
    const CountTotals one = cache_->CountsOf(space);
    for (size_t i = 0; i < total.size(); ++i) total[i] += one[i];
  });
  for (size_t i = 0; i < total.size(); ++i) total[i] -= counts_at_reset_[i];
  return total;
}

void Server::ResetCounts() {
  const CountTotals since_reset = CacheCounts();
  for (size_t i = 0; i < since_reset.size(); ++i) counts_at_reset_[i] += since_reset[i];
  for (const auto& worker : workers_) {
    worker->counts() = {};
    worker->counts().by_command.resize(CommandTable::Process().all().size());
  }
}

bool Server::Post(uint64_t client, Message message) {
  message.client = client;
  MutexLock lock(directory_mutex_);
  const auto found = directory_.find(client);
  if (found == directory_.end()) return false;
  found->second->Post(std::move(message));
  return true;
}

size_t Server::PostToAll(std::span<const uint64_t> clients, const SharedTextRef& text) {
  std::vector<std::vector<uint64_t>> of_worker(workers_.size());
  size_t fullest = 0;
  // The lock keeps the messages of a channel in one order everywhere.
  MutexLock lock(directory_mutex_);
  for (const uint64_t client : clients) {
    if (const auto found = directory_.find(client); found != directory_.end())
      of_worker[found->second->index()].push_back(client);
  }
  for (size_t i = 0; i < of_worker.size(); ++i) {
    if (of_worker[i].empty()) continue;
    Message message{.kind = Message::Kind::kMessage, .shared = text, .clients = std::move(of_worker[i])};
    fullest = std::max(fullest, workers_[i]->Post(std::move(message)));
  }
  return fullest;
}

bool Server::HasClient(uint64_t client) {
  MutexLock lock(directory_mutex_);
  return directory_.contains(client);
}

void Server::Enroll(uint64_t client, Worker& worker) {
  MutexLock lock(directory_mutex_);
  directory_.emplace(client, &worker);
}

void Server::Strike(uint64_t client) {
  MutexLock lock(directory_mutex_);
  directory_.erase(client);
}

bool Server::IsDatabase(uint16_t space) const {
  if (listed_ == 0) return spaces_[space].load(std::memory_order_relaxed) == space;
  return std::any_of(spaces_.begin(), spaces_.begin() + static_cast<ptrdiff_t>(listed_),
                     [&](const std::atomic<uint32_t>& each) { return each.load(std::memory_order_relaxed) == space; });
}

void Server::SetSections(std::string members) {
  MutexLock lock(sections_mutex_);
  sections_ = std::move(members);
}

std::string Server::sections() {
  MutexLock lock(sections_mutex_);
  return sections_;
}

void Server::ResumePaused() {
  for (const auto& worker : workers_) worker->Post({.kind = Message::Kind::kResume});
}

bool Server::AdmitClient() {
  if (clients_.fetch_add(1, std::memory_order_relaxed) < config_.maxclients) return true;
  clients_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

bool Server::RefusesStrangers() { return config_.protected_mode && !users().default_user().needs_password(); }

uint64_t Server::OpenStream(std::string peer, std::string local, StreamEnd::Output output) {
  const uint64_t id = NextClientId();
  Worker& worker = *workers_[id % workers_.size()];
  auto end = std::make_shared<StreamEnd>();
  {
    MutexLock lock(end->mutex);
    end->output = std::move(output);
  }
  {
    MutexLock lock(streams_mutex_);
    // Else `Stop` has told all that there are.
    if (!stopping()) streams_.emplace(id, end);
  }
  if (stopping()) end->Give(id, {});
  auto client = std::make_unique<Client>(worker, id, -1);
  client->Put(kClientStream);
  client->stream = std::move(end);
  client->stream_peer = std::move(peer);
  client->stream_local = std::move(local);
  worker.Post({.kind = Message::Kind::kOpen, .client = id, .opened = std::move(client)});
  return id;
}

std::shared_ptr<StreamEnd> Server::FindStream(uint64_t id) {
  MutexLock lock(streams_mutex_);
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

void Server::ForgetStream(uint64_t id) {
  MutexLock lock(streams_mutex_);
  streams_.erase(id);
}

bool Server::Feed(uint64_t id, std::string_view bytes) {
  const std::shared_ptr<StreamEnd> end = FindStream(id);
  if (end == nullptr || end->unread.load(std::memory_order_relaxed) + bytes.size() > StreamEnd::kUnreadMax)
    return false;
  end->unread.fetch_add(bytes.size(), std::memory_order_relaxed);
  workers_[id % workers_.size()]->Post({.kind = Message::Kind::kInput, .client = id, .bytes = std::string(bytes)});
  return true;
}

void Server::Sent(uint64_t id, size_t bytes) {
  const std::shared_ptr<StreamEnd> end = FindStream(id);
  if (end == nullptr) return;
  const size_t before = end->unsent.fetch_sub(bytes, std::memory_order_acq_rel);
  // Where nothing was held back, the worker need not know.
  if (before < StreamEnd::kUnsentMax || before - bytes >= StreamEnd::kUnsentMax) return;
  workers_[id % workers_.size()]->Post({.kind = Message::Kind::kSent, .client = id});
}

void Server::CloseStream(uint64_t id) {
  const std::shared_ptr<StreamEnd> end = FindStream(id);
  if (end == nullptr) return;
  end->TakeAway();
  workers_[id % workers_.size()]->Post({.kind = Message::Kind::kClose, .client = id});
}

}  // namespace zerohop::resp
