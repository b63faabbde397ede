// score_ways.h: the ways to score rows, written out once (score_rows.inc), for vectors of each width.
#pragma once

#include <cstddef>

#include "weights/processor.h"

namespace zerohop {

// How far ahead rows are fetched, in bytes of them.
inline constexpr size_t kScoreAheadBytes = 4096;

using ScoreRows = void (*)(const float* query, size_t dimensions, const std::byte* const* rows, size_t count,
                           float* out);

// One for each RowType, in its order.
struct ScoreWay {
  ScoreRows of_type[4];
};

extern const ScoreWay kPlainScores;
#if defined(ZEROHOP_WEIGHTS_X86)
extern const ScoreWay kAvx2Scores;    // REQUIRES: HasAvx2()
extern const ScoreWay kAvx512Scores;  // REQUIRES: HasAvx512()
#endif

}  // namespace zerohop
