#include "cache/entry.h"

#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

// An arena of its own on the heap, so that AddressSanitizer sees a read beyond it.
class FakeArena {
 public:
  explicit FakeArena(size_t bytes) : data_(new std::byte[bytes]()), bytes_(bytes) {}
  std::byte* data() { return data_.get(); }
  void Put(uint64_t at, const EntryHeader& header) { std::memcpy(data_.get() + at, &header, sizeof(header)); }
  std::optional<Entry> Read(uint64_t at, uint64_t limit) const { return ReadEntry(data_.get(), at, limit); }
  std::optional<Entry> Read(uint64_t at) const { return Read(at, bytes_); }

 private:
  std::unique_ptr<std::byte[]> data_;
  size_t bytes_;
};

}  // namespace

TEST(EntryLayout, KeepsItsPartsInOrderAndAligned) {
  check::Random random(check::Seed());
  for (int i = 0; i < 20000; ++i) {
    const uint64_t at = random.Below(1 << 20) * kEntryAlignBytes;
    const size_t key_bytes = random.Below(random.OneIn(8) ? kKeyBytesMax + 1 : 40);
    const size_t value_bytes = random.Below(random.OneIn(4) ? 100000 : 600);
    const EntryLayout layout = LayOut(at, 0, key_bytes, value_bytes);
    CHECK_EQ(layout.key_at, at + sizeof(EntryHeader));
    CHECK(layout.value_at >= layout.key_at + key_bytes);
    CHECK(layout.end >= layout.value_at + value_bytes);
    CHECK_EQ(layout.value_at % (value_bytes >= kWideValueBytes ? kCacheLineBytes : kEntryAlignBytes), uint64_t{0});
    CHECK_EQ(layout.end % kEntryAlignBytes, uint64_t{0});
    CHECK(layout.end - at <= EntryBytesMax(0, key_bytes, value_bytes));
  }
}

TEST(EntryLayout, CostsAtMostThirtyBytesBeyondASmallValueAndItsKey) {
  for (size_t key_bytes = 0; key_bytes < 64; ++key_bytes) {
    for (size_t value_bytes = 0; value_bytes < kWideValueBytes; ++value_bytes) {
      CHECK(LayOut(0, 0, key_bytes, value_bytes).end <= sizeof(EntryHeader) + key_bytes + value_bytes + 14);
    }
  }
}

TEST(ReadEntry, GivesBackWhatWasWritten) {
  FakeArena arena(4096);
  arena.Put(64, {300, 0x1234, 5, 7, 0});
  const std::optional<Entry> entry = arena.Read(64);
  REQUIRE(entry.has_value());
  CHECK_EQ(entry->header.value_bytes, 300u);
  CHECK_EQ(entry->header.checksum, 0x1234u);
  CHECK_EQ(entry->header.key_bytes, 5);
  CHECK_EQ(entry->header.space, 7);
  CHECK_EQ(entry->layout.value_at, uint64_t{128});
}

TEST(ReadEntry, AcceptsAnEntryThatEndsExactlyAtTheLimit) {
  FakeArena arena(4096);
  arena.Put(0, {100, 0, 12, 0, 0});
  const uint64_t end = LayOut(0, 0, 12, 100).end;
  CHECK(arena.Read(0, end).has_value());
  CHECK(!arena.Read(0, end - 1).has_value());
}

TEST(ReadEntry, RejectsAHeaderCutByTheLimit) {
  FakeArena arena(64);
  CHECK(arena.Read(48).has_value());
  CHECK(!arena.Read(56).has_value());
  CHECK(!arena.Read(64).has_value());
}

TEST(ReadEntry, RejectsAValueThatClaimsToReachBeyondTheLimit) {
  FakeArena arena(4096);
  for (const uint32_t bytes : {4096u, 4081u, 0x7fffffffu, 0x80000000u, 0xfffffff8u, 0xffffffffu}) {
    arena.Put(0, {bytes, 0, 0, 0, 0});
    CHECK(!arena.Read(0).has_value());
  }
}

