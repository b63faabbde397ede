#include "resp/worker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/clock.h"
#include "resp/command_table.h"
#include "resp/dispatch.h"
#include "resp/listener.h"
#include "resp/permission.h"

namespace zerohop::resp {
namespace {

// What epoll gives back: a client's address, or one of these with the lowest bit set.
constexpr uint64_t kWakeTag = 1;
uint64_t ListenerTag(size_t index) { return (uint64_t{index} << 1) | 0x8000000000000001u; }
size_t ListenerOf(uint64_t tag) { return (tag & ~0x8000000000000001u) >> 1; }

thread_local Worker* running_worker = nullptr;

}  // namespace

Worker::Worker(Server& server, size_t index) : server_(server), index_(index), read_buffer_(new char[kReadBytes]) {
  counts_.by_command.resize(CommandTable::Process().all().size());
  get_index_ = CommandTable::Process().Find("get")->index;
  gets_.reserve(Cache::kBatchMax);
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
  // One of the workers is woken for a client of a shared listener.
  epoll_event event{EPOLLIN | EPOLLEXCLUSIVE, {.u64 = ListenerTag(listeners_.size())}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener->fd(), &event) != 0) return Refused(errno);
  listeners_.push_back(std::move(listener));
  return {};
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

void Worker::Post(Message message) {
  bool first;
  {
    MutexLock lock(mailbox_mutex_);
    first = mailbox_.empty();
    mailbox_.push_back(std::move(message));
  }
  // Else it was woken already, and has not looked yet.
  if (first) Wake();
}

void Worker::Wake() {
  const uint64_t one = 1;
  while (::write(wake_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

int Worker::WaitMs() const {
  if (!ready_.empty()) return 0;
  if (next_cron_us_ == kNever) return -1;
  const uint64_t now = NowUs();
  return next_cron_us_ <= now ? 0 : static_cast<int>((next_cron_us_ - now) / 1000 + 1);
}

void Worker::Loop() {
  epoll_event events[kEventsMax];
  while (!stopping_ || !clients_.empty()) {
    const int count = ::epoll_wait(epoll_, events, kEventsMax, WaitMs());
    server_.lock().LockShared(index_);
    now_us_ = CoarseNowUs();
    ++counts_.wakeups;
    // Who had requests left goes on after those who come now.
    std::vector<Client*>& left = left_;
    left.swap(ready_);
    for (Client* const client : left) client->in_ready = false;
    for (int i = 0; i < count; ++i) {
      const uint64_t tag = events[i].data.u64;
      if (tag == kWakeTag) {
        ReadMailbox();
      } else if ((tag & 1) != 0) {
        Accept(*listeners_[ListenerOf(tag)]);
      } else {
        OnEvents(*reinterpret_cast<Client*>(tag), events[i].events);
      }
      LetOthers();
    }
    for (Client* const client : left) {
      Turn(*client, /*may_read=*/false);
      LetOthers();
    }
    left.clear();
    if (hand_out_) {
      hand_out_ = false;
      server_.changes().HandOut();
    }
    for (Client* const client : flush_) {
      client->in_flush = false;
      SendPending(*client);
    }
    flush_.clear();
    if (next_cron_us_ <= now_us_) Cron();
    LeaveGuard();
    BuryClosed();
    server_.lock().UnlockShared(index_);
  }
}

// Between two turns: who waits for the lock exclusively need not wait for all turns.
void Worker::LetOthers() {
  if (!server_.lock().wanted()) [[likely]]
    return;
  LeaveGuard();
  server_.lock().UnlockShared(index_);
  server_.lock().LockShared(index_);
}

void Worker::GoExclusive() {
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

// ── Clients come ────────────────────────────────────────────────────────────────────────────────────────────────────

void Worker::Accept(Listener& listener) {
  for (size_t i = 0; i < kAcceptsMax; ++i) {
    const int fd = ::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Admit(fd, listener.is_unix());
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    // Out of descriptors or memory: the client stays in the backlog, and epoll would tell of it again at once.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) PauseListening();
    return;
  }
}

void Worker::PauseListening() {
  if (accept_again_us_ != 0) return;
  for (const auto& listener : listeners_) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, listener->fd(), nullptr);
  accept_again_us_ = now_us_ + kCronUs;
  next_cron_us_ = std::min(next_cron_us_, accept_again_us_);
}

void Worker::Admit(int fd, bool unix_socket) {
  const auto refuse = [&](std::string_view text) {
    ++counts_.rejected_connections;
    [[maybe_unused]] const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::close(fd);
  };
  if (!server_.AdmitClient()) return refuse("-ERR max number of clients reached\r\n");
  if (!unix_socket) {
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (const int seconds = static_cast<int>(server_.config().tcp_keepalive_seconds); seconds > 0) {
      const int interval = std::max(seconds / 3, 1), probes = 3;
      ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
      ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
      ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
      ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    }
  }
  auto client = std::make_unique<Client>(*this, server_.NextClientId(), fd);
  client->Put(kClientUnixSocket, unix_socket);
  client->events = EPOLLIN;
  epoll_event event{client->events, {.u64 = reinterpret_cast<uint64_t>(client.get())}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    server_.DismissClient();
    return;
  }
  Welcome(std::move(client));
}

void Worker::Welcome(std::unique_ptr<Client> client) {
  ++counts_.connections;
  client->connected_us = client->last_spoke_us = now_us_;
  client->account = &server_.users().default_user();
  client->authenticated = !server_.users().default_user().needs_password() && server_.users().default_user().enabled();
  server_.Enroll(client->id, *this);
  clients_.emplace(client->id, std::move(client));
  if (server_.config().timeout_seconds > 0) next_cron_us_ = std::min(next_cron_us_, now_us_ + kCronUs);
}

// ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────────

void Worker::OnEvents(Client& client, uint32_t events) {
  if (client.Has(kClientClosing)) return;
  if ((events & EPOLLOUT) != 0) SendPending(client);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Turn(client, /*may_read=*/true);
}

bool Worker::IsHeld(const Client& client) const {
  return client.in_ready || client.Has(kClientParked) || client.pending.bytes() > kTurnOutputBytes;
}

void Worker::Turn(Client& client, bool may_read) {
  if (client.Has(kClientClosing | kClientCloseAfterReply)) return;
  std::string_view input;
  bool in_place = true;
  if (!may_read) {
    input = client.input.view();
  } else if (!ReadInto(client, &input, &in_place)) {
    return;
  }
  ++counts_.passes;
  if (IsHeld(client)) return;
  current_ = &client;
  const size_t done = RunRequests(client, input);
  if (in_place) {
    client.input.Drop(done);
  } else if (done < input.size()) {
    // In one piece with what is still to come of a long word: it is not copied again.
    const std::string_view rest = input.substr(done);
    const size_t wanted = std::max(rest.size(), client.parser.BytesWanted());
    if (client.input.Room(wanted) == nullptr)
      Close(client);
    else if (!client.Has(kClientClosing))
      client.input.Append(rest);
  }
  if (client.input.empty()) client.parser.Shrink();
  client.query_bytes = client.input.bytes();
  Flush(client);
  current_ = nullptr;
}

// One recv.  `in_place`: what arrived was put behind what the client's Input has; otherwise both lie in the worker's
// own buffer, and the Input is empty.  False: there is nothing to run.
bool Worker::ReadInto(Client& client, std::string_view* input, bool* in_place) {
  const size_t before = client.input.bytes();
  const size_t wanted = client.parser.BytesWanted();
  *in_place = IsHeld(client) || before > kOwnInputBytes || wanted > kReadBytes;
  char* to = read_buffer_.get();
  size_t room = kReadBytes;
  if (*in_place) {
    to = client.input.Room(std::max(kOwnInputBytes, wanted > before ? wanted - before : 0));
    if (to == nullptr) return Close(client), false;
    room = std::min(client.input.room(), kTurnInputBytes);
  } else if (before > 0) {
    std::memcpy(to, client.input.view().data(), before);
    to += before;
    room -= before;
  }
  const ssize_t got = ::recv(client.fd, to, room, 0);
  if (got <= 0) {
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    Close(client);
    return false;
  }
  counts_.bytes_in += static_cast<uint64_t>(got);
  client.last_spoke_us = now_us_;
  if (*in_place) {
    client.input.Grew(static_cast<size_t>(got));
    *input = client.input.view();
  } else {
    client.input.Free();
    *input = {read_buffer_.get(), before + static_cast<size_t>(got)};
  }
  if (input->size() > server_.config().query_buffer_limit) {
    ++counts_.query_limit_disconnections;
    Close(client);
    return false;
  }
  return true;
}

// Runs what is complete; returns how many bytes were dealt with.
size_t Worker::RunRequests(Client& client, std::string_view input) {
  client.query_bytes = input.size();
  size_t done = 0;
  Parser::Request request;
  for (size_t commands = 0; done < input.size(); ++commands) {
    if (client.Has(kClientClosing | kClientCloseAfterReply)) return input.size();
    if (commands >= kTurnCommands || out_.bytes() + client.pending.bytes() > kTurnOutputBytes) {
      RunGets(client);
      if (client.pending.empty() || commands >= kTurnCommands) GoOnLater(client);
      return done;
    }
    const Parser::Limits limits{static_cast<int64_t>(server_.config().proto_max_bulk_bytes), client.authenticated};
    const Parser::Outcome outcome = client.parser.Next(input.substr(done), limits, &request);
    if (outcome == Parser::Outcome::kIncomplete) break;
    if (outcome == Parser::Outcome::kError) {
      RunGets(client);
      ProtocolError(client, client.parser.error());
      return input.size();
    }
    if (request.args.size() > 0) {
      if (IsPlainGet(client, server_, request.args)) {
        gets_.push_back(request.args.AsBytes(1));
        if (gets_.size() == Cache::kBatchMax) RunGets(client);
      } else {
        RunGets(client);
        in_command_ = true;
        const Ran ran = Dispatch(*this, client, request.args, out_);
        in_command_ = false;
        if (!after_reply_.empty()) {
          out_.Put(after_reply_);
          after_reply_.clear();
        }
        if (ran == Ran::kParked) return done;
      }
    }
    done += request.bytes;
  }
  RunGets(client);
  return done;
}

void Worker::RunGets(Client& client) {
  if (gets_.empty()) return;
  Cache& cache = server_.cache();
  const uint16_t space = server_.OpenedSpaceOf(client.database).value_or(0);
  std::array<Hit, Cache::kBatchMax> hits;
  if (gets_.size() == 1) {
    hits[0] = cache.Find(Guard(), session_, space, gets_[0]);
  } else {
    cache.FindMany(Guard(), session_, space, gets_, std::span(hits).first(gets_.size()));
  }
  Reply reply(out_, client.protocol, &counts_.errors);
  for (size_t i = 0; i < gets_.size(); ++i) {
    if (hits[i])
      reply.Value({cache.arena().bytes() + hits[i].at, hits[i].bytes});
    else
      reply.Null();
  }
  counts_.by_command[get_index_].calls += gets_.size();
  counts_.commands += gets_.size();
  client.commands += gets_.size();
  client.last_command = CommandTable::Process().all()[get_index_];
  gets_.clear();
}

void Worker::ProtocolError(Client& client, const std::string& text) {
  Reply(out_, client.protocol, &counts_.errors).Error("ERR " + text);
  client.Put(kClientProtocolError | kClientCloseAfterReply);
}

// Its turn comes again without anything arriving.
void Worker::GoOnLater(Client& client) {
  if (client.in_ready || client.Has(kClientClosing)) return;
  client.in_ready = true;
  ready_.push_back(&client);
}

// ── Replies ─────────────────────────────────────────────────────────────────────────────────────────────────────────

// Sends what the turn answered.  What the socket does not take is copied, and goes when it can.
void Worker::Flush(Client& client) {
  if (!out_.empty()) {
    size_t sent = 0;
    if (client.pending.empty() && !client.Has(kClientClosing)) {
      iovec pieces[kPiecesMax];
      while (sent < out_.bytes()) {
        const size_t count = out_.Pieces(sent, pieces, kPiecesMax);
        size_t now = 0;
        const bool all = Send(client, pieces, count, &now);
        sent += now;  // also of what was taken in part
        if (!all) break;
      }
    }
    if (sent < out_.bytes() && !client.Has(kClientClosing)) {
      client.pending.Append(out_, sent);
      Watch(client);
      CheckOutputLimits(client);
    }
    out_.Clear();
  }
  if (client.Has(kClientCloseAfterReply) && client.pending.empty()) Close(client);
}

// True: everything was taken.
bool Worker::Send(Client& client, const iovec* pieces, size_t count, size_t* sent) {
  size_t wanted = 0;
  for (size_t i = 0; i < count; ++i) wanted += pieces[i].iov_len;
  ssize_t took;
  if (client.Has(kClientStream)) {
    for (size_t i = 0; i < count; ++i) {
      client.stream_output(client.id, {static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len});
    }
    took = static_cast<ssize_t>(wanted);
  } else if (count == 1) {
    took = ::send(client.fd, pieces[0].iov_base, wanted, MSG_NOSIGNAL);
  } else {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces);
    message.msg_iovlen = count;
    took = ::sendmsg(client.fd, &message, MSG_NOSIGNAL);
  }
  if (took < 0) {
    if (errno != EAGAIN && errno != EINTR) Close(client);
    return false;
  }
  counts_.bytes_out += static_cast<uint64_t>(took);
  *sent = static_cast<size_t>(took);
  return *sent == wanted;
}

void Worker::SendPending(Client& client) {
  if (client.Has(kClientClosing)) return;
  const bool was_held = client.pending.bytes() > kTurnOutputBytes;
  while (!client.pending.empty()) {
    iovec pieces[kPiecesMax];
    const size_t count = client.pending.Pieces(pieces, kPiecesMax);
    size_t sent = 0;
    const bool all = Send(client, pieces, count, &sent);
    client.pending.Drop(sent);
    if (!all) break;
  }
  CheckOutputLimits(client);
  Watch(client);
  if (client.Has(kClientCloseAfterReply) && client.pending.empty()) Close(client);
  if (client.pending.bytes() <= kTurnOutputBytes && !client.input.empty() && was_held) GoOnLater(client);
}

// What epoll is to tell of the client: one call when that changes, none otherwise.
void Worker::Watch(Client& client) {
  if (client.fd < 0 || client.Has(kClientClosing)) return;
  const uint32_t events = EPOLLIN | (client.pending.empty() ? 0u : static_cast<uint32_t>(EPOLLOUT));
  if (events == client.events) return;
  client.events = events;
  epoll_event event{events, {.u64 = reinterpret_cast<uint64_t>(&client)}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
}

void Worker::CheckOutputLimits(Client& client) {
  const Config& config = server_.config();
  const OutputLimit& limit = client.Has(kClientSubscribed) ? config.output_pubsub : config.output_normal;
  const size_t bytes = client.pending.bytes();
  bool over = limit.hard_bytes != 0 && bytes >= limit.hard_bytes;
  if (limit.soft_bytes != 0 && bytes >= limit.soft_bytes) {
    if (client.soft_limit_us == 0) client.soft_limit_us = now_us_;
    over = over || now_us_ - client.soft_limit_us > limit.soft_seconds * 1000000;
    next_cron_us_ = std::min(next_cron_us_, now_us_ + kCronUs);
  } else {
    client.soft_limit_us = 0;
  }
  if (!over) return;
  ++counts_.output_limit_disconnections;
  client.pending.Clear();
  Close(client);
}

void Worker::Push(Client& client, std::string_view bytes) {
  if (client.Has(kClientClosing | kClientCloseAfterReply)) return;
  if (&client == current_) {
    if (in_command_)
      after_reply_ += bytes;
    else
      out_.Put(bytes);
    return;
  }
  client.pending.Append(bytes);
  if (client.in_flush) return;
  client.in_flush = true;
  flush_.push_back(&client);
  if (running_worker != this) Wake();
}

// ── Messages, timers, the end ───────────────────────────────────────────────────────────────────────────────────────

void Worker::ReadMailbox() {
  uint64_t count;
  [[maybe_unused]] const ssize_t got = ::read(wake_, &count, sizeof count);
  std::vector<Message> messages;
  {
    MutexLock lock(mailbox_mutex_);
    messages.swap(mailbox_);
  }
  for (Message& message : messages) Receive(std::move(message));
}

void Worker::Receive(Message message) {
  if (message.kind == Message::Kind::kStop) {
    stopping_ = true;
    stop_at_us_ = message.until_us;
    for (const auto& listener : listeners_) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, listener->fd(), nullptr);
    listeners_.clear();
    next_cron_us_ = 0;
    return;
  }
  if (message.kind == Message::Kind::kOpen) {
    if (server_.AdmitClient()) Welcome(std::move(message.opened));
    return;
  }
  if (message.kind == Message::Kind::kHandOut) return HandOutSoon();
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
    case Message::Kind::kMessage: PushMessage(client, message.bytes); break;
    case Message::Kind::kClose: Close(client); break;
    case Message::Kind::kResume: Resume(client); break;
    case Message::Kind::kInvalidate: server_.changes().Deliver(client, message.invalidation); break;
    case Message::Kind::kInput:
      if (!client.input.Append(message.bytes)) Close(client);
      client.last_spoke_us = now_us_;
      Turn(client, /*may_read=*/false);
      break;
    default: break;
  }
}

void Worker::Park(Client& client, Parked why, uint64_t until_us) {
  client.Put(kClientParked);
  client.parked = why;
  client.parked_until_us = until_us;
  parked_.push_back(&client);
  if (until_us != kNever) next_cron_us_ = std::min(next_cron_us_, until_us);
}

void Worker::Resume(Client& client) {
  if (!client.Has(kClientParked)) return;
  client.Put(kClientParked, false);
  client.parked = Parked::kNot;
  std::erase(parked_, &client);
  GoOnLater(client);
  if (running_worker != this) Wake();
}

void Worker::Close(Client& client) {
  if (client.Has(kClientClosing)) return;
  client.Put(kClientClosing);
  closed_.push_back(&client);
  if (running_worker != this) Wake();
}

// What has to be done at some time, and not because something arrived.
void Worker::Cron() {
  next_cron_us_ = kNever;
  if (stopping_) {
    for (const auto& [id, client] : clients_) {
      const bool busy = !client->pending.empty() || client->in_ready;
      if (!busy || stop_at_us_ <= NowUs()) Close(*client);
    }
    next_cron_us_ = now_us_ + kStopPollUs;
    return;
  }
  const auto again_at = [&](uint64_t us) { next_cron_us_ = std::min(next_cron_us_, us); };
  if (accept_again_us_ != 0 && accept_again_us_ <= now_us_) {
    accept_again_us_ = 0;
    for (size_t i = 0; i < listeners_.size(); ++i) {
      epoll_event event{EPOLLIN | EPOLLEXCLUSIVE, {.u64 = ListenerTag(i)}};
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, listeners_[i]->fd(), &event);
    }
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
}

void Worker::BuryClosed() {
  while (!closed_.empty()) {
    std::vector<Client*> dead;
    dead.swap(closed_);
    for (Client* const client : dead) Forget(*client);
  }
}

void Worker::Forget(Client& client) {
  // Its last words, as far as the socket takes them: a reply and the end may come in the same pass.
  std::erase(ready_, &client);
  std::erase(flush_, &client);
  std::erase(parked_, &client);
  if (client.Has(kClientStream)) client.stream_output(client.id, {});
  server_.DismissClient();
  server_.Strike(client.id);
  clients_.erase(client.id);
}

}  // namespace zerohop::resp
