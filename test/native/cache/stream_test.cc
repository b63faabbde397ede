#include "cache/stream.h"

#include <optional>
#include <thread>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

struct Fixture {
  Arena* arena;
  std::atomic<uint64_t> clock{1};

  Fixture() {
    Result<Arena*> made = Arena::Create(8 * kSegmentBytesMin, kSegmentBytesMin, MappingKind::kPrivate);
    REQUIRE(made.ok());
    arena = made.value();
  }
  ~Fixture() { arena->Unref(); }
};

}  // namespace

TEST(Stream, AppendsOneEntryBehindTheOther) {
  Fixture f;
  Stream stream(*f.arena, f.clock, 0);
  uint64_t end = 0;
  for (int i = 0; i < 100; ++i) {
    const auto room = stream.Reserve(0, 10, static_cast<size_t>(i) * 9, 0);
    REQUIRE(room.has_value());
    CHECK_EQ(room->entry_at, end);
    CHECK_EQ(room->layout.end, LayOut(end, 0, 10, static_cast<size_t>(i) * 9).end);
    end = room->layout.end;
    stream.Finish(*room);
  }
  CHECK_EQ(f.arena->segment(0).used_bytes, end);
}

TEST(Stream, CountsAWriterUntilItIsFinished) {
  Fixture f;
  Stream stream(*f.arena, f.clock, 0);
  const auto first = stream.Reserve(0, 1, 1, 0), second = stream.Reserve(0, 1, 1, 0);
  const Segment& segment = f.arena->segment(first->segment);
  CHECK_EQ(segment.writers.load(), 2u);
  stream.Finish(*first);
  CHECK_EQ(segment.writers.load(), 1u);
  stream.Finish(*second);
  CHECK_EQ(segment.writers.load(), 0u);
}

TEST(Stream, SealsAFullSegmentAndOpensTheNext) {
  Fixture f;
  Stream stream(*f.arena, f.clock, 0);
  std::vector<uint32_t> segments;
  while (const auto room = stream.Reserve(0, 8, 15000, 1)) {
    const uint64_t start = f.arena->StartOf(room->segment);
    CHECK(room->entry_at >= start && room->layout.end <= start + kSegmentBytesMin);
    if (segments.empty() || segments.back() != room->segment) segments.push_back(room->segment);
    stream.Finish(*room);
  }
  CHECK_EQ(segments.size(), size_t{7});  // one is spare
  CHECK_EQ(f.arena->free_segments(), 1u);
  uint64_t last = 0;
  for (const uint32_t index : segments) {
    CHECK(f.arena->segment(index).state == SegmentState::kSealed);
    CHECK(f.arena->segment(index).sealed_at > last);
    last = f.arena->segment(index).sealed_at;
  }
}

TEST(Stream, TakesAnEntryOfExactlyTheWholeSegment) {
  Fixture f;
  Stream stream(*f.arena, f.clock, 0);
  const size_t value_bytes = kSegmentBytesMin - kCacheLineBytes;
  CHECK_EQ(stream.Reserve(0, 0, value_bytes, 0)->layout.end, kSegmentBytesMin);
  CHECK_EQ(stream.Reserve(0, 0, 0, 0)->segment, 1u);
}

TEST(Stream, OfAnotherScopeHasSegmentsOfItsOwn) {
  Fixture f;
  Stream one(*f.arena, f.clock, 1), two(*f.arena, f.clock, 2);
  for (int i = 0; i < 50; ++i) {
    CHECK_EQ(f.arena->segment(one.Reserve(0, 4, 4, 0)->segment).scope, 1);
    CHECK_EQ(f.arena->segment(two.Reserve(0, 4, 4, 0)->segment).scope, 2);
  }
}

TEST(Stream, SealOpenEndsTheSegmentEarly) {
  Fixture f;
  Stream stream(*f.arena, f.clock, 0);
  stream.SealOpen();
  const uint32_t first = stream.Reserve(0, 4, 4, 0)->segment;
  stream.SealOpen();
  stream.SealOpen();
  CHECK(f.arena->segment(first).state == SegmentState::kSealed);
  CHECK(stream.Reserve(0, 4, 4, 0)->segment != first);
}

TEST(Stream, GivesEveryThreadItsOwnBytes) {
  Fixture f;
  Stream stream(*f.arena, f.clock, 0);
  constexpr int kThreads = 4, kEach = 2000;
  std::vector<std::vector<Reservation>> rooms(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const auto room = stream.Reserve(0, 8, 64, 0);
        if (!room) break;
        std::memset(f.arena->bytes() + room->entry_at, t + 1, room->layout.end - room->entry_at);
        stream.Finish(*room);
        rooms[static_cast<size_t>(t)].push_back(*room);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < kThreads; ++t) {
    CHECK_EQ(rooms[static_cast<size_t>(t)].size(), size_t{kEach});
    for (const Reservation& room : rooms[static_cast<size_t>(t)]) {
      for (uint64_t at = room.entry_at; at < room.layout.end; ++at) CHECK(f.arena->bytes()[at] == std::byte(t + 1));
    }
  }
}

}  // namespace zerohop
