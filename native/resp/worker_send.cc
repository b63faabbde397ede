// worker_send.cc: replies go out: from the turn's Output, and later from what a client has pending.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "resp/worker.h"

namespace zerohop::resp {

// How much of its replies a client is sent in one go.  A stream takes no more than its carrier passes on, and tells
// nobody that it would take more.
size_t Worker::ShareOf(const Client& client) const { return client.stream != nullptr ? SIZE_MAX : turn_bytes_; }

// Sends what the turn answered.  What the socket does not take is copied, and goes when it can.
void Worker::Flush(Client& client) {
  if (out_.lost()) [[unlikely]] {
    ++counts_.output_limit_disconnections;
    out_.Clear();
    return Close(client);
  }
  if (!out_.empty() && !Defer(client)) {
    size_t sent = 0;
    if (client.pending.empty() && !client.Has(kClientClosing)) {
      iovec pieces[kPiecesMax];
      for (const size_t share = std::min(out_.bytes(), ShareOf(client)); sent < share;) {
        const size_t count = out_.Pieces(sent, share - sent, pieces, kPiecesMax);
        size_t now = 0;
        const bool all = Send(client, pieces, count, &now);
        sent += now;
        if (!all) break;
      }
    }
    if (out_.bytes() - sent > server_.held_bytes_max()) {
      ++counts_.output_limit_disconnections;
      Close(client);
    } else if (sent < out_.bytes() && !client.Has(kClientClosing)) {
      if (!client.pending.Append(out_, sent)) {
        ++counts_.output_limit_disconnections;
        Close(client);
      } else {
        Watch(client);
        CheckOutputLimits(client);
      }
    }
  }
  out_.Clear();
  if (client.Has(kClientCloseAfterReply) && client.pending.empty()) Close(client);
}

namespace {

// As if it were a socket: takes a part, or none (EAGAIN), where the carrier is behind.
ssize_t SendToStream(uint64_t id, StreamEnd& stream, const iovec* pieces, size_t count, size_t wanted) {
  const size_t unsent = stream.unsent.load(std::memory_order_acquire);
  const size_t room = unsent < StreamEnd::kUnsentMax ? StreamEnd::kUnsentMax - unsent : 0;
  if (room == 0) return errno = EAGAIN, -1;
  std::string bytes;
  bytes.reserve(std::min(wanted, room));
  for (size_t i = 0; i < count && bytes.size() < room; ++i) {
    bytes.append(static_cast<const char*>(pieces[i].iov_base), std::min(pieces[i].iov_len, room - bytes.size()));
  }
  const ssize_t took = static_cast<ssize_t>(bytes.size());
  stream.unsent.fetch_add(bytes.size(), std::memory_order_acq_rel);
  if (!stream.Give(id, std::move(bytes))) return errno = EPIPE, -1;
  return took;
}

}  // namespace

// True: everything was taken.
bool Worker::Send(Client& client, const iovec* pieces, size_t count, size_t* sent) {
  size_t wanted = 0;
  for (size_t i = 0; i < count; ++i) wanted += pieces[i].iov_len;
  ssize_t took;
  if (client.stream != nullptr) {
    took = SendToStream(client.id, *client.stream, pieces, count, wanted);
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
  size_t share = ShareOf(client);
  while (!client.pending.empty() && share > 0) {
    iovec pieces[kPiecesMax];
    const size_t count = client.pending.Pieces(share, pieces, kPiecesMax);
    size_t sent = 0;
    const bool all = Send(client, pieces, count, &sent);
    client.pending.Drop(sent);
    share -= sent;
    if (!all) break;
  }
  client.heavy = client.heavy || client.pending.bytes() > kTurnBytesMin;
  CheckOutputLimits(client);
  Watch(client);
  if (client.Has(kClientCloseAfterReply) && client.pending.empty()) Close(client);
  if (client.pending.bytes() <= kHeldOutputBytes && !client.input.empty()) GoOnLater(client);
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

// All clients of the server together hold no more than a limit: whoever holds most goes first.
void Worker::CountHeld(Client& client) {
  const size_t held = client.pending.memory() + client.input.bytes() + client.queued_bytes;
  if (held == client.held_bytes) [[likely]]
    return;
  if (client.Has(kClientClosing)) return;  // it counts no more, or until it is buried
  server_.held_bytes.fetch_add(held - client.held_bytes, std::memory_order_relaxed);
  client.held_bytes = held;
  over_limit_ = over_limit_ || server_.HoldsTooMuch();
}

// Clients of any worker may be those that hold most.
void Worker::HoldWithinLimit() {
  over_limit_ = false;
  GoExclusive();
  server_.DisconnectWhoHoldsMost();
  GoShared();
}

// Its memory is freed when it is buried, but for what it shares with others, which counts until all let go of it.
void Worker::GiveUp(Client& client) {
  ++counts_.output_limit_disconnections;
  server_.held_bytes.fetch_sub(client.held_bytes, std::memory_order_relaxed);
  client.held_bytes = 0;
  if (client.pending.shared_bytes() > 0) client.pending.Clear();
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
  if (client.deferred) SendDeferred();
  client.pending.Append(bytes);
  Pushed(client);
}

void Worker::PushMessage(Client& client, const SharedTextRef& text) {
  if (client.Has(kClientClosing | kClientCloseAfterReply)) return;
  const std::string_view type = client.protocol == 2 ? "*" : ">";
  if (&client == current_) return Push(client, std::string(type).append(text->text()));
  if (client.deferred) SendDeferred();
  client.pending.Append(type);
  client.pending.Append(text);
  Pushed(client);
}

// It is sent at the end of the wake-up; if its socket takes nothing now, epoll tells when it does.
void Worker::Pushed(Client& client) {
  CheckOutputLimits(client);
  CountHeld(client);
  over_limit_ = over_limit_ || server_.HoldsTooMuch();
  if (client.in_flush || (client.events & EPOLLOUT) != 0 || client.Has(kClientClosing)) return;
  client.in_flush = true;
  flush_.push_back(&client);
  WakeIfElsewhere();
}

}  // namespace zerohop::resp
