// Values and headers that JavaScript wrote to.
#if defined(__linux__)
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "cache/cache.h"
#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::CheckCountsAgree;
using testing::Client;
using testing::Filled;
using testing::MakeCache;
using testing::Numbered;

#if defined(__linux__)
// True if `body` ends well (it uses REQUIRE only); it runs in a process of its own, so that a crash is a failure like
// any other.
template <class Body>
bool Survives(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      body();
    } catch (const check::Ended&) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// A cache with an entry that ends, so that upkeep looks for ends; and whose last segment is the open one, filled up to
// the last `left` bytes; what follows the arena is not mapped.
std::unique_ptr<Cache> FilledToTheEnd(std::unique_ptr<Client>& client, size_t left) {
  auto cache = MakeCache();
  client = std::make_unique<Client>(*cache);
  constexpr size_t kEach = 4096;  // 32 a segment
  uint64_t number = 0;
  const auto key_of = [](uint64_t i, size_t bytes) {
    std::string key = Filled("k", bytes - sizeof(EntryHeader));
    std::memcpy(key.data(), &i, sizeof(i));
    return key;
  };
  // The free list is a stack: its bottom, the last segment, is only taken as part of a run.
  client->SetUntil(testing::InAnHourUs(), key_of(number++, kEach - sizeof(EntryExtension)), "");
  for (; number < 6 * 32; ++number) client->Set(key_of(number, kEach), "");
  for (uint64_t i = 32; i < 64; ++i) client->Delete(key_of(i, kEach));
  for (uint64_t i = 96; i < 128; ++i) client->Delete(key_of(i, kEach));
  cache->Maintain(false);
  client->Set("run", Filled("v", 150000));
  REQUIRE(client->Locate("run").value_or(Hit{}).segment == 6);
  client->Delete("run");
  cache->Maintain(false);
  for (int i = 0; i < 31; ++i) client->Set(key_of(number++, kEach), "");
  client->Set(key_of(number++, kEach - left), "", 0, {});
  void* const end = cache->arena().bytes() + kMaxBytesMin;
  const void* const got = ::mmap(end, kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (got != end) std::printf("(something is mapped behind the arena already)\n");
  return cache;
}
#endif

}  // namespace

TEST(Cache, NoticesAChangedValueInATaintedSegmentAtTheNextHit) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("value", 1000)), SetOutcome::kStored);
  const auto view = client.Expose("key");
  REQUIRE(view.has_value());
  view->data()[500] ^= std::byte{1};
  cache->Taint(view->segment());
  CHECK(!client.Get("key"));
  CHECK(!client.Has("key"));
  CHECK_EQ(client.Counted(Count::kCorrupted), uint64_t{1});
  CheckCountsAgree(*cache);
}

TEST(Cache, NoticesAChangedValueBySamplingSoonerOrLater) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("value", 1000)), SetOutcome::kStored);
  const auto view = client.Expose("key");
  REQUIRE(view.has_value());
  view->data()[0] ^= std::byte{0x80};
  int hits = 0;
  while (hits < 1000 && client.Get("key")) ++hits;
  CHECK(hits < 1000);
  CHECK_EQ(client.Counted(Count::kCorrupted), uint64_t{1});
}

TEST(Cache, DoesNotLookAtChecksumsWhenVerifyingIsOff) {
  const auto cache = MakeCache(kMaxBytesMin, Verify::kOff);
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("value", 1000)), SetOutcome::kStored);
  const auto view = client.Expose("key");
  REQUIRE(view.has_value());
  view->data()[0] ^= std::byte{1};
  cache->Taint(view->segment());
  for (int i = 0; i < 1000; ++i) CHECK(client.Get("key").has_value());
}

#if defined(__linux__)
TEST(Cache, InTrapModeShowsAnotherMappingAndComparesEveryHit) {
  const auto cache = MakeCache(kMaxBytesMin, Verify::kTrap);
  Client client(*cache);
  CHECK_EQ(client.Set("key", Filled("value", 1000)), SetOutcome::kStored);
  const auto hit = client.Locate("key");
  const auto view = client.Expose("key");
  REQUIRE(hit.has_value() && view.has_value());
  CHECK(view->data() != cache->arena().bytes() + hit->at);
  CHECK(view->shown() == Filled("value", 1000));
  cache->arena().bytes()[hit->at + 999] ^= std::byte{1};
  CHECK(!client.Get("key"));
  CHECK_EQ(client.Counted(Count::kCorrupted), uint64_t{1});
}

