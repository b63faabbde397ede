#include "weights/in_pieces.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace zerohop {
namespace {

struct AlignedDelete {
  void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t{kPieceAlign}); }
};
using AlignedMemory = std::unique_ptr<std::byte[], AlignedDelete>;

// An exception must not leave a thread.
Status Tried(const std::function<Status(uint64_t, std::byte*)>& work, uint64_t piece, std::byte* memory) {
  try {
    return work(piece, memory);
  } catch (const std::bad_alloc&) {
    return {Code::kNoMemory, "the system refused memory"};
  }
}

}  // namespace

Status InPieces(uint64_t pieces, unsigned threads, size_t memory_bytes,
                const std::function<Status(uint64_t piece, std::byte* memory)>& work) {
  std::atomic<uint64_t> next{0};
  std::mutex mutex;
  Status failure;  // under mutex
  const auto run = [&] {
    // One page if none is wanted: null would look like a lack of memory.
    const size_t bytes = std::max(memory_bytes, kPieceAlign);
    const AlignedMemory memory(new (std::align_val_t{kPieceAlign}, std::nothrow) std::byte[bytes]);
    if (!memory) return;  // the others do its pieces
    for (;;) {
      const uint64_t piece = next.fetch_add(1, std::memory_order_relaxed);
      if (piece >= pieces) return;
      Status status = Tried(work, piece, memory.get());
      if (status.ok()) continue;
      next.store(pieces, std::memory_order_relaxed);
      const std::scoped_lock lock(mutex);
      if (failure.ok()) failure = std::move(status);
    }
  };
  std::vector<std::thread> helpers;
  try {
    for (unsigned i = 1; i < std::min<uint64_t>(threads, pieces); ++i) helpers.emplace_back(run);
  } catch (const std::system_error&) {  // no more threads: those that there are do the work
  } catch (const std::bad_alloc&) {     // no memory for another thread: likewise
  }
  run();
  for (std::thread& helper : helpers) helper.join();
  // If any thread had got memory, it would have taken a piece.
  if (pieces > 0 && next.load(std::memory_order_relaxed) == 0) return {Code::kNoMemory, "no memory to read into"};
  return failure;
}

}  // namespace zerohop
