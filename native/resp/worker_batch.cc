// worker_batch.cc: small requests of many clients are received together, and their replies sent together.
//
// A system call costs as much as a small request.  So what clients sent is received ahead for as many of a wake-up as a
// batch takes, and their replies wait in one buffer until all of them are there.
//
// Only what is small and simple takes part: a client with nothing unsent and nothing unfinished, a reply of a few KiB.
// All else is received and sent by calls of its own.  Replies wait for nothing that takes long: they are sent before a
// command that may, before another thread may touch the clients, and before anything else is put into their output.
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "resp/worker.h"

namespace zerohop::resp {

void Worker::OpenBatch() {
  if (!may_batch_ || !batch_.Open()) return;
  arrived_bytes_.reset(new char[SocketBatch::kCallsMax * kArrivedBytesMax]);
  deferred_bytes_.reset(new char[SocketBatch::kCallsMax * kDeferredBytesMax]);
  deferred_.reserve(SocketBatch::kCallsMax);
}

bool Worker::TakesPart(const epoll_event& event) const {
  if (event.events != EPOLLIN || (event.data.u64 & 1) != 0) return false;
  const Client& client = *reinterpret_cast<const Client*>(event.data.u64);
  return !client.heavy && !client.in_ready && !client.goes_on && client.stream == nullptr && client.input.empty() &&
         client.pending.empty() && !client.Has(kClientClosing | kClientParked | kClientCloseAfterReply);
}

// Receives for the next clients of a wake-up, from the event `from` on.  Returns the event that it did not come to.
int Worker::ReceiveAhead(const epoll_event* events, int from, int count) {
  if (!defers_ || !batch_.opened()) return count;
  Client* clients[SocketBatch::kCallsMax];
  int at = from;
  for (; at < count && batch_.count() < SocketBatch::kCallsMax; ++at) {
    if (!TakesPart(events[at])) continue;
    Client& client = *reinterpret_cast<Client*>(events[at].data.u64);
    const uint32_t call = batch_.count();
    clients[call] = &client;
    client.arrived = arrived_bytes_.get() + call * kArrivedBytesMax;
    batch_.Receive(client.fd, arrived_bytes_.get() + call * kArrivedBytesMax, kArrivedBytesMax);
  }
  const std::span<const int32_t> results = batch_.Run();
  for (size_t i = 0; i < results.size(); ++i) clients[i]->arrived_bytes = results[i];
  return at;
}

// As ReadInto, of what was received ahead.
bool Worker::TakeArrived(Client& client, std::string_view* input, bool* in_place) {
  const char* const from = std::exchange(client.arrived, nullptr);
  const int32_t got = client.arrived_bytes;
  if (got <= 0) {
    if (got != -EAGAIN && got != -EINTR) Close(client);
    return false;
  }
  counts_.bytes_in += static_cast<uint64_t>(got);
  client.last_spoke_us = now_us_;
  *input = {from, static_cast<size_t>(got)};
  *in_place = !client.input.empty() || IsHeld(client);
  if (*in_place) {
    if (!client.input.Append(*input)) return Close(client), false;
    *input = client.input.view();
  }
  return KeepsQueryLimit(client, input->size());
}

// What was received ahead stays with the client: it has a turn later.
void Worker::KeepArrived(Client& client) {
  if (client.arrived == nullptr) [[likely]]
    return;
  const std::string_view bytes(client.arrived, static_cast<size_t>(std::max(client.arrived_bytes, 0)));
  client.arrived = nullptr;
  // That its connection ended, or failed, epoll tells again.
  if (bytes.empty()) return;
  counts_.bytes_in += bytes.size();
  client.last_spoke_us = now_us_;
  if (!client.input.Append(bytes)) return Close(client);
  KeepsQueryLimit(client, client.input.bytes());
}

// Copies the turn's reply, to be sent with others.  False: it is to be sent now.
bool Worker::Defer(Client& client) {
  const size_t bytes = out_.bytes();
  if (!defers_ || bytes > kDeferredBytesMax || client.stream != nullptr || !client.pending.empty() ||
      client.Has(kClientClosing | kClientCloseAfterReply))
    return false;
  if (client.deferred || deferred_.size() == SocketBatch::kCallsMax) SendDeferredNow();
  const size_t at = deferred_.size() * kDeferredBytesMax;
  char* to = deferred_bytes_.get() + at;
  out_.Each(0, [&](const char* data, size_t size, Output::Piece*) {
    std::memcpy(to, data, size);
    to += size;
    return true;
  });
  client.deferred = true;
  deferred_.push_back({&client, at, bytes});
  return true;
}

void Worker::SendDeferredNow() {
  for (const Deferred& each : deferred_) batch_.Send(each.client->fd, deferred_bytes_.get() + each.at, each.bytes);
  const std::span<const int32_t> results = batch_.Run();
  for (size_t i = 0; i < results.size(); ++i) {
    const auto [client, at, bytes] = deferred_[i];
    client->deferred = false;
    if (client->Has(kClientClosing)) continue;
    if (results[i] < 0 && results[i] != -EAGAIN && results[i] != -EINTR) {
      Close(*client);
      continue;
    }
    const auto sent = static_cast<size_t>(std::max(results[i], 0));
    counts_.bytes_out += sent;
    if (sent == bytes) continue;
    client->pending.Append(std::string_view(deferred_bytes_.get() + at + sent, bytes - sent));
    Watch(*client);
    CheckOutputLimits(*client);
    CountHeld(*client);
  }
  deferred_.clear();
}

}  // namespace zerohop::resp
