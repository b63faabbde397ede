#include "weights/digest.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "weights/in_pieces.h"

namespace zerohop {
namespace {

constexpr size_t kLeavesAtOnce = kKeccakWidthMax;
constexpr std::byte kLeafMark{0}, kNodeMark{1};

uint64_t LeavesOf(uint64_t bytes) { return (bytes + kLeafBytes - 1) / kLeafBytes; }

// Writes the digests of all leaves of these bytes.
void HashLeaves(std::span<const std::byte> bytes, std::byte* digests) {
  std::array<HashInput, kLeavesAtOnce> inputs;
  const size_t count = LeavesOf(bytes.size());
  for (size_t i = 0; i < count; ++i) {
    const uint64_t at = i * kLeafBytes;
    inputs[i] = {{&kLeafMark, 1}, bytes.subspan(at, std::min(bytes.size() - at, kLeafBytes))};
  }
  Sha3ManyFrom({}, std::span(inputs).first(count), digests);
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

Digest DigestOfBytes(std::span<const std::byte> bytes) {
  if (bytes.empty()) return Sha3From({}, {{&kLeafMark, 1}, {}});
  std::vector<Digest> digests(LeavesOf(bytes.size()));
  for (size_t first = 0; first < digests.size(); first += kLeavesAtOnce) {
    const size_t at = first * kLeafBytes;
    HashLeaves(bytes.subspan(at, std::min(bytes.size() - at, kLeavesAtOnce * kLeafBytes)), digests[first].data());
  }
  return RootOf(std::move(digests));
}

Result<Digest> DigestOfFile(const MappedFile& file, FileRange range, unsigned threads, const GoOn& go_on) {
  constexpr uint64_t kHashedAtOnce = kLeavesAtOnce * kLeafBytes;
  const uint64_t size = range.end - range.begin;
  if (size == 0) return DigestOfBytes({});
  std::vector<Digest> digests(LeavesOf(size));
  const uint64_t pieces = (size + kHashedAtOnce - 1) / kHashedAtOnce;
  const Status status = InPieces(pieces, threads, kHashedAtOnce, [&](uint64_t i, std::byte* memory) {
    const std::span bytes(memory, std::min(size - i * kHashedAtOnce, kHashedAtOnce));
    Status read = file.Read(range.begin + i * kHashedAtOnce, bytes);
    if (!read.ok()) return read;
    HashLeaves(bytes, digests[i * kLeavesAtOnce].data());
    return go_on(bytes.size()) ? Status() : Status(Code::kClosed, "given up");
  });
  if (!status.ok()) return status;
  if (file.Changed()) return Status(Code::kChanged, "the file changed while it was hashed");
  return RootOf(std::move(digests));
}

}  // namespace zerohop
