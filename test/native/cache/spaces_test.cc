#include "cache/spaces.h"

#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

uint16_t Added(Spaces& spaces, const std::string& name) {
  const std::optional<uint16_t> space = spaces.Add({name, "", "bytes", 0});
  REQUIRE(space.has_value());
  return *space;
}

// What upkeep does when it has been through the whole index.
void Bury(Spaces& spaces) { spaces.Buried(spaces.BeginPass()); }

}  // namespace

TEST(Spaces, NumbersThemInTheOrderTheyWereAdded) {
  Spaces spaces;
  CHECK(!spaces.Find("one").has_value());
  CHECK_EQ(Added(spaces, "one"), 0);
  CHECK_EQ(*spaces.Add({"two", "tenant", "f32", 7}), 1);
  CHECK_EQ(spaces.Find("two"), std::optional<uint16_t>(1));
  CHECK_EQ(spaces.At(1).scope, "tenant");
  CHECK_EQ(spaces.At(1).codec, "f32");
  CHECK_EQ(spaces.At(1).scope_id, 7);
  CHECK_EQ(spaces.size(), size_t{2});
}

TEST(Spaces, HasRoomForSoManyAndNoMore) {
  Spaces spaces;
  std::set<uint16_t> incarnations;
  for (size_t i = 0; i < Spaces::kSpacesMax; ++i) {
    incarnations.insert(spaces.IncarnationOf(Added(spaces, std::to_string(i))));
  }
  CHECK_EQ(incarnations.size(), Spaces::kSpacesMax);
  CHECK(!spaces.Add({"one too many", "", "bytes", 0}).has_value());
  CHECK_EQ(spaces.size(), Spaces::kSpacesMax);
}

TEST(Spaces, RenewingGivesANumberThatWasNeverInUse) {
  Spaces spaces;
  const uint16_t space = Added(spaces, "one");
  Added(spaces, "two");
  std::set<uint16_t> seen{spaces.IncarnationOf(0), spaces.IncarnationOf(1)};
  for (int i = 0; i < 1000; ++i) {
    const uint16_t old = spaces.IncarnationOf(space);
    CHECK(spaces.Alive(old));
    CHECK(spaces.Renew(space));
    CHECK(seen.insert(spaces.IncarnationOf(space)).second);
    CHECK(!spaces.Alive(old));
    CHECK(spaces.Alive(spaces.IncarnationOf(space)));
    CHECK_EQ(spaces.SpaceOf(spaces.IncarnationOf(space)), space);
  }
  CHECK_EQ(spaces.IncarnationOf(1), 1);  // and leaves the others alone
}

TEST(Spaces, AMarkHoldsUntilItsKeyspaceIsRenewed) {
  Spaces spaces;
  Added(spaces, "one");
  Added(spaces, "two");
  const Spaces::Mark mark = spaces.MarkOf(0);
  CHECK(spaces.Valid(mark));
  CHECK(spaces.Renew(1));
  CHECK(spaces.Valid(mark));
  CHECK(spaces.Renew(0));
  CHECK(!spaces.Valid(mark));
  CHECK(spaces.Valid(spaces.MarkOf(0)));
}

TEST(Spaces, AMarkStaysInvalidWhenItsNumberIsGivenOutAgain) {
  Spaces spaces;
  Added(spaces, "one");
  const Spaces::Mark mark = spaces.MarkOf(0);
  int came_back = 0;
  for (int i = 0; i < 100; ++i) {
    CHECK(spaces.Renew(0));
    Bury(spaces);
    came_back += spaces.IncarnationOf(0) == mark.incarnation;
    CHECK(!spaces.Valid(mark));
  }
  CHECK(came_back > 0);
}

