#include "weights/score.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/constants.h"
#include "weights/narrow_floats.h"
#include "weights/score_ways.h"

namespace zerohop {
namespace plain_score {
namespace {

// Vectors that the compiler maps to the instructions that every processor of this architecture has.
using Four = float __attribute__((vector_size(16)));

struct Sixteen {
  // Arm has 32 registers, x86 without AVX2 has 16.
#if defined(__aarch64__)
  static constexpr size_t kRowsAtOnce = 4;
#else
  static constexpr size_t kRowsAtOnce = 2;
#endif
  Four first, second, third, fourth;

  static Sixteen Zero() { return {Four{}, Four{}, Four{}, Four{}}; }
  static Sixteen F32(const void* at) {
    const auto* const bytes = static_cast<const std::byte*>(at);
    return {FourAt(bytes), FourAt(bytes + 16), FourAt(bytes + 32), FourAt(bytes + 48)};
  }
  static Sixteen F16(const void* at) { return Widened<uint16_t>(at, HalfToFloat); }
  static Sixteen Bf16(const void* at) { return Widened<uint16_t>(at, BfloatToFloat); }
  static Sixteen I8(const void* at) {
    return Widened<int8_t>(at, [](int8_t byte) { return static_cast<float>(byte); });
  }
  // In one expression, so that the compiler fuses it where every processor can, as on arm64.  AVX2 fuses too.
  void AddProduct(const Sixteen& a, const Sixteen& b) {
    first += a.first * b.first;
    second += a.second * b.second;
    third += a.third * b.third;
    fourth += a.fourth * b.fourth;
  }
  float Sum() const {
    const Four four = (first + third) + (second + fourth);
    return (four[0] + four[2]) + (four[1] + four[3]);
  }

 private:
  static Four FourAt(const std::byte* at) {
    Four four;
    std::memcpy(&four, at, sizeof(four));
    return four;
  }
  template <class Element, class Widen>
  static Sixteen Widened(const void* at, Widen widen) {
    Element elements[16];
    std::memcpy(elements, at, sizeof(elements));
    float floats[16];
    for (size_t i = 0; i < 16; ++i) floats[i] = widen(elements[i]);
    return F32(floats);
  }
};

#include "weights/score_rows.inc"

}  // namespace
}  // namespace plain_score

const ScoreWay kPlainScores = plain_score::kWay;

namespace {

const ScoreWay& ChooseScores([[maybe_unused]] int vector_bytes) {
#if defined(ZEROHOP_WEIGHTS_X86)
  static const bool kAvx2 = HasAvx2(), kAvx512 = HasAvx512();
  if (vector_bytes >= 64 && kAvx512) return kAvx512Scores;
  if (vector_bytes >= 32 && kAvx2) return kAvx2Scores;
#endif
  return kPlainScores;
}

// The best rows so far.  Once there are as many as wanted they form a heap, with the worst in front.
class BestRows {
 public:
  explicit BestRows(std::span<ScoredRow> room) : room_(room) {}

  // Rows come in the order of their indices, so a row that only equals the worst is not among the best.
  void Offer(const ScoredRow& row) {
    if (filled_ == room_.size() && row.score <= room_.front().score) return;
    if (!std::isfinite(row.score)) return;
    if (filled_ < room_.size()) {
      room_[filled_++] = row;
      std::push_heap(room_.data(), room_.data() + filled_, IsBetterRow);
    } else {
      std::pop_heap(room_.data(), room_.data() + filled_, IsBetterRow);
      room_[filled_ - 1] = row;
      std::push_heap(room_.data(), room_.data() + filled_, IsBetterRow);
    }
  }

  size_t Finish() {
    std::sort_heap(room_.data(), room_.data() + filled_, IsBetterRow);
    return filled_;
  }

 private:
  std::span<ScoredRow> room_;
  size_t filled_ = 0;
};

}  // namespace

bool IsBetterRow(const ScoredRow& a, const ScoredRow& b) {
  return a.score != b.score ? a.score > b.score : a.index < b.index;
}

float FiniteOrNan(float score) { return std::isfinite(score) ? score : std::numeric_limits<float>::quiet_NaN(); }

float Dot(RowType type, const float* query, const std::byte* row, size_t dimensions) {
  float score;
  DotMany(type, query, dimensions, &row, 1, &score);
  return score;
}

void DotMany(RowType type, const float* query, size_t dimensions, const std::byte* const* rows, size_t count,
             float* out) {
  DotManyWith(64, type, query, dimensions, rows, count, out);
}

void DotManyWith(int vector_bytes, RowType type, const float* query, size_t dimensions, const std::byte* const* rows,
                 size_t count, float* out) {
  ChooseScores(vector_bytes).of_type[static_cast<size_t>(type)](query, dimensions, rows, count, out);
}

float ScaleOf(const std::byte* scales, size_t row) {
  float scale = 1;
  if (scales != nullptr) std::memcpy(&scale, scales + row * sizeof(scale), sizeof(scale));
  return scale;
}

size_t TopK(const float* query, const RowMatrix& rows, std::span<ScoredRow> best) {
  if (best.empty()) return 0;
  constexpr size_t kBlock = 256;  // rows scored at once: their scores stay in the first-level cache
  const std::byte* block[kBlock];
  float scores[kBlock];
  BestRows found(best);
  for (size_t first = 0; first < rows.count; first += kBlock) {
    const size_t count = std::min(kBlock, rows.count - first);
    for (size_t i = 0; i < count; ++i) block[i] = rows.first + (first + i) * rows.stride_bytes;
    DotMany(rows.type, query, rows.dimensions, block, count, scores);
    for (size_t i = 0; i < count; ++i) found.Offer({first + i, scores[i] * ScaleOf(rows.scales, first + i)});
  }
  return found.Finish();
}

}  // namespace zerohop
