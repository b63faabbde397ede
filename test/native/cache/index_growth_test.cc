// The index while it grows and is swept, and while others read it.
#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "cache/index.h"
#include "cache/index_entries.h"
#include "cache/session.h"
#include "check.h"

namespace zerohop {
TEST(Index, KeepsAnOutgrownArrayForAsLongAsAReaderMayLookAtIt) {
  EpochDomain epochs;
  Index index(epochs);
  EpochRecord reader;
  epochs.Add(&reader);
  uint64_t next = 0;
  const auto grow = [&] {
    for (int i = 0; i < 5000; ++i, next += 8) {
      CHECK(index.Upsert(next * 0x9e3779b97f4a7c15u, next, [](uint64_t) { return false; }).stored);
    }
  };
  grow();
  index.Tidy();
  epochs.Enter(reader);
  // From inside a lookup, as the reader would be: the array that it walks is outgrown, and stays.
  uint64_t offered = 0;
  const size_t before = index.bytes();
  index.Find(0, [&](uint64_t) {
    if (offered++ == 0) grow();
    return false;
  });
  CHECK(offered > 0);
  index.Tidy();
  const size_t with_outgrown = index.bytes();
  EpochDomain::Leave(reader);
  index.Tidy();
  CHECK(index.bytes() < with_outgrown);
  CHECK(index.bytes() > before);
  epochs.Remove(&reader);
}

TEST(Index, SweepRemovesWhatIsCondemnedAndNothingElse) {
  check::Random random(check::Seed());
  EpochDomain epochs;
  Index index(epochs);
  std::vector<uint64_t> hashes(20000);
  for (size_t i = 0; i < hashes.size(); ++i) {
    hashes[i] = random.OneIn(4) ? WithTag(kTags - 1 - random.Below(8)) | random.Below(64) : random.Next();
    CHECK(index.Upsert(hashes[i], i * 8, Is(i * 8)).stored);
  }
  CHECK_EQ(index.Sweep([](uint64_t offset) { return offset % 24 == 0; }), (hashes.size() + 2) / 3);
  for (size_t i = 0; i < hashes.size(); ++i) {
    CHECK_EQ(index.Find(hashes[i], Is(i * 8)).has_value(), i % 3 != 0);
  }
  CHECK_EQ(index.size(), hashes.size() - (hashes.size() + 2) / 3);
  index.Sweep(kAny);
  CHECK_EQ(index.size(), size_t{0});
}

// Readers take no lock: a key that is stored all the while is found, whatever is set, removed and grown around it.
TEST(Index, ReadersFindWhatStaysWhileOthersComeGoAndGrow) {
  EpochDomain epochs;
  Index index(epochs);
  static constexpr uint64_t kStaying = 500;
  const auto hash_of = [](uint64_t i) { return i * 0x9e3779b97f4a7c15u; };
  for (uint64_t i = 0; i < kStaying; ++i) CHECK(index.Upsert(hash_of(i), i * 8, Is(i * 8)).stored);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> lost{0};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&] {
      EpochRecord record;
      epochs.Add(&record);
      while (!done.load()) {
        for (uint64_t i = 0; i < kStaying; ++i) {
          epochs.Enter(record);
          lost += !index.Find(
              hash_of(i), [i](uint64_t at) { return at % (kStaying * 8) == i * 8; }, Give(Numbered(i)));
          EpochDomain::Leave(record);
        }
      }
      epochs.Remove(&record);
    });
  }
  for (uint64_t round = 1; round <= 20; ++round) {
    const uint64_t others = round * 500;  // more each time: shards grow
    const auto other = [](uint64_t i) { return (uint64_t{1} << 33) + i * 8; };
    for (uint64_t i = 0; i < others; ++i) index.Upsert(hash_of(kStaying + i), other(i), Is(other(i)));
    // Repointed in place, to an offset that its reader still takes for its own.
    for (uint64_t i = 0; i < kStaying; ++i) {
      const uint64_t from = ((round - 1) * kStaying + i) * 8;
      CHECK(index.Upsert(hash_of(i), from + kStaying * 8, Is(from)).replaced);
    }
    for (uint64_t i = 0; i < others; ++i) CHECK(index.Remove(hash_of(kStaying + i), Is(other(i))));
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  CHECK_EQ(lost.load(), uint64_t{0});
  index.Tidy();
  CHECK_EQ(index.size(), kStaying);
}

}  // namespace zerohop
