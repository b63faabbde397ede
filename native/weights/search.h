// search.h: the rows of a mapped file that score highest, found by several threads.
#pragma once

#include <cstddef>
#include <vector>

#include "base/status.h"
#include "weights/mapped_file.h"
#include "weights/score.h"

namespace zerohop {

// The best `wanted` of `rows`, which lie in `file`.  The result is that of TopK, whatever the number of threads (at
// least 1).  kChanged: the file was cut.
Result<std::vector<ScoredRow>> BestRowsOf(const MappedFile& file, const float* query, const RowMatrix& rows,
                                          size_t wanted, unsigned threads);

}  // namespace zerohop
