#include "weights/score.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "check.h"
#include "weights/narrow_floats.h"

namespace zerohop {
namespace {

constexpr RowType kAllRowTypes[] = {RowType::kF32, RowType::kF16, RowType::kBf16, RowType::kI8};
constexpr int kVectorBytes[] = {8, 32, 64};
constexpr float kNoNumber = std::numeric_limits<float>::quiet_NaN();

float SomeFloat(check::Random& random) {  // -1..1, of many magnitudes
  const auto fraction = static_cast<float>(static_cast<int64_t>(random.Next()) * 0x1p-63);
  return std::ldexp(fraction, -static_cast<int>(random.Below(12)));
}

std::vector<float> SomeQuery(check::Random& random, size_t dimensions) {
  std::vector<float> query(dimensions);
  for (float& each : query) each = SomeFloat(random);
  return query;
}

// Random finite elements, written at `to`.
void WriteRow(check::Random& random, RowType type, size_t dimensions, std::byte* to) {
  for (size_t i = 0; i < dimensions; ++i) {
    const float value = SomeFloat(random);
    const auto half = static_cast<uint16_t>(random.Next() & 0xbbff);  // below 2, subnormals too
    const auto bfloat = static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);
    switch (type) {
      case RowType::kF32: std::memcpy(to + i * 4, &value, 4); break;
      case RowType::kF16: std::memcpy(to + i * 2, &half, 2); break;
      case RowType::kBf16: std::memcpy(to + i * 2, &bfloat, 2); break;
      case RowType::kI8: to[i] = static_cast<std::byte>(random.Next()); break;
    }
  }
}

double ElementOf(RowType type, const std::byte* row, size_t i) {
  float value = 0;
  switch (type) {
    case RowType::kF32: std::memcpy(&value, row + i * 4, 4); return value;
    case RowType::kF16: return HalfToFloat(BitsAt(row + i * 2));
    case RowType::kBf16: return BfloatToFloat(BitsAt(row + i * 2));
    case RowType::kI8: break;
  }
  return static_cast<int8_t>(row[i]);
}

// A row in a heap block of its own that begins `shift` bytes in and ends with it: AddressSanitizer watches.
struct OwnRow {
  OwnRow(check::Random& random, RowType type, size_t dimensions, size_t shift)
      : bytes(shift + RowBytes(type, dimensions)), at(bytes.data() + shift) {
    WriteRow(random, type, dimensions, bytes.data() + shift);
  }
  std::vector<std::byte> bytes;
  const std::byte* at;
};

bool SameScore(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b); }

// A matrix of F32 rows of one element, whose scores against {1} are these.
struct ScoresGiven {
  explicit ScoresGiven(std::vector<float> given) : scores(std::move(given)) {}
  RowMatrix rows() const {
    return {RowType::kF32, 1, reinterpret_cast<const std::byte*>(scores.data()), sizeof(float), scores.size(), nullptr};
  }
  std::vector<ScoredRow> Best(size_t wanted) const {
    const float query = 1;
    std::vector<ScoredRow> best(wanted);
    best.resize(TopK(&query, rows(), best));
    return best;
  }
  std::vector<float> scores;
};

std::vector<size_t> Indices(const std::vector<ScoredRow>& rows) {
  std::vector<size_t> indices;
  for (const ScoredRow& row : rows) indices.push_back(row.index);
  return indices;
}

