// worker_turn.cc: a client's turn: what it sent is taken in, parsed and run.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/utf8.h"
#include "resp/dispatch.h"
#include "resp/look_ahead.h"
#include "resp/worker.h"

namespace zerohop::resp {

void Worker::Serve(Client& client, uint32_t events) {
  if (client.Has(kClientClosing)) return;
  if ((events & EPOLLOUT) != 0) SendPending(client);
  // What it sent before comes first: the rest waits in its socket.
  if (client.goes_on) {
    KeepArrived(client);
    Turn(client, /*may_read=*/false);
  } else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    Turn(client, /*may_read=*/true);
  }
  CountHeld(client);
}

bool Worker::IsHeld(const Client& client) const {
  return client.Has(kClientParked) || client.pending.bytes() > kHeldOutputBytes;
}

void Worker::Turn(Client& client, bool may_read) {
  client.goes_on = false;
  if (client.Has(kClientClosing)) return;
  std::string_view input = client.input.view();
  bool in_place = true;
  if (may_read && !ReadInto(client, &input, &in_place)) return;
  if (client.Has(kClientCloseAfterReply)) return client.input.Free();  // read so that its end is noticed
  if (IsHeld(client)) {
    Unstage(client);  // it may be long until it reads
    client.heavy = true;
    return;
  }
  ++counts_.passes;
  client.lately_read = std::max(input.size(), client.lately_read / 4 * 3);
  current_ = &client;
  spent_us_ = 0;
  commands_left_ = turn_commands_;
  enough_bytes_ = std::min(turn_bytes_, kHeldOutputBytes - client.pending.bytes());
  const size_t done = RunRequests(client, input);
  if (in_place) {
    client.input.Drop(done);
  } else if (done < input.size()) {
    // In one piece with what is still to come of a long word: it is not copied again.
    const std::string_view rest = input.substr(done);
    if (!client.input.Reserve(std::min(client.parser.BytesWanted(), kTurnInputBytes)) || !client.input.Append(rest))
      Close(client);
  }
  if (client.input.empty()) client.parser.Shrink();
  client.query_bytes = client.input.bytes();
  Flush(client);
  if (staging_ && staging_->value.whole()) Unstage(client);  // its command has run
  current_ = nullptr;
  client.heavy = client.goes_on || input.size() >= kReadBytes || client.parser.BytesWanted() > kReadBytes ||
                 client.pending.bytes() > kTurnBytesMin;
}

