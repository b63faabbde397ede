#include "weights/load.h"

#include <algorithm>
#include <vector>

#include "weights/in_pieces.h"

namespace zerohop {
namespace {

// Bytes of one read.  A choice: enough to keep a device busy, and few enough to share out among threads.
constexpr uint64_t kReadAtOnce = uint64_t{8} << 20;

Status Told(const GoOn& go_on, uint64_t bytes) { return go_on(bytes) ? Status() : Status(Code::kClosed, "given up"); }

Status Unchanged(const MappedFile& file) {
  return file.Changed() ? Status(Code::kChanged, "the file changed while it was read") : Status();
}

}  // namespace

Status WarmFile(const MappedFile& file, std::span<const FileRange> ranges, unsigned threads, const GoOn& go_on) {
  std::vector<FileRange> pieces;
  for (const FileRange& range : ranges) {
    for (uint64_t at = range.begin; at < range.end; at += kReadAtOnce) {
      pieces.push_back({at, std::min(range.end, at + kReadAtOnce)});
    }
  }
  const Status status = InPieces(pieces.size(), threads, kReadAtOnce, [&](uint64_t i, std::byte* memory) {
    const uint64_t bytes = pieces[i].end - pieces[i].begin;
    Status read = file.mapped() ? file.Read(pieces[i].begin, {memory, bytes}) : Status();
    return read.ok() ? Told(go_on, bytes) : read;
  });
  return status.ok() ? Unchanged(file) : status;
}

Status LoadFile(const MappedFile& file, unsigned threads, const GoOn& go_on) {
  const uint64_t pieces = (file.size() + kReadAtOnce - 1) / kReadAtOnce;
  const Status status = InPieces(pieces, threads, 0, [&](uint64_t i, std::byte*) {
    const uint64_t from = i * kReadAtOnce;
    const uint64_t bytes = std::min(kReadAtOnce, file.size() - from);
    Status read = file.ReadPages(from, {file.bytes() + from, bytes});
    if (file.pages()->discarded()) {
      file.pages()->Discard();
      return Status(Code::kClosed, "closed while it was read");
    }
    return read.ok() ? Told(go_on, bytes) : read;
  });
  return status.ok() ? Unchanged(file) : status;
}

}  // namespace zerohop
