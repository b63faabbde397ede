#include "base/checksum.h"

#include <algorithm>
#include <set>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

std::vector<uint8_t> RandomBytes(check::Random& random, size_t bytes) {
  std::vector<uint8_t> data(bytes);
  for (uint8_t& each : data) each = static_cast<uint8_t>(random.Next());
  return data;
}

}  // namespace

TEST(Checksum, NoticesEverySingleFlippedBitInValuesUpToThreeHundredBytes) {
  check::Random random(1);  // fixed: a 32-bit checksum misses one change in four thousand million by chance
  for (size_t bytes = 0; bytes <= 300; ++bytes) {
    std::vector<uint8_t> data = RandomBytes(random, bytes);
    const uint32_t sum = Checksum(data.data(), bytes);
    for (size_t bit = 0; bit < bytes * 8; ++bit) {
      data[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
      CHECK(Checksum(data.data(), bytes) != sum);
      data[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    }
    CHECK_EQ(Checksum(data.data(), bytes), sum);
  }
}

TEST(Checksum, TellsLengthsApartEvenWhenAllBytesAreZero) {
  const std::vector<uint8_t> zeros(4096, 0);
  std::set<uint32_t> seen;
  for (size_t bytes = 0; bytes <= zeros.size(); ++bytes) seen.insert(Checksum(zeros.data(), bytes));
  // 4097 values of 32 bits: a collision by chance has odds of 1 in 500, and this input never changes.
  CHECK_EQ(seen.size(), zeros.size() + 1);
}

TEST(Checksum, DoesNotDependOnWhereTheBytesLie) {
  check::Random random(check::Seed());
  const std::vector<uint8_t> data = RandomBytes(random, 777);
  const uint32_t sum = Checksum(data.data(), data.size());
  for (size_t shift = 0; shift < 16; ++shift) {
    std::vector<uint8_t> moved(shift, 0xee);
    moved.insert(moved.end(), data.begin(), data.end());
    CHECK_EQ(Checksum(moved.data() + shift, data.size()), sum);
  }
}

TEST(Checksum, NoticesTwoBlocksThatChangePlaces) {
  check::Random random(2);
  std::vector<uint8_t> data = RandomBytes(random, 256);
  const uint32_t sum = Checksum(data.data(), data.size());
  for (size_t block = 16; block <= 128; block *= 2) {
    std::vector<uint8_t> swapped = data;
    std::swap_ranges(swapped.begin(), swapped.begin() + static_cast<std::ptrdiff_t>(block),
                     swapped.begin() + static_cast<std::ptrdiff_t>(block));
    CHECK(Checksum(swapped.data(), swapped.size()) != sum);
  }
}

}  // namespace zerohop