// One recv.  `in_place`: what arrived was put behind what the client's Input has; otherwise both lie in the worker's
// own buffer, and the Input is empty.  False: there is nothing to run.
bool Worker::ReadInto(Client& client, std::string_view* input, bool* in_place) {
  if (client.arrived != nullptr) return TakeArrived(client, input, in_place);
  const size_t before = client.input.bytes();
  const size_t wanted = client.parser.BytesWanted();
  *in_place = IsHeld(client) || before > kOwnInputBytes || wanted > kReadBytes;
  char* to = read_buffer_.get();
  size_t room = kReadBytes;
  if (*in_place) {
    // A long word gets room as it comes: who only announces one takes no memory.
    const size_t missing = wanted > before ? wanted - before : 0;
    to = client.input.Room(std::max(kOwnInputBytes, std::min(missing, kTurnInputBytes)));
    if (to == nullptr) {
      Close(client);
      return false;
    }
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
  return KeepsQueryLimit(client, input->size());
}

bool Worker::KeepsQueryLimit(Client& client, size_t bytes) {
  if (bytes <= server_.config().query_buffer_limit) [[likely]]
    return true;
  ++counts_.query_limit_disconnections;
  Close(client);
  return false;
}

void Worker::ReadStream(Client& client, std::string_view bytes) {
  client.stream->unread.fetch_sub(bytes.size(), std::memory_order_relaxed);
  if (!client.input.Reserve(std::min(client.parser.BytesWanted(), kTurnInputBytes)) || !client.input.Append(bytes))
    return Close(client);
  counts_.bytes_in += bytes.size();
  client.last_spoke_us = now_us_;
  if (!KeepsQueryLimit(client, client.input.bytes())) return;
  if (client.heavy || client.in_ready)
    GoOnLater(client);
  else
    Turn(client, /*may_read=*/false);
  CountHeld(client);
}

// Runs what is complete; returns how many bytes were dealt with.
size_t Worker::RunRequests(Client& client, std::string_view input) {
  client.query_bytes = input.size();
  size_t done = 0;
  Parser::Request request;
  look_ahead_.Forget();
  PlainKinds plain_kinds;
  bool knows_kinds = false;  // until another command runs
  for (; done < input.size(); --commands_left_) {
    if (client.Has(kClientClosing | kClientCloseAfterReply)) return input.size();
    if (commands_left_ == 0 || HasEnough()) return YieldTurn(client, RunTogether(client, done));
    const LookAhead::Request* ahead = look_ahead_.At(done);
    if (ahead == nullptr) ahead = ReadAhead(client, input, done);
    Parser::Outcome outcome = Parser::Outcome::kRequest;
    if (ahead != nullptr) [[likely]] {
      request = {ahead->args(input), ahead->end() - done};
    } else {
      const Parser::Limits limits{static_cast<int64_t>(server_.config().proto_max_bulk_bytes), client.authenticated};
      outcome = client.parser.Next(input.substr(done), limits, &request);
      if (outcome == Parser::Outcome::kIncomplete) break;
    }
    // The words of a line lie in the parser, and the next one overwrites them: those are not put off.
    const bool may_wait = outcome == Parser::Outcome::kRequest && input[done] == '*';
    if (!std::exchange(knows_kinds, true)) plain_kinds = PlainKindsOf(client, server_);
    Plain plain = may_wait ? PlainOf(request.args, plain_kinds) : Plain::kNot;
    if (plain == Plain::kSet && (ahead == nullptr || !ahead->has_key_hash)) plain = Plain::kNot;
    if (plain != put_off_) {
      if (const size_t reached = RunTogether(client, done); reached != done) return YieldTurn(client, reached);
    }
    if (plain != Plain::kNot) {
      put_off_ = plain;
      const Bytes key = request.args.AsBytes(1);
      if (plain == Plain::kGet)
        gets_.push_back({key, done});
      else
        sets_.push_back({key, request.args.AsBytes(2), ahead->key_hash, !IsUtf8(request.args[1])});
      done += request.bytes;
      if (gets_.size() + sets_.size() < Cache::kBatchMax) continue;
      if (const size_t reached = RunTogether(client, done); reached != done) return YieldTurn(client, reached);
      if (done >= kTurnInputBytes || spent_us_ >= kTurnUs) commands_left_ = 1;
      continue;
    }
    if (outcome == Parser::Outcome::kError) {
      ProtocolError(client, client.parser.error());
      return input.size();
    }
    hashed_key_ = ahead != nullptr && ahead->has_key_hash ? HashedKey{request.args.AsBytes(1).data(), ahead->key_hash}
                                                          : HashedKey{};
    const uint16_t database = client.database;
    if (request.args.size() > 0 && !RunOne(client, request.args)) {
      if (!client.Has(kClientInSteps)) return done;
      client.Put(kClientInSteps, false);
      return YieldTurn(client, done);
    }
    if (client.database != database) look_ahead_.Forget();  // the hashes were of another keyspace
    knows_kinds = false;
    done += request.bytes;
    // One, because the loop counts this command too.
    if (done >= kTurnInputBytes || spent_us_ >= kTurnUs) commands_left_ = 1;
  }
  const size_t reached = RunTogether(client, done);
  return reached == done ? done : YieldTurn(client, reached);
}

// Reads the request at `at` ahead, if that can be done, and the next ones; the memory of their stores is asked for.
const LookAhead::Request* Worker::ReadAhead(const Client& client, std::string_view input, size_t at) {
  if (!client.parser.idle()) return nullptr;
  look_ahead_.Read(input, at);
  const std::span<LookAhead::Request> requests = look_ahead_.requests();
  const auto space = server_.OpenedSpaceOf(client.database);
  if (requests.size() > 1 && space) {
    // A guess: requests of three words or more are taken for stores whose second word is the key.  A wrong one costs
    // lines that nobody reads.
    constexpr size_t kStoreWordsMin = 3;
    std::array<Bytes, LookAhead::kRequestsMax> keys;
    std::array<uint64_t, LookAhead::kRequestsMax> hashes;
    size_t count = 0;
    for (const LookAhead::Request& each : requests) {
      if (each.words() >= kStoreWordsMin) keys[count++] = each.args(input).AsBytes(1);
    }
    server_.cache().FetchForStores(Guard(), *space, std::span(keys).first(count), hashes);
    hashed_space_ = *space;
    count = 0;
    for (LookAhead::Request& each : requests) {
      each.has_key_hash = each.words() >= kStoreWordsMin;
      if (each.has_key_hash) each.key_hash = hashes[count++];
    }
  }
  return look_ahead_.At(at);
}

// The others' turns come first; this one goes on with the request that starts at `at`.
size_t Worker::YieldTurn(Client& client, size_t at) {
  client.parser.Restart();
  GoOnLater(client);
  return at;
}

// False: the client waits, and the request is run again later.
bool Worker::RunOne(Client& client, const Args& args) {
  in_command_ = true;
  const Ran ran = Dispatch(*this, client, args, out_);
  in_command_ = false;
  PutAfterReply();
  return ran == Ran::kDone;
}

// In as large steps as input is taken in.  Who comes while another client's value is staged waits for its turn.
bool Worker::StageSome(Client& client, uint16_t space, Bytes key, Bytes value, StoreOptions* options) {
  Cache& cache = server_.cache();
  const bool fits = value.size() <= cache.ValueBytesMax(key.size()) && cache.IsLarge(key.size(), value.size());
  if (!fits || client.Has(kClientInExec)) return true;
  // What another command of the same turn staged, or one that was refused half way.
  if (staging_ && (staging_->value.whole() || staging_->value.bytes() != value.size())) Unstage(client);
  if (!staging_) {
    staging_.emplace(client.id, cache, session_, space, key, value);
    if (!staging_->value.has_room()) {
      staging_.reset();
      return true;
    }
  } else if (staging_->client != client.id) {
    GoOnInSteps(client);
    return false;
  }
  StagedValue& staged = staging_->value;
  const size_t from = staged.copied();
  staged.Append(value.subspan(from, std::min(kTurnInputBytes, value.size() - from)));
  if (!staged.whole()) {
    GoOnInSteps(client);
    return false;
  }
  options->staged = &staged;
  return true;
}

void Worker::ProtocolError(Client& client, const std::string& text) {
  Reply(out_, client.protocol, &counts_.errors).Error("ERR " + text);
  client.Put(kClientProtocolError | kClientCloseAfterReply);
}

// Its turn comes again without anything arriving.
void Worker::GoOnLater(Client& client) {
  client.goes_on = true;
  Enqueue(client);
}

}  // namespace zerohop::resp
