#include "cache/index.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "cache/index_entries.h"
#include "cache/session.h"
#include "check.h"

namespace zerohop {

TEST(Index, FindsNothingWhenEmpty) {
  EpochDomain epochs;
  Index index(epochs);
  CHECK(!index.Find(0, kAny));
  CHECK(!index.Remove(~uint64_t{0}, kAny));
  CHECK_EQ(index.size(), size_t{0});
}

TEST(Index, HoldsTheFirstAndTheLastOffsetOfTheLargestArena) {
  EpochDomain epochs;
  Index index(epochs);
  for (const uint64_t offset : {uint64_t{0}, Index::kArenaBytesMax - kEntryAlignBytes}) {
    CHECK(index.Upsert(offset + 1, offset, Is(offset)).stored);
    CHECK_EQ(index.Find(offset + 1, Is(offset)), std::optional(offset));
    CHECK_EQ(BitsOf(index, offset + 1, offset), std::optional(AccessState{}.bits()));
  }
}

TEST(Index, UpsertTellsWhatItReplaced) {
  EpochDomain epochs;
  Index index(epochs);
  CHECK(!index.Upsert(7, 8, Is(8)).replaced);
  const Index::Upserted second = index.Upsert(7, 16, Is(8));
  CHECK(second.stored);
  CHECK_EQ(second.replaced, std::optional<uint64_t>(8));
  CHECK_EQ(index.size(), size_t{1});
  CHECK(!index.Find(7, Is(8)));
  CHECK_EQ(index.Find(7, Is(16)), std::optional<uint64_t>(16));
}

TEST(Index, LetsTheCallerTellEqualHashesApart) {
  EpochDomain epochs;
  Index index(epochs);
  for (uint64_t i = 0; i < 500; ++i) CHECK(index.Upsert(WithTag(3), i * 8, Is(i * 8)).stored);
  CHECK_EQ(index.size(), size_t{500});
  for (uint64_t i = 0; i < 500; ++i) CHECK_EQ(index.Find(WithTag(3), Is(i * 8)), std::optional(i * 8));
  for (uint64_t i = 0; i < 500; i += 2) CHECK_EQ(index.Remove(WithTag(3), Is(i * 8)), std::optional(i * 8));
  for (uint64_t i = 0; i < 500; ++i) CHECK_EQ(index.Find(WithTag(3), Is(i * 8)).has_value(), i % 2 == 1);
}

TEST(Index, FindsWhatWasPassedOnAcrossTheEndOfTheArray) {
  // The largest tags are at home in the last bucket: what it has no room for lies in the first, among tags at home
  // there.
  for (uint64_t removed = 0; removed < 11; ++removed) {
    EpochDomain epochs;
    Index index(epochs);
    std::vector<uint64_t> hashes;
    for (uint64_t i = 0; i < 9; ++i) hashes.push_back(WithTag(kTags - 1 - i % 2));
    for (uint64_t i = 0; i < 2; ++i) hashes.push_back(WithTag(i * (kTags / 64)));
    for (uint64_t i = 0; i < 11; ++i) CHECK(index.Upsert(hashes[i], i * 8, Is(i * 8)).stored);
    CHECK_EQ(index.Remove(hashes[removed], Is(removed * 8)), std::optional(removed * 8));
    for (uint64_t i = 0; i < 11; ++i) {
      CHECK_EQ(index.Find(hashes[i], Is(i * 8)).has_value(), i != removed);
    }
  }
}

TEST(Index, AgreesWithAMapThroughRandomOperations) {
  check::Random random(check::Seed());
  EpochDomain epochs;
  Index index(epochs);
  std::unordered_map<uint64_t, uint64_t> oracle;  // hash -> offset; a hash stands for its key
  const auto some_hash = [&random] {
    // Few shards and few tags, the extreme ones among them, so that runs are long and wrap.
    const uint64_t tag = random.OneIn(3) ? kTags - 1 - random.Below(40) : random.Below(4000) * (kTags / 4000);
    return WithTag(tag) | random.Below(2);
  };
  uint64_t next_offset = 0;
  for (int i = 0; i < 200000; ++i) {
    const uint64_t hash = some_hash();
    const auto known = oracle.find(hash);
    const uint64_t offset = known == oracle.end() ? UINT64_MAX : known->second;
    switch (random.Below(4)) {
      case 0:
      case 1: {
        const Index::Upserted upserted = index.Upsert(hash, next_offset, Is(offset));
        CHECK(upserted.stored);
        CHECK_EQ(upserted.replaced.has_value(), known != oracle.end());
        oracle[hash] = next_offset;
        next_offset += kEntryAlignBytes;
        break;
      }
      case 2:
        CHECK_EQ(index.Remove(hash, Is(offset)).has_value(), known != oracle.end());
        oracle.erase(hash);
        break;
      default: CHECK_EQ(index.Find(hash, Is(offset)).value_or(UINT64_MAX), offset);
    }
    CHECK_EQ(index.size(), oracle.size());
  }
  for (const auto& [hash, offset] : oracle) CHECK_EQ(index.Find(hash, Is(offset)), std::optional(offset));
}

TEST(Index, GrowsToAHundredThousandKeysAndForgetsNoStanding) {
  check::Random random(check::Seed());
  EpochDomain epochs;
  Index index(epochs);
  std::vector<uint64_t> hashes(100000);
  for (size_t i = 0; i < hashes.size(); ++i) {
    hashes[i] = random.Next();
    CHECK(index.Upsert(hashes[i], i * 8, Is(i * 8), Numbered(i)).stored);
    if (i % 3 == 0) index.Find(hashes[i], Is(i * 8), Give(Numbered(i + 1)));
  }
  Session session;
  ReadGuard guard(epochs, session);
  for (size_t i = 0; i < hashes.size(); ++i) {
    const std::optional<uint16_t> wanted = Numbered(i % 3 == 0 ? i + 1 : i).bits();
    CHECK_EQ(BitsOf(index, hashes[i], i * 8), wanted);
    CHECK_EQ(SeenBitsOf(index, guard, hashes[i], i * 8), wanted);
  }
  CHECK_EQ(index.size(), hashes.size());
  const double bytes_an_entry = static_cast<double>(index.bytes()) / static_cast<double>(index.size());
  CHECK(bytes_an_entry >= 64 / 6.0 / 0.8 && bytes_an_entry < 64 / 6.0 / 0.8 * 1.25 * 1.1);
}

TEST(Index, OnlyATouchChangesAStandingAndOnlyOfWhatItFound) {
  EpochDomain epochs;
  Index index(epochs);
  // Neighbours in one bucket.
  for (uint64_t i = 0; i < 6; ++i) CHECK(index.Upsert(5, i * 8, Is(i * 8), Numbered(i)).stored);
  CHECK_EQ(index.Find(5, Is(16)), std::optional<uint64_t>(16));
  CHECK_EQ(BitsOf(index, 5, 16), std::optional(Numbered(2).bits()));
  CHECK_EQ(index.Find(5, Is(16), Give(Numbered(90))), std::optional<uint64_t>(16));
  CHECK(!index.Find(5, Is(800), [](std::atomic<uint16_t>&) { CHECK(false); }));
  for (uint64_t i = 0; i < 6; ++i) {
    CHECK_EQ(BitsOf(index, 5, i * 8), std::optional(Numbered(i == 2 ? 90 : i).bits()));
  }
}

TEST(Index, OverwritingAKeyKeepsItsStanding) {
  EpochDomain epochs;
  Index index(epochs);
  CHECK(index.Upsert(5, 8, Is(8), Numbered(1)).stored);
  CHECK(index.Upsert(5, 800, Is(8), Numbered(2)).stored);
  CHECK_EQ(BitsOf(index, 5, 800), std::optional(Numbered(1).bits()));
  CHECK(!index.AccessStateOf(5, 8));
  Session session;
  CHECK(!index.SeenAccessStateOf(ReadGuard(epochs, session), 5, 8));
}

TEST(Index, AsksForAStandingOnlyWhenAKeyIsNew) {
  EpochDomain epochs;
  Index index(epochs);
  Index::Writer upkeep;
  int asked = 0;
  const auto upsert = [&](uint64_t hash, uint64_t offset, uint64_t old, bool allowed) {
    return index.Upsert(
        upkeep, hash, offset, Is(old),
        [&] {
          ++asked;
          return Numbered(3);
        },
        [=] { return allowed; }, [] {}, [](std::optional<uint64_t>) {});
  };
  CHECK(upsert(5, 8, 8, /*allowed=*/false).refused);
  CHECK_EQ(asked, 0);
  CHECK(upsert(5, 8, 8, true).stored);
  CHECK_EQ(asked, 1);
  CHECK(upsert(5, 16, 8, true).replaced);
  CHECK_EQ(asked, 1);
  CHECK_EQ(BitsOf(index, 5, 16), std::optional(Numbered(3).bits()));
  // Once a key, also when the shard has to grow for it.
  for (uint64_t i = 0; i < 1000; ++i) CHECK(upsert(6 + (i << 40), 80 + i * 8, 80 + i * 8, true).stored);
  CHECK_EQ(asked, 1001);
}

TEST(Index, ASlotThatIsUsedAgainHasTheAccessStateOfItsNewKey) {
  EpochDomain epochs;
  Index index(epochs);
  CHECK(index.Upsert(5, 8, Is(8), Numbered(1)).stored);
  CHECK(index.Remove(5, Is(8)));
  CHECK(index.Upsert(5, 16, Is(16)).stored);
  CHECK_EQ(BitsOf(index, 5, 16), std::optional(AccessState{}.bits()));
}

TEST(Index, RepointsOnlyASlotThatStillPointsThereAndKeepsItsStanding) {
  EpochDomain epochs;
  Index index(epochs);
  CHECK(index.Upsert(5, 8, Is(8), Numbered(1)).stored);
  CHECK(!index.Repoint(5, 16, 24));
  CHECK(!index.Repoint(6, 8, 24));
  CHECK_EQ(BitsOf(index, 5, 8), std::optional(Numbered(1).bits()));
  CHECK(index.Repoint(5, 8, 24));
  CHECK(!index.Repoint(5, 8, 32));
  CHECK_EQ(BitsOf(index, 5, 24), std::optional(Numbered(1).bits()));
}

TEST(Index, RepointingActsBeforeTheNewPlaceIsSeen) {
  EpochDomain epochs;
  Index index(epochs);
  CHECK(index.Upsert(5, 8, Is(8)).stored);
  int acted = 0;
  CHECK(index.Repoint(5, 8, 24, [&] {
    ++acted;
    CHECK_EQ(index.Find(5, kAny), std::optional<uint64_t>(8));
  }));
  CHECK_EQ(acted, 1);
  CHECK_EQ(index.Find(5, kAny), std::optional<uint64_t>(24));
  CHECK(!index.Repoint(5, 8, 32, [&] { ++acted; }));  // not there any more
  CHECK_EQ(acted, 1);
}

TEST(Index, SamplesShowEveryEntryInTheEndAndNothingElse) {
  check::Random random(check::Seed());
  EpochDomain epochs;
  Index index(epochs);
  Session session;
  ReadGuard guard(epochs, session);
  const auto none = [](uint64_t, AccessState) { CHECK(false); };
  CHECK_EQ(index.Sample(guard, random.Next(), none), size_t{0});
  constexpr size_t kEntries = 500;
  for (uint64_t i = 0; i < kEntries; ++i) {
    CHECK(index
              .Upsert(
                  random.Next(), i * 8, [](uint64_t) { return false; }, Numbered(i))
              .stored);
  }
  std::set<uint64_t> shown;
  // A bucket is missed by all of so many draws with a chance of less than 1/10^9.
  for (int i = 0; i < 200000; ++i) {
    const uint64_t drawn = random.Next();
    index.PrefetchSample(guard, drawn);
    size_t visited = 0;
    const size_t told = index.Sample(guard, drawn, [&](uint64_t offset, AccessState access_state) {
      ++visited;
      CHECK(offset < kEntries * 8);
      CHECK_EQ(access_state.bits(), Numbered(offset / 8).bits());
      shown.insert(offset);
    });
    CHECK_EQ(told, visited);
  }
  CHECK_EQ(shown.size(), kEntries);
}

TEST(Index, ActsOnASlotOnlyWhileItPointsThere) {
  EpochDomain epochs;
  Index index(epochs);
  CHECK(index.Upsert(5, 8, Is(8)).stored);
  Index::Writer upkeep;
  int acted = 0;
  CHECK(index.While(upkeep, 5, 8, [&] { ++acted; }));
  CHECK(!index.While(upkeep, 5, 16, [&] { ++acted; }));
  CHECK(!index.While(upkeep, 6, 8, [&] { ++acted; }));
  CHECK_EQ(acted, 1);
}

TEST(Index, ActsWhereNoSlotMatches) {
  EpochDomain epochs;
  Index index(epochs);
  CHECK(index.Upsert(5, 8, Is(8)).stored);
  int acted = 0;
  CHECK(!index.Unless(5, Is(8), [&] { ++acted; }));
  CHECK_EQ(acted, 0);
  CHECK(index.Unless(5, Is(16), [&] { ++acted; }));
  CHECK(index.Unless(WithTag(1), kAny, [&] { ++acted; }));
  CHECK_EQ(acted, 2);
}

TEST(Index, LetsOnlyItsOwnerAndUpkeepWrite) {
  EpochDomain epochs;
  Index index(epochs);
  CHECK(index.Upsert(5, 8, Is(8)).stored);
  Session owner, another;
  index.SetOwner(&owner);
  const auto upsert = [&](const Session* session, uint64_t offset, bool* busy) {
    Index::Writer writer{session};
    const Index::Upserted upserted = index.Upsert(
        writer, 5, offset, kAny, [] { return AccessState{}; }, [] { return true; }, [] {},
        [](std::optional<uint64_t>) {});
    *busy = writer.busy;
    return upserted.stored;
  };
  bool busy = false;
  CHECK(!upsert(&another, 16, &busy) && busy);
  Index::Writer writer{&another};
  CHECK(!index.Remove(writer, 5, kAny, [](uint64_t) {}) && writer.busy);
  CHECK(!index.While(writer, 5, 8, [] {}) && writer.busy);
  CHECK(!index.Repoint(
            writer, 5, 8, 16, [] { return true; }, [] {}) &&
        writer.busy);
  CHECK(upsert(&owner, 16, &busy) && !busy);
  CHECK(index.Repoint(5, 16, 24));
  CHECK(index.Remove(5, Is(24)));
  index.SetOwner(nullptr);
  CHECK(upsert(&another, 16, &busy) && !busy);
}

TEST(Index, RepointsOnlyIfItIsAllowedTo) {
  EpochDomain epochs;
  Index index(epochs);
  CHECK(index.Upsert(5, 8, Is(8)).stored);
  Index::Writer upkeep;
  int done = 0;
  CHECK(!index.Repoint(
      upkeep, 5, 8, 16, [] { return false; }, [&] { ++done; }));
  CHECK_EQ(done, 0);
  CHECK(index.Repoint(
      upkeep, 5, 8, 16, [] { return true; }, [&] { ++done; }));
  CHECK_EQ(done, 1);
  CHECK(index.Remove(5, Is(16)));
}

// Slots that stay are visited once each, though others come in between, shards grow and slots overflow their buckets.
TEST(Index, VisitsFromPlaceToPlaceWhatIsThereAllTheWhile) {
  check::Random random(check::Seed());
  EpochDomain epochs;
  Index index(epochs);
  Session session;
  std::vector<uint64_t> hashes;
  uint64_t offset = 0;
  const auto add = [&](uint64_t hash) {
    hashes.push_back(hash);
    CHECK(index.Upsert(hash, offset, Is(offset)).stored);
    offset += 8;
  };
  for (int i = 0; i < 3000; ++i) add(random.Next());
  for (int i = 0; i < 40; ++i) add(WithTag(3));  // more than a bucket holds
  for (int i = 0; i < 40; ++i) add(WithTag(kTags - 1));
  const uint64_t staying = offset;
  std::vector<int> visits(staying / 8);
  size_t calls = 0;
  for (uint64_t place = 0; place < Index::kScanEnd; ++calls) {
    {
      ReadGuard guard(epochs, session);
      place = index.VisitFrom(guard, place, [&](uint64_t at) {
        if (at < staying) ++visits[at / 8];
      });
    }
    for (int i = 0; i < 4; ++i) add(random.Next());
    if (random.OneIn(2)) {
      const uint64_t some = staying / 8 + random.Below(hashes.size() - staying / 8);
      index.Remove(hashes[some], Is(some * 8));
    }
  }
  CHECK(std::all_of(visits.begin(), visits.end(), [](int count) { return count == 1; }));
  CHECK(calls > Index::kShards);
  ReadGuard guard(epochs, session);
  CHECK_EQ(index.VisitFrom(guard, UINT64_MAX, [](uint64_t) { CHECK(false); }), Index::kScanEnd);
}

TEST(Index, TellsWhereARemovedSlotPointedBeforeAnyoneElseWritesThere) {
  EpochDomain epochs;
  Index index(epochs);
  CHECK(index.Upsert(5, 8, Is(8)).stored);
  std::optional<uint64_t> told;
  CHECK(!index.Remove(5, Is(16), [&](uint64_t offset) { told = offset; }));
  CHECK(!told);
  CHECK(index.Remove(5, Is(8), [&](uint64_t offset) { told = offset; }));
  CHECK_EQ(told, std::optional<uint64_t>(8));
}

TEST(Index, AnUpsertIsReadyBeforeReadersSeeIt) {
  EpochDomain epochs;
  Index index(epochs);
  Index::Writer upkeep;
  for (const uint64_t offset : {uint64_t{8}, uint64_t{16}}) {
    bool seen = true;
    const Index::Upserted upserted = index.Upsert(
        upkeep, 5, offset, kAny, [] { return AccessState{}; }, [] { return true; },
        [&] { seen = index.Find(5, Is(offset)).has_value(); }, [](std::optional<uint64_t>) {});
    CHECK(upserted.stored && !seen);
    CHECK(index.Find(5, Is(offset)).has_value());
  }
}

TEST(Index, RefusesAnUpsertThatIsNotAllowedAndChangesNothing) {
  EpochDomain epochs;
  Index index(epochs);
  Index::Writer upkeep;
  int done = 0;
  const auto upsert = [&](uint64_t offset, bool allowed) {
    return index.Upsert(
        upkeep, 5, offset, Is(8), [] { return AccessState{}; }, [=] { return allowed; }, [] {},
        [&](std::optional<uint64_t> replaced) {
          CHECK_EQ(replaced.has_value(), ++done == 2);
          if (replaced) CHECK_EQ(*replaced, uint64_t{8});
        });
  };
  const Index::Upserted refused = upsert(8, false);
  CHECK(!refused.stored && refused.refused);
  CHECK_EQ(index.size(), size_t{0});
  CHECK(upsert(8, true).stored);
  CHECK_EQ(done, 1);
  CHECK(upsert(16, false).refused);
  CHECK_EQ(index.Find(5, kAny), std::optional<uint64_t>(8));
  CHECK(upsert(16, true).stored);
  CHECK_EQ(done, 2);
}

TEST(Index, VisitsEveryOffsetOfAShardOnce) {
  EpochDomain epochs;
  Index index(epochs);
  check::Random random(check::Seed());
  std::set<uint64_t> offsets;
  for (uint64_t i = 0; i < 3000; ++i) {
    CHECK(index
              .Upsert(
                  random.Next(), i * 8, [](uint64_t) { return false; }, Numbered(i))
              .stored);
    offsets.insert(i * 8);
  }
  for (size_t shard = 0; shard < Index::kShards; ++shard) {
    index.VisitShard(shard, [&](uint64_t offset, AccessState access_state) {
      CHECK_EQ(access_state.bits(), Numbered(offset / 8).bits());
      CHECK_EQ(offsets.erase(offset), size_t{1});
    });
  }
  CHECK(offsets.empty());
}

}  // namespace zerohop
