// score.h: dot products of a query with many rows, and the rows that score highest.
//
// The elements of a row lie side by side.  A row may begin anywhere:
//
//   kF32 kF16 kBf16   elements, little-endian
//   kI8               signed bytes; a list beside them has the scale of each row
//
// Order     Element i is added to sum i mod 16, in order.  Then the sums j and j + 8 are added, then j and j + 4, and
// so on.
//           So the score of a row depends only on the row and the query, not on other rows.  It is the same with AVX2
//           as with AVX-512.  Without FMA each product is rounded too, and the last bits may differ.
// Accuracy  |score - exact| <= g * sum |query[i] * row[i]| with g = n u / (1 - n u), u = 2^-24 and
//           n = ceil(dimensions / 16) + 6, if nothing overflows and no product is below 2^-126.  At 768 dimensions
//           there are 54 roundings on the longest way, a relative 3.2e-6.  A plain loop has 768.
// Cost      that of reading memory: rows are scored four at a time, and the next ones are prefetched.
// Threads   none of its own.  It allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace zerohop {

enum class RowType : uint8_t { kF32, kF16, kBf16, kI8 };

constexpr size_t RowBytes(RowType type, size_t dimensions) {
  switch (type) {
    case RowType::kF32: return dimensions * 4;
    case RowType::kF16:
    case RowType::kBf16: return dimensions * 2;
    case RowType::kI8: break;
  }
  return dimensions;
}

float Dot(RowType type, const float* query, const std::byte* row, size_t dimensions);

// out[i] = Dot(type, query, rows[i], dimensions), bit for bit.
void DotMany(RowType type, const float* query, size_t dimensions, const std::byte* const* rows, size_t count,
             float* out);

// The same with vectors of at most so many bytes (32, 64), or with what the compiler makes of plain code (8): for
// tests.
void DotManyWith(int vector_bytes, RowType type, const float* query, size_t dimensions, const std::byte* const* rows,
                 size_t count, float* out);

// Scales of rows: float32, one after the other, at any address.  Null: all are 1.
float ScaleOf(const std::byte* scales, size_t row);

// Rows at equal distances.
struct RowMatrix {
  RowType type;
  size_t dimensions;
  const std::byte* first;
  size_t stride_bytes;  // from one row to the next; RowBytes(type, dimensions) where they touch
  size_t count;
  const std::byte* scales = nullptr;  // of kI8
};

struct ScoredRow {
  size_t index;
  float score;
};

// Of two rows with equal scores, the one with the lower index is better.
bool IsBetterRow(const ScoredRow& a, const ScoredRow& b);

// The score, or NaN if it is not finite: such a score says nothing.
float FiniteOrNan(float score);

// The best.size() rows with the highest scores, best first; all rows if there are fewer.  Rows whose score is not
// finite are left out.  Returns how many were written.
size_t TopK(const float* query, const RowMatrix& rows, std::span<ScoredRow> best);

}  // namespace zerohop
