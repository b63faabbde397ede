#include "cache/eviction_records.h"

#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

EvictionRecord Of(uint64_t hash, float worth = 1) {
  return {hash, worth, 2, AccessState(3, 4), 5, 6, EvictionRecord::Why::kEvicted};
}

}  // namespace

TEST(EvictionRecords, RemembersWhatItWasTold) {
  EvictionRecords records(size_t{1} << 20);
  const uint64_t hash = check::Random(check::Seed()).Next();
  CHECK(!records.Find(hash, 6).has_value());
  records.Note(Of(hash));
  const auto found = records.Find(hash, 6);
  REQUIRE(found.has_value());
  CHECK_EQ(found->worth, 1.0f);
  CHECK_EQ(found->threshold, 2.0f);
  CHECK_EQ(found->access_state.bits(), AccessState(3, 4).bits());
  CHECK_EQ(found->idle, 5);
  CHECK_EQ(found->why, EvictionRecord::Why::kEvicted);
  CHECK(!records.Find(hash, 7).has_value());      // of another keyspace, or of the same before it was cleared
  CHECK(!records.Find(hash ^ 1, 6).has_value());  // at the same place
  CHECK(!records.Find(0, 0).has_value());
}

TEST(EvictionRecords, ALaterOneTakesThePlace) {
  EvictionRecords records(size_t{1} << 20);
  records.Note(Of(77, 1));
  records.Note(Of(77, 3));
  CHECK_EQ(records.Find(77, 6)->worth, 3.0f);
  records.Note(Of(78, 4));
  CHECK(!records.Find(77, 6).has_value());
}

TEST(EvictionRecords, HasPlacesByTheSizeOfTheArena) {
  CHECK_EQ(EvictionRecords(1).bytes(), 64 * sizeof(EvictionRecord));
  CHECK_EQ(EvictionRecords(size_t{16} << 20).bytes(), 1024 * sizeof(EvictionRecord));
  CHECK_EQ(EvictionRecords(size_t{1} << 40).bytes(), 4096 * sizeof(EvictionRecord));
  // All of them are used.
  EvictionRecords records(1);
  check::Random random(check::Seed());
  std::vector<uint64_t> hashes;
  for (int i = 0; i < 2000; ++i) records.Note(Of(hashes.emplace_back(random.Next())));
  int found = 0;
  for (const uint64_t hash : hashes) found += records.Find(hash, 6).has_value();
  CHECK_EQ(found, 64);
}

TEST(EvictionRecords, TakesNotesOfManyThreads) {
  EvictionRecords records(1);
  std::vector<std::thread> threads;
  for (uint64_t number = 1; number <= 4; ++number) {
    threads.emplace_back([&records, number] {
      check::Random random(number);
      for (int i = 0; i < 5000; ++i) {
        const uint64_t hash = random.Next();
        records.Note(Of(hash, static_cast<float>(hash >> 40)));
        const auto found = records.Find(hash, 6);
        if (found) CHECK_EQ(found->worth, static_cast<float>(hash >> 40));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace zerohop
