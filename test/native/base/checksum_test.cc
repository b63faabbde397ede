#include "base/checksum.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <set>
#include <thread>
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

TEST(CopyAndChecksum, CopiesExactlyTheBytesAndGivesTheirChecksum) {
  check::Random random(check::Seed());
  const std::vector<uint8_t> source = RandomBytes(random, 2100);
  for (size_t bytes = 0; bytes <= 2000; ++bytes) {
    const size_t from = random.Below(64), to = 8 + random.Below(64);
    std::vector<uint8_t> copy(2200, 0xee);
    const uint32_t sum = CopyAndChecksum(copy.data() + to, source.data() + from, bytes);
    CHECK_EQ(sum, Checksum(source.data() + from, bytes));
    CHECK(std::equal(copy.data() + to, copy.data() + to + bytes, source.data() + from));
    // And nothing beside them.
    CHECK(
        std::all_of(copy.begin(), copy.begin() + static_cast<std::ptrdiff_t>(to), [](uint8_t b) { return b == 0xee; }));
    CHECK(std::all_of(copy.begin() + static_cast<std::ptrdiff_t>(to + bytes), copy.end(),
                      [](uint8_t b) { return b == 0xee; }));
  }
}

TEST(CopyAndChecksum, WorksAtEveryAlignment) {
  check::Random random(check::Seed());
  const std::vector<uint8_t> source = RandomBytes(random, 1000);
  for (size_t from = 0; from < 16; ++from) {
    for (size_t to = 0; to < 16; ++to) {
      for (const size_t bytes : {size_t{1}, size_t{127}, size_t{128}, size_t{129}, size_t{900}}) {
        std::vector<uint8_t> copy(bytes + 16);
        CHECK_EQ(CopyAndChecksum(copy.data() + to, source.data() + from, bytes), Checksum(source.data() + from, bytes));
        CHECK(std::equal(copy.data() + to, copy.data() + to + bytes, source.data() + from));
      }
    }
  }
}

TEST(CopyAndChecksum, ReadsNothingBehindTheSourceAndTakesNoBytesFromNowhere) {
  // In heap blocks of exactly their size: AddressSanitizer watches.
  for (size_t bytes = 0; bytes <= 300; ++bytes) {
    const std::vector<uint8_t> source(bytes, 7);
    std::vector<uint8_t> copy(bytes);
    const uint32_t sum = CopyAndChecksum(copy.data(), source.data(), bytes);
    CHECK_EQ(sum, Checksum(copy.data(), bytes));
    CHECK(copy == source);
  }
  CHECK_EQ(CopyAndChecksum(nullptr, nullptr, 0), Checksum(nullptr, 0));
}

// A source in shared memory may change while it is copied.  What was copied is then whatever was seen of it; the
// checksum must be of that.  A race by intention: the thread sanitizer is not asked.
#if !defined(ZEROHOP_TSAN)
TEST(CopyAndChecksum, IsOfTheCopyAlsoWhileAnotherThreadWritesToTheSource) {
  for (const size_t bytes : {size_t{1}, size_t{100}, size_t{128}, size_t{1000}, size_t{5000}}) {
    std::vector<uint8_t> source(bytes);
    std::atomic<bool> done{false};
    std::thread writer([&] {
      volatile uint8_t* const at = source.data();
      for (uint8_t value = 0; !done.load(std::memory_order_relaxed); ++value) {
        for (size_t i = 0; i < bytes; ++i) at[i] = value;
      }
    });
    std::vector<uint8_t> copy(bytes);
    int wrong = 0;
    for (int i = 0; i < 20000; ++i) {
      const uint32_t sum = CopyAndChecksum(copy.data(), source.data(), bytes);
      wrong += sum != Checksum(copy.data(), bytes);
    }
    done = true;
    writer.join();
    CHECK_EQ(wrong, 0);
  }
}
#endif

}  // namespace zerohop
