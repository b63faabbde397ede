#include "cache/epoch.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/process_fence.h"
#include "cache/session.h"
#include "check.h"

namespace zerohop {
namespace {

using Fence = EpochDomain::Fence;
constexpr Fence kFences[] = {Fence::kBestAvailable, Fence::kLocked};

// Readers look at what `current` shows; the remover puts something else there and, once the epoch has passed, destroys
// what was there before.  A reader that sees a destroyed thing was not waited for.  (The sanitizers see it too.)
// For half a second at most: each removal waits for readers that a busy machine may have taken off their cores.
void RemoveUnderReaders(Fence fence, uint64_t removals) {
  struct Thing {
    uint64_t first, second;
  };
  constexpr uint64_t kDead = 0xdeadbeef;
  EpochDomain epochs(fence);
  std::atomic<Thing*> current{new Thing{1, 1}};
  std::atomic<bool> done{false};
  std::atomic<uint64_t> dead_seen{0}, looks{0};
  std::atomic<int> ready{0};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&, reader] {
      EpochRecord record;
      epochs.Add(&record);
      uint64_t wrong = 0, looked = 0;
      ++ready;
      for (; looked == 0 || !done.load(std::memory_order_relaxed); ++looked) {
        epochs.Enter(record);
        const Thing* const thing = current.load(std::memory_order_acquire);
        const uint64_t first = thing->first;
        // Some stay longer.
        if (reader == 0) std::this_thread::yield();
        wrong += first == kDead || thing->second != first;
        EpochDomain::Leave(record);
      }
      epochs.Remove(&record);
      dead_seen += wrong;
      looks += looked;
    });
  }
  while (ready.load() < static_cast<int>(readers.size())) std::this_thread::yield();
  const uint64_t end_us = NowUs() + 500000;
  for (uint64_t i = 2; i < removals + 2 && NowUs() < end_us; ++i) {
    Thing* const old = current.exchange(new Thing{i, i}, std::memory_order_acq_rel);
    const uint64_t epoch = epochs.Advance();
    while (!epochs.Passed(epoch)) std::this_thread::yield();
    old->first = kDead;
    old->second = kDead + 1;
    delete old;
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  delete current.load();
  CHECK_EQ(dead_seen.load(), uint64_t{0});
  CHECK(looks.load() > 0);
}

}  // namespace

TEST(EpochDomain, PassesAtOnceWithoutReaders) {
  for (const Fence fence : kFences) {
    EpochDomain epochs(fence);
    CHECK(epochs.Passed(epochs.Advance()));
  }
}

TEST(EpochDomain, WaitsForAReaderThatEnteredBefore) {
  for (const Fence fence : kFences) {
    EpochDomain epochs(fence);
    EpochRecord reader;
    epochs.Add(&reader);
    epochs.Enter(reader);
    const uint64_t epoch = epochs.Advance();
    CHECK(!epochs.Passed(epoch));
    EpochDomain::Leave(reader);
    CHECK(epochs.Passed(epoch));
  }
}

TEST(EpochDomain, DoesNotWaitForAReaderThatEnteredAfter) {
  for (const Fence fence : kFences) {
    EpochDomain epochs(fence);
    EpochRecord reader;
    epochs.Add(&reader);
    const uint64_t epoch = epochs.Advance();
    epochs.Enter(reader);
    CHECK(epochs.Passed(epoch));
    CHECK(!epochs.Passed(epochs.Advance()));
  }
}

TEST(EpochDomain, WaitsForTheSlowestOfManyReaders) {
  for (const Fence fence : kFences) {
    EpochDomain epochs(fence);
    EpochRecord readers[3];
    uint64_t asked[3];
    for (int i = 0; i < 3; ++i) {
      epochs.Add(&readers[i]);
      epochs.Enter(readers[i]);
      asked[i] = epochs.Advance();
    }
    EpochDomain::Leave(readers[1]);
    EpochDomain::Leave(readers[2]);
    for (const uint64_t epoch : asked) CHECK(!epochs.Passed(epoch));
    EpochDomain::Leave(readers[0]);
    for (const uint64_t epoch : asked) CHECK(epochs.Passed(epoch));
  }
}

TEST(EpochDomain, ForgetsARecordThatWasRemoved) {
  for (const Fence fence : kFences) {
    EpochDomain epochs(fence);
    EpochRecord stays, goes;
    epochs.Add(&stays);
    epochs.Add(&goes);
    epochs.Remove(&goes);
    goes.entered = 1;  // stands for memory that is something else by now
    CHECK(epochs.Passed(epochs.Advance()));
  }
}

TEST(EpochDomain, TellsTheOldestReader) {
  for (const Fence fence : kFences) {
    EpochDomain epochs(fence);
    EpochRecord early, late;
    epochs.Add(&early);
    epochs.Add(&late);
    CHECK_EQ(epochs.OldestReader(), UINT64_MAX);
    epochs.Enter(early);
    const uint64_t first = epochs.OldestReader();
    const uint64_t next = epochs.Advance();
    epochs.Enter(late);
    CHECK(first < next);
    CHECK_EQ(epochs.OldestReader(), first);
    EpochDomain::Leave(early);
    CHECK_EQ(epochs.OldestReader(), next);
    epochs.Enter(early);  // again, later
    EpochDomain::Leave(late);
    CHECK_EQ(epochs.OldestReader(), next);
    EpochDomain::Leave(early);
    CHECK_EQ(epochs.OldestReader(), UINT64_MAX);
  }
}

TEST(EpochDomain, UsesTheProcessFenceWhereItIsThereUnlessToldNotTo) {
  CHECK(!EpochDomain(Fence::kLocked).reclaimer_fences());
  CHECK_EQ(EpochDomain(Fence::kBestAvailable).reclaimer_fences(), ProcessFenceAvailable());
}

TEST(EpochDomain, NothingIsDestroyedThatAReaderLooksAtWithTheBestFence) {
  RemoveUnderReaders(Fence::kBestAvailable, 5000);
}

TEST(EpochDomain, NothingIsDestroyedThatAReaderLooksAtWithLockedInstructions) {
  RemoveUnderReaders(Fence::kLocked, 5000);
}

TEST(EpochDomain, ReadersComeAndGoWhileOthersWait) {
  for (const Fence fence : kFences) {
    EpochDomain epochs(fence);
    std::atomic<bool> done{false};
    std::vector<std::thread> readers;
    for (int reader = 0; reader < 2; ++reader) {
      readers.emplace_back([&] {
        while (!done.load()) {
          EpochRecord record;
          epochs.Add(&record);
          epochs.Enter(record);
          EpochDomain::Leave(record);
          epochs.Remove(&record);
        }
      });
    }
    const uint64_t end_us = NowUs() + 300000;
    for (int i = 0; i < 2000 && NowUs() < end_us; ++i) {
      const uint64_t epoch = epochs.Advance();
      while (!epochs.Passed(epoch)) std::this_thread::yield();
    }
    done = true;
    for (std::thread& reader : readers) reader.join();
    CHECK_EQ(epochs.OldestReader(), UINT64_MAX);
  }
}

TEST(ReadGuard, IsInTheEpochForAsLongAsItLives) {
  EpochDomain epochs;
  Session session;
  epochs.Add(&session.record);
  uint64_t epoch;
  {
    ReadGuard guard(epochs, session);
    epoch = epochs.Advance();
    CHECK(!epochs.Passed(epoch));
  }
  CHECK(epochs.Passed(epoch));
}

}  // namespace zerohop