TEST(ReadEntry, RejectsAKeyThatClaimsToReachBeyondTheLimit) {
  FakeArena arena(4096);
  arena.Put(0, {0, 0, 65535, 0, 0});
  CHECK(!arena.Read(0).has_value());
  arena.Put(4000, {0, 0, 88, 0, 0});
  CHECK(!arena.Read(4000).has_value());
  arena.Put(4000, {0, 0, 80, 0, 0});
  CHECK(arena.Read(4000).has_value());
}

TEST(ReadEntry, NeverPointsOutsideItsLimitWhateverTheHeaderSays) {
  check::Random random(check::Seed());
  FakeArena arena(8192);
  for (int i = 0; i < 100000; ++i) {
    const uint64_t at = random.Below(8192 / 8) * 8, limit = random.Below(8193);
    EntryHeader header;
    const uint64_t words[2] = {random.Next(), random.Next()};
    std::memcpy(&header, words, sizeof(header));
    if (random.OneIn(2)) header.value_bytes &= 0x1fff;
    if (random.OneIn(2)) header.key_bytes &= 0xff;
    if (at + sizeof(header) <= 8192) arena.Put(at, header);
    const std::optional<Entry> entry = arena.Read(at, limit);
    if (!entry) continue;
    CHECK(entry->layout.end <= limit);
    CHECK(entry->layout.end > at);
    Intact(arena.data(), *entry);  // reads the value: AddressSanitizer watches
  }
}

TEST(Intact, NoticesAChangedByteOfTheValue) {
  FakeArena arena(1024);
  std::memset(arena.data() + 128, 0x42, 500);
  const EntryLayout layout = LayOut(64, 0, 3, 500);
  REQUIRE(layout.value_at == 128);
  arena.Put(64, {500, Checksum(arena.data() + 128, 500), 3, 0, 0});
  CHECK(Intact(arena.data(), *arena.Read(64)));
  arena.data()[400] ^= std::byte{1};
  CHECK(!Intact(arena.data(), *arena.Read(64)));
}

// Extensions.

TEST(EntryLayout, LeavesRoomForAnExtensionBeforeTheKey) {
  check::Random random(check::Seed());
  for (int i = 0; i < 20000; ++i) {
    const uint64_t at = random.Below(1 << 20) * kEntryAlignBytes;
    const auto words = static_cast<uint32_t>(random.Below(16));
    const size_t key_bytes = random.Below(40), value_bytes = random.Below(600);
    const EntryLayout layout = LayOut(at, words, key_bytes, value_bytes);
    CHECK_EQ(layout.key_at, at + sizeof(EntryHeader) + words * 8);
    CHECK(layout.value_at >= layout.key_at + key_bytes);
    CHECK_EQ(layout.value_at % (value_bytes >= kWideValueBytes ? kCacheLineBytes : kEntryAlignBytes), uint64_t{0});
    CHECK(layout.end - at <= EntryBytesMax(words, key_bytes, value_bytes));
  }
}

TEST(EntryExtension, TakesWordsForItselfAndTwoTagsEach) {
  CHECK_EQ(ExtensionWords(0), 2u);
  CHECK_EQ(ExtensionWords(1), 3u);
  CHECK_EQ(ExtensionWords(2), 3u);
  CHECK_EQ(ExtensionWords(3), 4u);
  CHECK_EQ(ExtensionWords(kTagsMax), 10u);
  for (size_t tags = 0; tags <= kTagsMax; ++tags) {
    CHECK(ExtensionWords(tags) * 8 >= sizeof(EntryExtension) + tags * sizeof(uint32_t));
    CHECK(ExtensionWords(tags) * 8 < sizeof(EntryExtension) + tags * sizeof(uint32_t) + 8);
  }
}

TEST(EntryHeader, KeepsItsThreeNumbersApart) {
  for (const uint32_t words : {0u, 2u, 10u, 15u}) {
    for (const uint32_t is_bytes : {0u, EntryHeader::kKeyIsBytes}) {
      for (const uint32_t written : {0u, 1u, EntryHeader::kWrittenMax}) {
        const EntryHeader header{0, 0, 0, 0, words << EntryHeader::kWordsShift | is_bytes | written};
        CHECK_EQ(header.extension_words(), words);
        CHECK_EQ(header.key_is_bytes(), is_bytes != 0);
        CHECK_EQ(header.written(), written);
      }
    }
  }
}

