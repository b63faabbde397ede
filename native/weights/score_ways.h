// score_ways.h: the ways to score rows, one for each width of vectors.  score_rows.inc is their common text.
#pragma once

#include <cstddef>

#include "weights/processor.h"

namespace zerohop {

// Bytes ahead at which rows are prefetched.  1 to 64 KiB made no difference (D63 in docs/DECISIONS.md).
inline constexpr size_t kScoreAheadBytes = 4096;

using ScoreRows = void (*)(const float* query, size_t dimensions, const std::byte* const* rows, size_t count,
                           float* out);

// One function for each RowType, in its order.
struct ScoreWay {
  ScoreRows of_type[4];
};

extern const ScoreWay kPlainScores;
#if defined(ZEROHOP_WEIGHTS_X86)
extern const ScoreWay kAvx2Scores;    // REQUIRES: HasAvx2()
extern const ScoreWay kAvx512Scores;  // REQUIRES: HasAvx512()
#endif

}  // namespace zerohop
