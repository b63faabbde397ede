#include "cache/departures.h"

#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

Departure Of(uint64_t hash, float value = 1) {
  return {hash, value, 2, Standing(3, 4), 5, 6, Departure::Why::kEvicted};
}

}  // namespace

TEST(Departures, RemembersWhatItWasTold) {
  Departures departures(size_t{1} << 20);
  const uint64_t hash = check::Random(check::Seed()).Next();
  CHECK(!departures.Find(hash, 6).has_value());
  departures.Note(Of(hash));
  const auto found = departures.Find(hash, 6);
  REQUIRE(found.has_value());
  CHECK_EQ(found->value, 1.0f);
  CHECK_EQ(found->bar, 2.0f);
  CHECK_EQ(found->standing.bits(), Standing(3, 4).bits());
  CHECK_EQ(found->idle, 5);
  CHECK_EQ(found->why, Departure::Why::kEvicted);
  CHECK(!departures.Find(hash, 7).has_value());      // of another keyspace, or of the same before it was cleared
  CHECK(!departures.Find(hash ^ 1, 6).has_value());  // at the same place
  CHECK(!departures.Find(0, 0).has_value());
}

TEST(Departures, ALaterOneTakesThePlace) {
  Departures departures(size_t{1} << 20);
  departures.Note(Of(77, 1));
  departures.Note(Of(77, 3));
  CHECK_EQ(departures.Find(77, 6)->value, 3.0f);
  departures.Note(Of(78, 4));
  CHECK(!departures.Find(77, 6).has_value());
}

TEST(Departures, HasPlacesByTheSizeOfTheArena) {
  CHECK_EQ(Departures(1).bytes(), 64 * sizeof(Departure));
  CHECK_EQ(Departures(size_t{16} << 20).bytes(), 1024 * sizeof(Departure));
  CHECK_EQ(Departures(size_t{1} << 40).bytes(), 4096 * sizeof(Departure));
  // All of them are used.
  Departures departures(1);
  check::Random random(check::Seed());
  std::vector<uint64_t> hashes;
  for (int i = 0; i < 2000; ++i) departures.Note(Of(hashes.emplace_back(random.Next())));
  int found = 0;
  for (const uint64_t hash : hashes) found += departures.Find(hash, 6).has_value();
  CHECK_EQ(found, 64);
}

TEST(Departures, TakesNotesOfManyThreads) {
  Departures departures(1);
  std::vector<std::thread> threads;
  for (uint64_t number = 1; number <= 4; ++number) {
    threads.emplace_back([&departures, number] {
      check::Random random(number);
      for (int i = 0; i < 5000; ++i) {
        const uint64_t hash = random.Next();
        departures.Note(Of(hash, static_cast<float>(hash >> 40)));
        const auto found = departures.Find(hash, 6);
        if (found) CHECK_EQ(found->value, static_cast<float>(hash >> 40));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace zerohop