namespace {

// Puts an entry with an extension at `at`; `tags` behind it.
void PutExtended(FakeArena& arena, uint64_t at, uint32_t words, const EntryExtension& extension,
                 const std::vector<uint32_t>& tags) {
  arena.Put(at, {0, 0, 0, 0, words << EntryHeader::kWordsShift});
  std::memcpy(arena.data() + at + sizeof(EntryHeader), &extension, sizeof(extension));
  if (!tags.empty()) {
    std::memcpy(arena.data() + at + sizeof(EntryHeader) + sizeof(extension), tags.data(),
                tags.size() * sizeof(uint32_t));
  }
}

}  // namespace

TEST(EntryExtension, GivesBackEndCostAndTags) {
  FakeArena arena(1024);
  const std::vector<uint32_t> tags{7, 0, 0xffffffffu};
  PutExtended(arena, 64, ExtensionWords(3), {12345, 2.5f, 3}, tags);
  const std::optional<Entry> entry = arena.Read(64);
  REQUIRE(entry.has_value());
  CHECK_EQ(ExpiresUs(arena.data(), 64, entry->header), uint64_t{12345});
  CHECK_EQ(CostOf(arena.data(), 64, entry->header), 2.5f);
  const TagIds ids = TagsOf(arena.data(), 64, entry->header);
  CHECK(std::vector<uint32_t>(ids.begin(), ids.end()) == tags);
  ExpiryWord(arena.data(), 64).store(678);
  CHECK_EQ(ExpiresUs(arena.data(), 64, entry->header), uint64_t{678});
}

TEST(EntryExtension, IsNotReadWhereThereIsNone) {
  FakeArena arena(64);
  std::memset(arena.data(), 0xff, 64);
  arena.Put(48, {0, 0, 0, 0, 0});  // ends with the arena: AddressSanitizer watches
  const std::optional<Entry> entry = arena.Read(48);
  REQUIRE(entry.has_value());
  CHECK_EQ(ExpiresUs(arena.data(), 48, entry->header), kNever);
  CHECK_EQ(CostOf(arena.data(), 48, entry->header), 0.0f);
  CHECK(TagsOf(arena.data(), 48, entry->header).empty());
}

TEST(EntryExtension, IsRejectedWhereItClaimsToReachBeyondTheLimit) {
  FakeArena arena(64);
  for (uint32_t words = 0; words < 16; ++words) {
    arena.Put(0, {0, 0, 0, 0, words << EntryHeader::kWordsShift});
    // One word is less than any extension has.
    CHECK_EQ(arena.Read(0).has_value(), words <= 6 && words != 1);
    CHECK_EQ(arena.Read(0, 24).has_value(), words == 0);
  }
}

TEST(EntryExtension, TagsThatAreMoreThanItHasRoomForAreNone) {
  for (uint32_t words = 0; words < 16; ++words) {
    for (const uint32_t count : {0u, 1u, 2u, 3u, 16u, 17u, 26u, 27u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
      FakeArena arena(sizeof(EntryHeader) + size_t{words} * 8);
      if (words >= 2) {
        PutExtended(arena, 0, words, {0, 0, count}, {});
      } else {
        arena.Put(0, {0, 0, 0, 0, words << EntryHeader::kWordsShift});
      }
      const std::optional<Entry> entry = arena.Read(0);
      CHECK_EQ(entry.has_value(), words != 1 && words <= kExtensionWordsMax);
      if (!entry) continue;
      const TagIds ids = TagsOf(arena.data(), 0, entry->header);
      const bool fits = words > 2 && count <= kTagsMax && sizeof(EntryExtension) + count * 4 <= words * 8;
      CHECK_EQ(ids.size(), fits ? size_t{count} : size_t{0});
      for (const uint32_t id : ids) CHECK_EQ(id, 0u);  // reads them
    }
  }
}

TEST(EntryExtension, OfOneWordIsNoExtension) {
  // No one writes such an entry; a header that was written over may claim it.
  FakeArena arena(sizeof(EntryHeader) + 8);
  arena.Put(0, {0, 0, 0, 0, 1u << EntryHeader::kWordsShift});
  CHECK(!arena.Read(0).has_value());
}

}  // namespace zerohop