TEST(Spaces, GivesADeadNumberOutAgainOnlyAfterAPassThatBeganSinceItDied) {
  Spaces spaces;
  Added(spaces, "one");
  const uint16_t first = spaces.IncarnationOf(0);
  const auto is_given_out = [&spaces](uint16_t number) {
    // All that are left, one after the other.
    while (spaces.Renew(0)) {
      if (spaces.IncarnationOf(0) == number) return true;
    }
    return false;
  };
  CHECK(!spaces.any_dead());
  const uint64_t before = spaces.BeginPass();
  CHECK(spaces.Renew(0));
  CHECK(spaces.any_dead());
  spaces.Buried(before);  // a pass that began earlier may have missed entries of it
  CHECK(spaces.any_dead());
  CHECK(!is_given_out(first));
  CHECK(!spaces.Renew(0));
  CHECK(spaces.Alive(spaces.IncarnationOf(0)));
  const uint64_t pass = spaces.BeginPass();
  CHECK(!spaces.Renew(0));  // begun is not done
  spaces.Buried(pass);
  CHECK(!spaces.any_dead());
  CHECK(is_given_out(first));
}

TEST(Spaces, HasNumbersForThousandsOfRenewalsBetweenTwoPasses) {
  Spaces spaces;
  Added(spaces, "one");
  for (int round = 0; round < 3; ++round) {
    size_t renewed = 0;
    while (spaces.Renew(0)) ++renewed;
    CHECK(renewed >= Spaces::kIncarnationsMax - 2);
    Bury(spaces);
  }
}

TEST(Spaces, CountsEntriesFromZeroInEveryIncarnation) {
  Spaces spaces;
  Added(spaces, "one");
  for (int i = 0; i < 20; ++i) {
    const uint16_t incarnation = spaces.IncarnationOf(0);
    CHECK_EQ(spaces.EntriesOf(0), size_t{0});
    for (int entry = 0; entry < 5; ++entry) spaces.Count(incarnation, 1);
    spaces.Count(incarnation, -2);
    CHECK_EQ(spaces.EntriesOf(0), size_t{3});
    CHECK(spaces.Renew(0));
    Bury(spaces);  // numbers come back, their counts do not
  }
}

TEST(Spaces, ANumberThatNoKeyspaceEverHadIsDeadAndHarmless) {
  Spaces spaces;
  Added(spaces, "one");
  for (const uint32_t number : {1u, 8191u, 8192u, 65535u}) {
    const auto incarnation = static_cast<uint16_t>(number);
    CHECK(!spaces.Alive(incarnation));
    CHECK(spaces.SpaceOf(incarnation) < Spaces::kSpacesMax);
    spaces.Count(incarnation, 1);
  }
  CHECK_EQ(spaces.EntriesOf(0), size_t{0});
}

// A writer holds no guard: between its looks at the number and at the births, the number may have died, been buried and
// become another keyspace's.  What it then writes must not be that keyspace's entry.
TEST(Spaces, AMarkNeverHoldsForAnotherKeyspace) {
  Spaces spaces;
  Added(spaces, "one");
  Added(spaces, "two");
  std::atomic<bool> done{false};
  std::atomic<uint64_t> wrong{0}, valid{0};
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 2; ++writer) {
    writers.emplace_back([&] {
      while (!done.load(std::memory_order_relaxed)) {
        const Spaces::Mark mark = spaces.MarkOf(0);
        if (!spaces.Valid(mark)) continue;
        const uint16_t space = spaces.SpaceOf(mark.incarnation);
        // Only if the number's life was the same before and after the look at its keyspace.
        if (!spaces.Valid(mark)) continue;
        ++valid;
        wrong += space != 0;
      }
    });
  }
  for (int i = 0; i < 200000; ++i) {
    CHECK(spaces.Renew(0));  // its number dies …
    Bury(spaces);
    CHECK(spaces.Renew(1));  // … and is the other's now
    Bury(spaces);
  }
  done = true;
  for (std::thread& writer : writers) writer.join();
  CHECK_EQ(wrong.load(), uint64_t{0});
}

}  // namespace zerohop