// As score.h words it, by sorting all of them.
std::vector<size_t> BestBySorting(const std::vector<float>& scores, size_t wanted) {
  std::vector<size_t> order;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (std::isfinite(scores[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  order.resize(std::min(wanted, order.size()));
  return order;
}

}  // namespace

TEST(Dot, StaysWithinTheBoundItStatesAtEveryLengthTypeAndWidth) {
  check::Random random(check::Seed());
  for (const RowType type : kAllRowTypes) {
    for (size_t dimensions = 0; dimensions <= 1100; dimensions += dimensions < 80 ? 1 : 97) {
      const std::vector<float> query = SomeQuery(random, dimensions);
      const OwnRow row(random, type, dimensions, random.Below(8));
      double exact = 0, absolute = 0;
      for (size_t i = 0; i < dimensions; ++i) {
        const double product = double{query[i]} * ElementOf(type, row.at, i);
        exact += product;
        absolute += std::fabs(product);
      }
      const double roundings = static_cast<double>((dimensions + 15) / 16) + 6;
      const double bound = roundings * 0x1p-24 / (1 - roundings * 0x1p-24) * absolute;
      for (const int vector_bytes : kVectorBytes) {
        float score = kNoNumber;
        DotManyWith(vector_bytes, type, query.data(), dimensions, &row.at, 1, &score);
        // The sum in double has an error of its own, 2^-29 of the bound.
        CHECK(std::fabs(score - exact) <= bound * 1.000001);
      }
    }
  }
}

TEST(Dot, IsTheSameBitForBitAloneAndAmongOthers) {
  check::Random random(check::Seed());
  for (const RowType type : kAllRowTypes) {
    for (const size_t dimensions :
         {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{17}, size_t{64}, size_t{100}}) {
      const std::vector<float> query = SomeQuery(random, dimensions);
      std::vector<OwnRow> owned;
      std::vector<const std::byte*> rows;
      for (size_t count = 0; count <= 45; ++count) {
        for (const int vector_bytes : kVectorBytes) {
          std::vector<float> scores(count + 1, 4711.0f);
          DotManyWith(vector_bytes, type, query.data(), dimensions, rows.data(), count, scores.data());
          for (size_t i = 0; i < count; ++i) {
            float alone = kNoNumber;
            DotManyWith(vector_bytes, type, query.data(), dimensions, &rows[i], 1, &alone);
            CHECK(SameScore(scores[i], alone));
          }
          CHECK_EQ(scores[count], 4711.0f);
        }
        owned.emplace_back(random, type, dimensions, random.Below(8));
        rows.push_back(owned.back().at);
      }
      // What is chosen for this processor.
      std::vector<float> scores(rows.size());
      DotMany(type, query.data(), dimensions, rows.data(), rows.size(), scores.data());
      for (size_t i = 0; i < rows.size(); ++i) {
        CHECK(SameScore(Dot(type, query.data(), rows[i], dimensions), scores[i]));
      }
    }
  }
}

TEST(Dot, IsTheSameBitForBitWithVectorsOf32And64Bytes) {
  check::Random random(check::Seed());
  for (const RowType type : kAllRowTypes) {
    for (size_t dimensions = 0; dimensions <= 200; ++dimensions) {
      const std::vector<float> query = SomeQuery(random, dimensions);
      const OwnRow row(random, type, dimensions, random.Below(8));
      float wide = 0, widest = 1;
      DotManyWith(32, type, query.data(), dimensions, &row.at, 1, &wide);
      DotManyWith(64, type, query.data(), dimensions, &row.at, 1, &widest);
      CHECK(SameScore(wide, widest));
    }
  }
}

TEST(Dot, TakesInfinitiesAndWhatIsNoNumberAsArithmeticDoes) {
  for (const int vector_bytes : kVectorBytes) {
    for (size_t dimensions = 1; dimensions <= 40; ++dimensions) {
      for (const float special : {INFINITY, -INFINITY, kNoNumber}) {
        const std::vector<float> query(dimensions, 1.0f);
        std::vector<float> row(dimensions, 1.0f);
        row[dimensions - 1] = special;
        const auto* const at = reinterpret_cast<const std::byte*>(row.data());
        float score = 0;
        DotManyWith(vector_bytes, RowType::kF32, query.data(), dimensions, &at, 1, &score);
        CHECK(score == special || (std::isnan(score) && std::isnan(special)));
      }
    }
  }
}

TEST(TopK, FindsWhatSortingFindsInMatricesOfEveryType) {
  check::Random random(check::Seed());
  for (const RowType type : kAllRowTypes) {
    for (const size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{255}, size_t{256}, size_t{257}, size_t{1000}}) {
      const size_t dimensions = 1 + random.Below(40);
      const size_t stride = RowBytes(type, dimensions) + random.Below(5);
      std::vector<std::byte> matrix(count * stride);
      for (size_t i = 0; i < count; ++i) WriteRow(random, type, dimensions, matrix.data() + i * stride);
      const std::vector<float> query = SomeQuery(random, dimensions);
      std::vector<float> scores(count);
      for (size_t i = 0; i < count; ++i) scores[i] = Dot(type, query.data(), matrix.data() + i * stride, dimensions);
      for (const size_t wanted : {size_t{0}, size_t{1}, size_t{10}, size_t{256}, size_t{2000}}) {
        std::vector<ScoredRow> best(wanted);
        best.resize(TopK(query.data(), {type, dimensions, matrix.data(), stride, count, nullptr}, best));
        CHECK(Indices(best) == BestBySorting(scores, wanted));
        for (const ScoredRow& row : best) CHECK(SameScore(row.score, scores[row.index]));
      }
    }
  }
}

TEST(TopK, MultipliesRowsOfBytesByTheirScales) {
  constexpr size_t kRows = 600, kDimensions = 20;
  check::Random random(check::Seed());
  std::vector<std::byte> matrix(kRows * kDimensions);
  for (size_t i = 0; i < kRows; ++i) WriteRow(random, RowType::kI8, kDimensions, matrix.data() + i * kDimensions);
  const std::vector<float> scales = SomeQuery(random, kRows), query = SomeQuery(random, kDimensions);
  // At an odd address, as a file may have them.
  std::vector<std::byte> bytes(1 + kRows * sizeof(float));
  std::memcpy(bytes.data() + 1, scales.data(), kRows * sizeof(float));
  std::vector<float> scores(kRows);
  for (size_t i = 0; i < kRows; ++i) {
    scores[i] = Dot(RowType::kI8, query.data(), matrix.data() + i * kDimensions, kDimensions) * scales[i];
  }
  std::vector<ScoredRow> best(10);
  const RowMatrix rows{RowType::kI8, kDimensions, matrix.data(), kDimensions, kRows, bytes.data() + 1};
  CHECK_EQ(TopK(query.data(), rows, best), 10u);
  CHECK(Indices(best) == BestBySorting(scores, 10));
  for (const ScoredRow& row : best) CHECK(SameScore(row.score, scores[row.index]));
}

TEST(TopK, PrefersTheLowerIndexOfEqualScoresAndTakesNoneThatIsNotFinite) {
  const float nan = kNoNumber, inf = INFINITY;
  CHECK((Indices(ScoresGiven({1, 2, 2, 1, 2}).Best(4)) == std::vector<size_t>{1, 2, 4, 0}));
  CHECK((Indices(ScoresGiven({nan, -inf, nan, 5, inf}).Best(4)) == std::vector<size_t>{3}));
  CHECK((Indices(ScoresGiven({nan, nan, nan}).Best(2)).empty()));
  CHECK((Indices(ScoresGiven({nan, inf, -1, -inf}).Best(1)) == std::vector<size_t>{2}));
  CHECK((Indices(ScoresGiven({-0.0f, 0.0f}).Best(2)) == std::vector<size_t>{0, 1}));  // they are equal
}

TEST(TopK, FindsWhatSortingFindsAmongManyTiesAndNaNs) {
  check::Random random(check::Seed());
  for (int round = 0; round < 200; ++round) {
    std::vector<float> scores(random.Below(700));
    for (float& score : scores) score = random.OneIn(5) ? kNoNumber : static_cast<float>(random.Below(6));
    const size_t wanted = random.Below(40);
    const ScoresGiven given(scores);
    CHECK(Indices(given.Best(wanted)) == BestBySorting(scores, wanted));
  }
}

}  // namespace zerohop
