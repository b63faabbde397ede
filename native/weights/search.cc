#include "weights/search.h"

#include <algorithm>
#include <mutex>

#include "weights/fault_guard.h"
#include "weights/in_pieces.h"

namespace zerohop {
namespace {

// Bytes of one piece, if there are several threads.  A choice: enough to be worth handing out.
constexpr size_t kSearchedAtOnce = size_t{2} << 20;

}  // namespace

Result<std::vector<ScoredRow>> BestRowsOf(const MappedFile& file, const float* query, const RowMatrix& rows,
                                          size_t wanted, unsigned threads) {
  const size_t piece_rows =
      threads == 1 ? std::max<size_t>(rows.count, 1) : std::max<size_t>(kSearchedAtOnce / rows.stride_bytes, 1);
  const size_t pieces = (rows.count + piece_rows - 1) / piece_rows;
  std::vector<ScoredRow> best;
  std::mutex mutex;
  const Status status = InPieces(pieces, threads, 0, [&](uint64_t piece, std::byte*) {
    RowMatrix part = rows;
    const size_t first = piece * piece_rows;
    part.first += first * rows.stride_bytes;
    part.count = std::min(piece_rows, rows.count - first);
    if (part.scales != nullptr) part.scales += first * sizeof(float);
    std::vector<ScoredRow> found(std::min(wanted, part.count));
    size_t count = 0;
    if (!ReadGuarded(file.bytes(), file.size(), [&] { count = TopK(query, part, found); })) {
      return Status(Code::kChanged, "the file was cut since it was opened");
    }
    found.resize(count);
    for (ScoredRow& row : found) row.index += first;
    const std::scoped_lock lock(mutex);
    const size_t before = best.size();
    best.insert(best.end(), found.begin(), found.end());
    std::inplace_merge(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(before), best.end(), IsBetterRow);
    best.resize(std::min(best.size(), wanted));
    return Status();
  });
  if (!status.ok()) return status;
  return best;
}

}  // namespace zerohop