TEST(Cache, InTrapModeEvictsAndRefillsLikeAnyOther) {
  const auto cache = MakeCache(kMaxBytesMin, Verify::kTrap);
  Client client(*cache);
  for (int i = 0; i < 3000; ++i) {
    CHECK_EQ(client.Set(Numbered("key", i), Filled(Numbered("v", i), 2000)), SetOutcome::kStored);
    CHECK(client.Get(Numbered("key", i)) == Filled(Numbered("v", i), 2000));
  }
  CHECK_EQ(client.Counted(Count::kCorrupted), uint64_t{0});
}
#endif

TEST(Cache, CorruptedHeadersCannotCrashEviction) {
  check::Random random(check::Seed());
  for (int round = 0; round < 20; ++round) {
    const auto cache = MakeCache();
    Client client(*cache);
    for (int i = 0; i < 6000; ++i) {
      const std::string key = Numbered("key", static_cast<int>(random.Below(800)));
      switch (random.Below(8)) {
        case 0: {
          // Headers lie before the value in the buffer that the view belongs to.
          const auto view = client.Expose(key);
          if (!view) break;
          std::byte* const segment = cache->arena().bytes() + cache->arena().StartOf(view->segment());
          const size_t word = random.Below(cache->arena().segment_bytes() / 8);
          const uint64_t bits = random.OneIn(4) ? ~uint64_t{0} : random.Next();
          std::memcpy(segment + word * 8, &bits, 8);
          if (!random.OneIn(3)) break;
          const auto hit = client.Locate(key);
          if (hit && hit->segment == view->segment()) {
            const uint32_t length = static_cast<uint32_t>(random.Next());
            std::memcpy(cache->arena().bytes() + hit->entry_at, &length, sizeof(length));
          }
          break;
        }
        case 1: client.Delete(key); break;
        case 2: client.Get(key); break;
        default: client.Set(key, Filled("v", random.OneIn(40) ? 40000 : random.Below(2000)));
      }
    }
    cache->Clear();
    cache->Maintain(true);
    CHECK_EQ(cache->Usage().entries, size_t{0});
    CHECK_EQ(cache->Usage().free_segments, cache->Usage().segments);
    CheckCountsAgree(*cache);
  }
}

#if defined(__linux__)
// Such an entry is in the index under a hash that its key has no more.
TEST(Cache, AnEntryWhoseKeyWasWrittenOverDoesNotKeepTheLimitOfEntriesFromBeingReached) {
  const bool survived = Survives([] {
    ::alarm(20);  // a set that never returns is a failure
    const auto cache = MakeCache(kMaxBytesMin, Verify::kSample, 1);
    Client client(*cache);
    REQUIRE(client.Set("key", "value") == SetOutcome::kStored);
    const auto view = client.Expose("key");
    REQUIRE(view.has_value());
    for (int i = 1; i <= 8; ++i) view->data()[-i] ^= std::byte{1};  // the key lies before the value
    REQUIRE(!client.Has("key"));
    for (int i = 0; i < 10; ++i) REQUIRE(client.Set(Numbered("other", i), "value") == SetOutcome::kStored);
    REQUIRE(client.Has("other9"));
  });
  CHECK(survived);
}
#endif

TEST(Cache, TouchingAnEntryWhoseHeaderClaimsASegmentCostsNothingElse) {
  const auto cache = MakeCache();
  Client client(*cache);
  CHECK_EQ(client.Set("key", "v"), SetOutcome::kStored);  // at the start of its segment
  for (int i = 0; i < 50; ++i) CHECK_EQ(client.Set(Numbered("other", i), Filled("v", 1000)), SetOutcome::kStored);
  const auto hit = client.Locate("key");
  REQUIRE(hit.has_value());
  const auto claimed = static_cast<uint32_t>(cache->arena().segment_bytes() - 2 * kCacheLineBytes);
  std::memcpy(cache->arena().bytes() + hit->entry_at, &claimed, sizeof(claimed));
  client.Touch("key", testing::InAnHourUs());
  for (int i = 0; i < 50; ++i) CHECK(client.Has(Numbered("other", i)));
}

