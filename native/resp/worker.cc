#include "resp/worker.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/clock.h"
#include "resp/command_table.h"
#include "resp/listener.h"
#include "resp/permission.h"

namespace zerohop::resp {
namespace {

// What epoll gives back: a client's address, or one of these with the lowest bit set.
constexpr uint64_t kWakeTag = 1;
constexpr uint64_t kListenerTag = 3;  // and so on by twos
uint64_t ListenerTag(size_t index) { return kListenerTag + uint64_t{index} * 2; }
size_t ListenerOf(uint64_t tag) { return (tag - kListenerTag) / 2; }

thread_local Worker* running_worker = nullptr;

}  // namespace

Worker::Worker(Server& server, size_t index)
    : server_(server),
      index_(index),
      command_times_(CommandTable::Process().all().size()),
      read_buffer_(new char[kReadBytes]),
      out_(server.held_bytes_max(), &server.cache()),
      may_batch_(server.config().io_uring) {
  counts_.by_command.resize(CommandTable::Process().all().size());
  get_index_ = CommandTable::Process().Find("get")->index;
  set_index_ = CommandTable::Process().Find("set")->index;
  gets_.reserve(Cache::kBatchMax);
  sets_.reserve(Cache::kBatchMax);
  server_.cache().Join(&session_);
}

Worker::~Worker() {
  Join();
  clients_.clear();
  listeners_.clear();
  if (epoll_ >= 0) ::close(epoll_);
  if (wake_ >= 0) ::close(wake_);
  server_.cache().Part(&session_);
}

Status Worker::Open() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return Refused(errno);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) return Refused(errno);
  epoll_event event{EPOLLIN, {.u64 = kWakeTag}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) return Refused(errno);
  return {};
}

Status Worker::Listen(std::shared_ptr<Listener> listener) {
  listeners_.push_back(std::move(listener));
  return WatchListener(listeners_.size() - 1) ? Status() : Refused(errno);
}

// Of a listener that several workers share, one is woken for a client.
bool Worker::WatchListener(size_t index) {
  epoll_event event{EPOLLIN | EPOLLEXCLUSIVE, {.u64 = ListenerTag(index)}};
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, listeners_[index]->fd(), &event) == 0;
}

void Worker::ListenAgain(bool listen) {
  for (size_t i = 0; i < listeners_.size(); ++i) {
    if (listen)
      WatchListener(i);
    else
      ::epoll_ctl(epoll_, EPOLL_CTL_DEL, listeners_[i]->fd(), nullptr);
  }
}

// Signals are the process's other threads' affair.
Status Worker::Run() {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const int refused = ::pthread_create(&thread_, nullptr, &Worker::Main, this);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (refused != 0) return Refused(refused);
  running_ = true;
  return {};
}

void Worker::Join() {
  if (!running_) return;
  ::pthread_join(thread_, nullptr);
  running_ = false;
}

void* Worker::Main(void* self) {
  ::pthread_setname_np(::pthread_self(), "zerohop-resp");
  running_worker = static_cast<Worker*>(self);
  static_cast<Worker*>(self)->Loop();
  return nullptr;
}

Worker* Worker::Running() { return running_worker; }

Client* Worker::Find(uint64_t client) {
  const auto found = clients_.find(client);
  return found == clients_.end() || found->second->Has(kClientClosing) ? nullptr : found->second.get();
}

size_t Worker::Post(Message message) {
  size_t waiting;
  {
    MutexLock lock(mailbox_mutex_);
    mailbox_.push_back(std::move(message));
    waiting = mailbox_.size();
  }
  // Else it was woken already, and has not looked yet.
  if (waiting == 1) Wake();
  return waiting;
}

