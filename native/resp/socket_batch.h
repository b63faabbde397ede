// socket_batch.h: receives from, and sends to, many sockets in one call of the kernel (io_uring).
//
// A small request is answered in less time than one system call takes, and needs two: recv and send.  A batch makes
// these calls for all clients of a wake-up at once.  Every call is made without waiting, as by MSG_DONTWAIT, and is
// over when Run returns: nothing of it lives on, so buffers are free again.
//
// The kernel may be too old, or not let us (containers often forbid io_uring).  Then Open says no, and the caller makes
// the calls itself.  A ring that fails later is closed, and Run makes what is left of its calls one by one.
//
// Threads  the one that opened it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

struct io_uring_sqe;
struct io_uring_cqe;

namespace zerohop::resp {

class SocketBatch {
 public:
  static constexpr uint32_t kCallsMax = 32;

  SocketBatch() = default;
  ~SocketBatch() { Close(); }
  SocketBatch(const SocketBatch&) = delete;
  SocketBatch& operator=(const SocketBatch&) = delete;

  // False: there is no io_uring for us.
  bool Open();
  bool opened() const { return ring_ >= 0; }

  // Notes a call.  REQUIRES: count() < kCallsMax.  The memory stays as it is until Run returns.
  void Receive(int fd, void* to, size_t bytes) { calls_[count_++] = {fd, false, to, bytes}; }
  void Send(int fd, const void* from, size_t bytes) { calls_[count_++] = {fd, true, const_cast<void*>(from), bytes}; }
  uint32_t count() const { return count_; }

  // Makes the calls.  Gives back what each returned, or its errno, negative; valid until the next call is noted.
  std::span<const int32_t> Run();

 private:
  struct Call {
    int fd;
    bool sends;
    void* data;
    size_t bytes;
  };

  void Close();
  uint32_t Submit();
  void Reap();

  std::array<Call, kCallsMax> calls_;
  std::array<int32_t, kCallsMax> results_;
  std::array<bool, kCallsMax> done_;
  uint32_t count_ = 0, reaped_ = 0;

  // Shared with the kernel.
  int ring_ = -1;
  void* rings_ = nullptr;
  size_t rings_bytes_ = 0, entries_bytes_ = 0;
  io_uring_sqe* entries_ = nullptr;
  io_uring_cqe* completions_ = nullptr;
  uint32_t *tail_ = nullptr, *index_ = nullptr, *completion_head_ = nullptr, *completion_tail_ = nullptr;
  uint32_t mask_ = 0, completion_mask_ = 0;
};

}  // namespace zerohop::resp
