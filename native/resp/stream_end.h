// stream_end.h: the outer end of a stream: a connection whose bytes somebody else carries (TLS in JavaScript).
//
//   in    Server::Feed -> the worker's mailbox -> the same parser as a socket's bytes
//   out   the worker -> `output` -> the carrier, which acknowledges what it has passed on (Server::Sent)
//
// What was not acknowledged counts as not sent: above kUnsentMax nothing more is given, and output-buffer limits hold
// as they do for a socket that is not read.
//
// Threads   any.  `output` runs on the worker's thread, under `mutex`: it posts, and does not wait.
// Lifetime  shared by carrier and client; a carrier that ends takes its `output` away first.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/mutex.h"

namespace zerohop::resp {

struct StreamEnd {
  static constexpr size_t kUnsentMax = size_t{1} << 20;
  static constexpr size_t kUnreadMax = size_t{16} << 20;

  // Empty bytes: the server has closed the stream.  False: the carrier takes nothing any more.
  using Output = std::function<bool(uint64_t stream, std::string bytes)>;

  bool Give(uint64_t stream, std::string bytes) EXCLUDES(mutex) {
    MutexLock lock(mutex);
    return output && output(stream, std::move(bytes));
  }
  void TakeAway() EXCLUDES(mutex) {
    MutexLock lock(mutex);
    output = nullptr;
  }

  Mutex mutex;
  Output output GUARDED_BY(mutex);
  std::atomic<size_t> unsent{0};  // given, and not acknowledged
  std::atomic<size_t> unread{0};  // fed, and still in the mailbox
};

}  // namespace zerohop::resp
