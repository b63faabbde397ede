// What a client sent and is not run yet: it stays right however it comes and goes, and goes a piece at a time.
#include "resp/input.h"

#include <string>

#include "check.h"

namespace zerohop::resp {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

// As a worker does at the ends of its wake-ups.  Returns how many pieces were given back.
size_t GiveAllBack(Scraps& scraps) {
  size_t pieces = 0;
  for (; !scraps.empty(); ++pieces) scraps.GiveBackSome();
  return pieces;
}

}  // namespace

TEST(Input, KeepsWhatComesAndGoesInAnyPieces) {
  check::Random random(check::Seed());
  Scraps scraps;
  for (const size_t most : {size_t{100}, size_t{10000}, 3 * kMiB}) {
    Input input(scraps);
    std::string wanted;
    for (int i = 0; i < 60; ++i) {
      const std::string piece(random.Below(most), static_cast<char>('a' + i % 26));
      REQUIRE(input.Append(piece));
      wanted += piece;
      const size_t dropped = random.Below(wanted.size() + 1);
      if (random.Below(3) != 0 && !wanted.empty()) {
        input.Drop(dropped);
        wanted.erase(0, dropped);
      }
      REQUIRE(input.view() == wanted);
    }
  }
  GiveAllBack(scraps);
}

TEST(Input, GivesTheMemoryOfALongRequestBackInPieces) {
  Scraps scraps;
  Input input(scraps);
  REQUIRE(input.Append(std::string(8 * kMiB, 'x')));
  CHECK(scraps.empty());
  input.Drop(8 * kMiB);
  CHECK_EQ(input.capacity(), size_t{0});
  CHECK(GiveAllBack(scraps) >= 8 * kMiB / Scraps::kPieceBytes);
  // Little goes at once.
  REQUIRE(input.Append("little"));
  input.Free();
  CHECK(scraps.empty());
}

TEST(Input, HoldsNoMemoryOfWhatWasRunLongAgo) {
  Scraps scraps;
  Input input(scraps);
  REQUIRE(input.Append(std::string(16 * kMiB, 'x')));
  for (int i = 0; i < 15; ++i) input.Drop(kMiB);
  CHECK_EQ(input.bytes(), kMiB);
  CHECK(input.capacity() < 2 * kMiB);
  // A stream that never ends grows no further than what waits of it.
  for (int i = 0; i < 100; ++i) {
    REQUIRE(input.Append(std::string(kMiB, 'y')));
    input.Drop(kMiB);
  }
  CHECK(input.capacity() < 4 * kMiB);
  input.Free();
  GiveAllBack(scraps);
}

}  // namespace zerohop::resp
