#include "weights/digest.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace zerohop {
namespace {

constexpr size_t kLeavesAtOnce = kKeccakWidthMax;
constexpr std::byte kLeafMark{0}, kNodeMark{1};

// Leaves first .. first + count, to their digests.
Status HashLeaves(const MappedFile& file, uint64_t first, size_t count, std::byte* memory, std::byte* digests) {
  const uint64_t from = first * kLeafBytes;
  const uint64_t bytes = std::min(file.size() - from, count * kLeafBytes);
  Status status = file.Read(from, {memory, bytes});
  if (!status.ok()) return status;
  std::array<HashInput, kLeavesAtOnce> inputs;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t at = i * kLeafBytes;
    inputs[i] = {{&kLeafMark, 1}, {memory + at, std::min(bytes - at, kLeafBytes)}};
  }
  Sha3ManyFrom({}, std::span(inputs).first(count), digests);
  return {};
}

Digest RootOf(std::vector<Digest> level) {
  while (level.size() > 1) {
    const size_t pairs = level.size() / 2;
    for (size_t i = 0; i < pairs; ++i) {
      std::array<std::byte, 2 * kDigestBytes> both;
      std::memcpy(both.data(), level[2 * i].data(), kDigestBytes);
      std::memcpy(both.data() + kDigestBytes, level[2 * i + 1].data(), kDigestBytes);
      level[i] = Sha3From({}, {{&kNodeMark, 1}, both});
    }
    if (level.size() % 2 != 0) level[pairs] = level.back();
    level.resize(pairs + level.size() % 2);
  }
  return level.front();
}

}  // namespace

Result<Digest> DigestOfFile(const MappedFile& file, unsigned threads, const std::function<bool(uint64_t)>& go_on) {
  const uint64_t leaves = (file.size() + kLeafBytes - 1) / kLeafBytes;
  std::vector<Digest> digests(leaves);
  std::atomic<uint64_t> next{0};
  std::atomic<bool> ended{false};
  std::mutex mutex;
  Status failure;  // under mutex
  const auto work = [&] {
    const std::unique_ptr<std::byte[]> memory(new std::byte[kLeavesAtOnce * kLeafBytes]);
    while (!ended.load(std::memory_order_relaxed)) {
      const uint64_t first = next.fetch_add(kLeavesAtOnce, std::memory_order_relaxed);
      if (first >= leaves) return;
      const size_t count = std::min<uint64_t>(kLeavesAtOnce, leaves - first);
      Status status = HashLeaves(file, first, count, memory.get(), digests[first].data());
      if (status.ok() && !go_on(std::min(count * kLeafBytes, file.size() - first * kLeafBytes))) {
        status = {Code::kClosed, "given up"};
      }
      if (status.ok()) continue;
      ended.store(true, std::memory_order_relaxed);
      const std::scoped_lock lock(mutex);
      if (failure.ok()) failure = status;
    }
  };
  std::vector<std::thread> helpers;
  for (unsigned i = 1; i < std::min<uint64_t>(threads, (leaves + kLeavesAtOnce - 1) / kLeavesAtOnce); ++i) {
    helpers.emplace_back(work);
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  if (!failure.ok()) return failure;
  if (file.Changed()) return Status(Code::kIo, "the file changed while it was hashed");
  return RootOf(std::move(digests));
}

}  // namespace zerohop
