#include "resp/socket_batch.h"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace zerohop::resp {
namespace {

constexpr int kHow = MSG_DONTWAIT | MSG_NOSIGNAL;

// Of kernels younger than some of the headers that we compile with.
constexpr uint32_t kCooperate = 1u << 8;   // IORING_SETUP_COOP_TASKRUN
constexpr uint32_t kOneThread = 1u << 12;  // IORING_SETUP_SINGLE_ISSUER

int SetUp(uint32_t calls, io_uring_params* params) {
  for (const uint32_t flags : {kCooperate | kOneThread, kCooperate, 0u}) {
    *params = {};
    params->flags = flags;
    const long ring = ::syscall(SYS_io_uring_setup, calls, params);
    if (ring >= 0 || errno != EINVAL) return static_cast<int>(ring);
  }
  return -1;
}

template <class T>
T* At(void* rings, uint32_t offset) {
  return reinterpret_cast<T*>(static_cast<char*>(rings) + offset);
}

}  // namespace

bool SocketBatch::Open() {
  io_uring_params params;
  ring_ = SetUp(kCallsMax, &params);
  if (ring_ < 0) return false;
  rings_bytes_ = std::max(params.sq_off.array + params.sq_entries * sizeof(uint32_t),
                          params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe));
  entries_bytes_ = params.sq_entries * sizeof(io_uring_sqe);
  constexpr int kProtection = PROT_READ | PROT_WRITE, kFlags = MAP_SHARED | MAP_POPULATE;
  void* const rings = ::mmap(nullptr, rings_bytes_, kProtection, kFlags, ring_, IORING_OFF_SQ_RING);
  void* const entries = ::mmap(nullptr, entries_bytes_, kProtection, kFlags, ring_, IORING_OFF_SQES);
  rings_ = rings == MAP_FAILED ? nullptr : rings;
  entries_ = entries == MAP_FAILED ? nullptr : static_cast<io_uring_sqe*>(entries);
  if (rings_ == nullptr || entries_ == nullptr || (params.features & IORING_FEAT_SINGLE_MMAP) == 0)
    return Close(), false;
  tail_ = At<uint32_t>(rings_, params.sq_off.tail);
  index_ = At<uint32_t>(rings_, params.sq_off.array);
  mask_ = *At<uint32_t>(rings_, params.sq_off.ring_mask);
  completion_head_ = At<uint32_t>(rings_, params.cq_off.head);
  completion_tail_ = At<uint32_t>(rings_, params.cq_off.tail);
  completion_mask_ = *At<uint32_t>(rings_, params.cq_off.ring_mask);
  completions_ = At<io_uring_cqe>(rings_, params.cq_off.cqes);
  return true;
}

void SocketBatch::Close() {
  if (entries_ != nullptr) ::munmap(entries_, entries_bytes_);
  if (rings_ != nullptr) ::munmap(rings_, rings_bytes_);
  if (ring_ >= 0) ::close(ring_);
  entries_ = nullptr;
  rings_ = nullptr;
  ring_ = -1;
}

// Hands the calls to the kernel.  Returns how many it took: all of them, or the ring is of no use.
uint32_t SocketBatch::Submit() {
  const uint32_t from = *tail_;
  for (uint32_t i = 0; i < count_; ++i) {
    const Call& call = calls_[i];
    const uint32_t at = (from + i) & mask_;
    io_uring_sqe& entry = entries_[at];
    std::memset(&entry, 0, sizeof entry);
    entry.opcode = call.sends ? IORING_OP_SEND : IORING_OP_RECV;
    entry.fd = call.fd;
    entry.addr = reinterpret_cast<uint64_t>(call.data);
    entry.len = static_cast<uint32_t>(call.bytes);
    entry.msg_flags = kHow;
    entry.user_data = i;
    index_[at] = at;
  }
  std::atomic_ref(*tail_).store(from + count_, std::memory_order_release);
  uint32_t taken = 0;
  while (reaped_ < count_) {
    const long now = ::syscall(SYS_io_uring_enter, ring_, count_ - taken, count_ - reaped_, IORING_ENTER_GETEVENTS,
                               nullptr, size_t{0});
    if (now < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY) break;
    if (now > 0) taken += static_cast<uint32_t>(now);
    Reap();
  }
  return taken;
}

void SocketBatch::Reap() {
  uint32_t head = *completion_head_;
  const uint32_t tail = std::atomic_ref(*completion_tail_).load(std::memory_order_acquire);
  for (; head != tail; ++head) {
    const io_uring_cqe& completion = completions_[head & completion_mask_];
    const auto call = static_cast<uint32_t>(completion.user_data);
    results_[call] = completion.res;
    done_[call] = true;
    ++reaped_;
  }
  std::atomic_ref(*completion_head_).store(head, std::memory_order_release);
}

std::span<const int32_t> SocketBatch::Run() {
  const uint32_t count = count_;
  done_.fill(false);
  reaped_ = 0;
  // One call alone is cheaper without the ring.
  const uint32_t taken = count > 1 && opened() ? Submit() : 0;
  if (count > 1 && reaped_ < count) Close();
  for (uint32_t i = 0; i < count; ++i) {
    if (done_[i]) continue;
    if (i < taken) {
      results_[i] = -EIO;  // nobody knows whether it was made
      continue;
    }
    const Call& call = calls_[i];
    const ssize_t got =
        call.sends ? ::send(call.fd, call.data, call.bytes, kHow) : ::recv(call.fd, call.data, call.bytes, kHow);
    results_[i] = got < 0 ? -errno : static_cast<int32_t>(got);
  }
  count_ = 0;
  return {results_.data(), count};
}

}  // namespace zerohop::resp
