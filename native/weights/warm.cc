#include "weights/warm.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace zerohop {
namespace {

// Of one read: enough to keep a device busy, and few enough to share out.
constexpr uint64_t kPieceBytes = uint64_t{8} << 20;

}  // namespace

Status WarmFile(const MappedFile& file, std::span<const FileRange> ranges, unsigned threads,
                const std::function<bool(uint64_t)>& go_on) {
  std::vector<FileRange> pieces;
  for (const FileRange& range : ranges) {
    for (uint64_t at = range.begin; at < range.end; at += kPieceBytes) {
      pieces.push_back({at, std::min(range.end, at + kPieceBytes)});
    }
  }
  std::atomic<size_t> next{0};
  std::mutex mutex;
  Status failure;  // under mutex
  const auto work = [&] {
    const std::unique_ptr<std::byte[]> memory(new std::byte[kPieceBytes]);
    for (;;) {
      const size_t i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= pieces.size()) return;
      const uint64_t bytes = pieces[i].end - pieces[i].begin;
      Status status = file.Read(pieces[i].begin, {memory.get(), bytes});
      if (status.ok() && !go_on(bytes)) status = {Code::kClosed, "given up"};
      if (status.ok()) continue;
      next.store(pieces.size(), std::memory_order_relaxed);
      const std::scoped_lock lock(mutex);
      if (failure.ok()) failure = status;
    }
  };
  std::vector<std::thread> helpers;
  for (unsigned i = 1; i < std::min<size_t>(threads, pieces.size()); ++i) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
  if (failure.ok() && file.Changed()) return {Code::kIo, "the file changed while it was read"};
  return failure;
}

}  // namespace zerohop