#if defined(__linux__)
// Lengths in a header may claim more than there is: of the segment, and of the arena.

TEST(Cache, UpkeepReadsNoEndBeyondTheArenaWhateverAHeaderSays) {
  const bool survived = Survives([] {
    std::unique_ptr<Client> client;
    const auto cache = FilledToTheEnd(client, sizeof(EntryHeader));
    REQUIRE(client->Set("", "") == SetOutcome::kStored);
    const auto hit = client->Locate("");
    REQUIRE(hit && hit->entry_at + sizeof(EntryHeader) == kMaxBytesMin);
    EntryHeader header;
    std::memcpy(&header, cache->arena().bytes() + hit->entry_at, sizeof(header));
    header.bits |= 15u << EntryHeader::kWordsShift;
    std::memcpy(cache->arena().bytes() + hit->entry_at, &header, sizeof(header));
    testing::Settle(*cache);
    client->Get("");
    for (size_t shard = 0; shard < Index::kShards; ++shard) cache->Scan(client->session(), shard, 0);
    cache->Clear();
    client.reset();  // before its cache
  });
  CHECK(survived);
}

// The entry is gone from the index with its header, and cannot say any more which tags it had.
TEST(Cache, UpkeepFindsTheTagsOfEntriesThatWereWrittenOver) {
  const auto cache = MakeCache();
  Client client(*cache);
  for (uint64_t i = 0; i < 2000; ++i) {
    const std::string tag = Numbered("user:", i);
    CHECK_EQ(client.SetTagged({tag, "all"}, Numbered("key", i), "v"), SetOutcome::kStored);
    const auto hit = client.Locate(Numbered("key", i));
    REQUIRE(hit.has_value());
    const uint64_t others = 0x0000000100000000u;  // the numbers 0 and 1, which are other entries'
    std::memcpy(cache->arena().bytes() + hit->entry_at + sizeof(EntryHeader) + sizeof(EntryExtension), &others,
                sizeof(others));
  }
  const size_t before = cache->Usage().index_bytes;
  for (uint64_t i = 0; i < 2000; ++i) CHECK(client.Delete(Numbered("key", i)));
  CHECK_EQ(client.SetTagged({"all"}, "last", "v"), SetOutcome::kStored);
  testing::Settle(*cache);
  CHECK(before - cache->Usage().index_bytes >= 3900 * 32 - (size_t{32} << 10));
  CHECK_EQ(client.DeleteByTag("all"), size_t{1});
  CheckCountsAgree(*cache);
}

TEST(Cache, DeletingByTagReadsNoTagsBeyondTheArenaWhateverAHeaderSays) {
  const bool survived = Survives([] {
    std::unique_ptr<Client> client;
    const size_t bytes = sizeof(EntryHeader) + ExtensionWords(2) * 8;
    const auto cache = FilledToTheEnd(client, bytes);
    REQUIRE(client->SetTagged({"another", "tag"}, "", "") == SetOutcome::kStored);
    const auto hit = client->Locate("");
    REQUIRE(hit && hit->entry_at + bytes == kMaxBytesMin);
    std::byte* const at = cache->arena().bytes() + hit->entry_at;
    EntryHeader header;
    std::memcpy(&header, at, sizeof(header));
    header.bits |= 15u << EntryHeader::kWordsShift;
    std::memcpy(at, &header, sizeof(header));
    const uint32_t most = kTagsMax;
    const uint64_t others = ~uint64_t{0};
    std::memcpy(at + sizeof(header) + offsetof(EntryExtension, tag_count), &most, sizeof(most));
    std::memcpy(at + sizeof(header) + sizeof(EntryExtension), &others, sizeof(others));
    client->DeleteByTag("tag");
    cache->Clear();
    client.reset();  // before its cache
  });
  CHECK(survived);
}
#endif

}  // namespace zerohop