void Worker::Wake() {
  const uint64_t one = 1;
  while (::write(wake_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

// Another thread did something for the worker, which waits; it holds the server's lock exclusively.
void Worker::WakeIfElsewhere() {
  if (running_worker != this) Wake();
}

int Worker::WaitMs() const {
  if (!ready_.empty() || !flush_.empty() || !closed_.empty() || !inbox_.empty() || !scraps_.empty()) return 0;
  if (next_cron_us_ == kNever) return -1;
  const uint64_t now = NowUs();
  return next_cron_us_ <= now ? 0 : static_cast<int>((next_cron_us_ - now) / 1000 + 1);
}

void Worker::Loop() {
  epoll_event events[kEventsMax];
  int wait_ms = -1;
  OpenBatch();
  while (!stopping_ || !clients_.empty()) {
    const int count = ::epoll_wait(epoll_, events, kEventsMax, wait_ms);
    server_.lock().LockShared(index_);
    // Exactly where only a timer woke us: the coarse clock would say that its time has not come.
    now_us_ = std::max(now_us_, count > 0 ? CoarseNowUs() : NowUs());
    ++counts_.wakeups;
    Share(ready_.size() + static_cast<size_t>(std::max(count, 0)));
    // First what was posted: it was said before what clients ask now.
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kWakeTag) ReadMailbox();
    }
    ReadInbox();
    LetOthers();
    defers_ = batch_.opened() && count > 1;
    for (int i = 0, received = 0; i < count; ++i) {
      if (i >= received) received = ReceiveAhead(events, i, count);
      const uint64_t tag = events[i].data.u64;
      if (tag == kWakeTag) {
        continue;
      } else if ((tag & 1) != 0) {
        // It may have been closed since epoll told of it.
        if (ListenerOf(tag) < listeners_.size()) Accept(*listeners_[ListenerOf(tag)]);
      } else {
        Client& client = *reinterpret_cast<Client*>(tag);
        if (client.heavy || client.in_ready) {
          KeepArrived(client);
          client.due |= events[i].events;
          Enqueue(client);
        } else {
          Serve(client, events[i].events);
        }
      }
      LetOthers();
    }
    SendDeferred();
    defers_ = false;
    ServeHeavy();
    if (hand_out_) {
      hand_out_ = false;
      server_.changes().HandOut();
    }
    FlushPushed();
    if (next_cron_us_ == kNever && LooksForExpired()) next_cron_us_ = now_us_ + kCronUs;
    if (next_cron_us_ <= now_us_) Cron();
    LeaveGuard();
    BuryClosed();
    wait_ms = WaitMs();
    server_.lock().UnlockShared(index_);
    GiveBackScraps();
  }
}

// So that everyone who is there now has had a turn soon.
void Worker::Share(size_t clients) {
  if (clients <= kWakeBytes / kTurnBytesMax) [[likely]] {
    turn_commands_ = kTurnCommandsMax;
    turn_bytes_ = kTurnBytesMax;
    return;
  }
  turn_commands_ = std::clamp(kWakeCommands / clients, kTurnCommandsMin, kTurnCommandsMax);
  turn_bytes_ = std::clamp(kWakeBytes / clients, kTurnBytesMin, kTurnBytesMax);
}

void Worker::Enqueue(Client& client) {
  if (client.in_ready || client.Has(kClientClosing)) return;
  client.in_ready = true;
  ready_.push_back(&client);
}

// One turn each, as far as time allows; the rest in the next wake-up, which comes at once.
void Worker::ServeHeavy() {
  if (ready_.empty()) [[likely]]
    return;
  const uint64_t until_us = NowUs() + kHeavyUs;
  for (size_t left = ready_.size(); left > 0; --left) {
    Client& client = *ready_.front();
    ready_.pop_front();
    client.in_ready = false;
    Serve(client, std::exchange(client.due, 0));
    LetOthers();
    if (NowUs() >= until_us) break;
  }
}

void Worker::FlushPushed() {
  if (flush_.empty()) [[likely]]
    return;
  const uint64_t until_us = NowUs() + kAsideUs;
  for (size_t left = flush_.size(); left > 0; --left) {
    Client& client = *flush_.front();
    flush_.pop_front();
    client.in_flush = false;
    SendPending(client);
    CountHeld(client);
    if (NowUs() >= until_us) break;
  }
}

// Between two turns: who waits for the lock exclusively need not wait for all turns.
void Worker::LetOthers() {
  if (over_limit_) [[unlikely]]
    return HoldWithinLimit();
  if (!server_.lock().wanted()) [[likely]]
    return;
  SendDeferred();
  LeaveGuard();
  server_.lock().UnlockShared(index_);
  server_.lock().LockShared(index_);
}

void Worker::GoExclusive() {
  SendDeferred();
  LeaveGuard();
  server_.lock().UnlockShared(index_);
  server_.lock().LockExclusive();
}

void Worker::GoShared() {
  server_.lock().UnlockExclusive();
  server_.lock().LockShared(index_);
}

const ReadGuard& Worker::Guard() {
  if (!guard_) guard_.emplace(server_.cache().epochs(), session_);
  return *guard_;
}

void Worker::LeaveGuard() {
  if (!guard_) return;
  out_.Keep();
  guard_.reset();
}

void Worker::ReadMailbox() {
  uint64_t count;
  [[maybe_unused]] const ssize_t got = ::read(wake_, &count, sizeof count);
  std::vector<Message> messages;
  {
    MutexLock lock(mailbox_mutex_);
    messages.swap(mailbox_);
  }
  for (Message& message : messages) inbox_.push_back(std::move(message));
}

// What time does not allow comes in the next wake-up, before anything else.
void Worker::ReadInbox() {
  if (inbox_.empty()) [[likely]]
    return;
  const uint64_t until_us = NowUs() + kHeavyUs;
  do {
    Message message = std::move(inbox_.front());
    inbox_.pop_front();
    Receive(message);
  } while (!inbox_.empty() && NowUs() < until_us);
}

void Worker::Receive(Message& message) {
  if (message.kind == Message::Kind::kStop) {
    stopping_ = true;
    stop_at_us_ = message.until_us;
    ListenAgain(false);
    listeners_.clear();
    next_cron_us_ = 0;
    return;
  }
  if (message.kind == Message::Kind::kOpen) {
    if (!server_.AdmitClient()) {
      message.opened->stream->Give(message.client, "-ERR max number of clients reached\r\n");
      message.opened->stream->Give(message.client, {});
      server_.ForgetStream(message.client);
      return;
    }
    Welcome(std::move(message.opened));
    return;
  }
  if (message.kind == Message::Kind::kHandOut) return HandOutSoon();
  if (message.kind == Message::Kind::kMessage) {
    for (const uint64_t listener : message.clients) {
      if (Client* const client = Find(listener)) PushMessage(*client, message.shared);
    }
    return;
  }
  if (message.kind == Message::Kind::kResume && message.client == 0) {
    for (Client* const client : std::vector<Client*>(parked_)) {
      if (client->parked == Parked::kPaused) Resume(*client);
    }
    return;
  }
  Client* const found = Find(message.client);
  if (found == nullptr) return;
  Client& client = *found;
  switch (message.kind) {
    case Message::Kind::kPush: Push(client, message.bytes); break;
    case Message::Kind::kClose: Close(client); break;
    case Message::Kind::kResume: Resume(client); break;
    case Message::Kind::kInvalidate: server_.changes().Deliver(client, message.invalidation); break;
    case Message::Kind::kInput: ReadStream(client, message.bytes); break;
    case Message::Kind::kSent: SendPending(client); break;
    default: break;
  }
}

void Worker::Park(Client& client, Parked why, uint64_t until_us) {
  client.Put(kClientParked);
  client.parked = why;
  client.parked_until_us = until_us;
  Unstage(client);
  parked_.push_back(&client);
  if (until_us != kNever) next_cron_us_ = std::min(next_cron_us_, until_us);
}

void Worker::Resume(Client& client) {
  if (!client.Has(kClientParked)) return;
  client.Put(kClientParked, false);
  client.parked = Parked::kNot;
  std::erase(parked_, &client);
  GoOnLater(client);
  WakeIfElsewhere();
}

void Worker::Close(Client& client) {
  if (client.Has(kClientClosing)) return;
  client.Put(kClientClosing);
  closed_.push_back(&client);
  WakeIfElsewhere();
}

// What has to be done at some time, and not because something arrived.
void Worker::Cron() {
  next_cron_us_ = kNever;
  if (stopping_) {
    for (const auto& [id, client] : clients_) {
      if (stop_at_us_ <= NowUs() || !OwesReplies(*client)) Close(*client);
    }
    next_cron_us_ = now_us_ + kStopPollUs;
    return;
  }
  const auto again_at = [&](uint64_t us) { next_cron_us_ = std::min(next_cron_us_, us); };
  if (accept_again_us_ != 0 && accept_again_us_ <= now_us_) {
    accept_again_us_ = 0;
    ListenAgain(true);
  } else if (accept_again_us_ != 0) {
    again_at(accept_again_us_);
  }
  for (Client* const client : std::vector<Client*>(parked_)) {
    if (client->parked_until_us <= now_us_)
      Resume(*client);
    else
      again_at(client->parked_until_us);
  }
  const uint64_t timeout_us = server_.config().timeout_seconds * 1000000;
  bool soft = false;
  for (const auto& [id, client] : clients_) {
    const bool exempt = client->Has(kClientSubscribed) || client->parked == Parked::kBlocked;
    if (timeout_us != 0 && !exempt && now_us_ - client->last_spoke_us > timeout_us) Close(*client);
    if (client->soft_limit_us != 0) {
      soft = true;
      CheckOutputLimits(*client);
    }
  }
  if (timeout_us != 0 || soft) again_at(now_us_ + kCronUs);
  if (LooksForExpired()) {
    // Clients that keep an entry hear of its end, though nobody asks for it.
    const uint64_t until_us = NowUs() + kExpiryUs;
    for (size_t part = 0; part < Index::kShards && NowUs() < until_us; ++part) server_.cache().Maintain(/*idle=*/false);
    again_at(now_us_ + kCronUs);
  }
}

// Whether the client sent something that it was not answered yet; half a request does not count.
bool Worker::OwesReplies(const Client& client) const {
  if (!client.pending.empty() || client.goes_on) return true;
  if (client.stream != nullptr) return client.stream->unsent.load() > 0 || client.stream->unread.load() > 0;
  int unread = 0;
  return ::ioctl(client.fd, FIONREAD, &unread) == 0 && unread > 0;
}

void Worker::BuryClosed() {
  if (closed_.empty()) [[likely]]
    return;
  const uint64_t until_us = NowUs() + kAsideUs;
  do {
    Client& dead = *closed_.front();
    closed_.pop_front();
    Forget(dead);
  } while (!closed_.empty() && NowUs() < until_us);
}

void Worker::GiveBackScraps() {
  if (scraps_.empty()) [[likely]]
    return;
  const uint64_t until_us = NowUs() + kAsideUs;
  do {
    scraps_.GiveBackSome();
  } while (!scraps_.empty() && NowUs() < until_us);
}

void Worker::Forget(Client& client) {
  Unstage(client);
  if (client.in_ready) std::erase(ready_, &client);
  if (client.in_flush) std::erase(flush_, &client);
  if (client.Has(kClientParked)) std::erase(parked_, &client);
  if (client.stream != nullptr) {
    client.stream->Give(client.id, {});
    server_.ForgetStream(client.id);
  }
  server_.held_bytes.fetch_sub(client.held_bytes, std::memory_order_relaxed);
  server_.DismissClient();
  server_.Strike(client.id);
  clients_.erase(client.id);
}

}  // namespace zerohop::resp
