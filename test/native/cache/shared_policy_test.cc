// How threads tell the policy what they asked for, and that what it has outgrown stays while one may be in it.
#include "cache/shared_policy.h"

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "cache/epoch.h"
#include "cache/session.h"
#include "check.h"

namespace zerohop {
namespace {

constexpr Policy::Options kSmall{.sketch_bytes_min = 4096, .tracker_bytes_min = 4096};

constexpr size_t kBytesMax = size_t{16} << 20;

}  // namespace

TEST(SharedPolicy, TimePassesWhenRequestsAreToldAndNotBefore) {
  EpochDomain epochs;
  SharedPolicy policy(kSmall, epochs, 320, 100, kBytesMax);
  Session session;
  std::atomic<uint16_t> word{policy.Arrive(session, 7).bits()};
  const uint16_t arrived = word.load();
  while (!SharedPolicy::Due(session)) policy.Touch(session, 7, word);
  CHECK_EQ(session.access_buffer.requests, 64u);
  CHECK_EQ(word.load(), arrived);
  CHECK_EQ(policy.now(), 0u);
  policy.Drain(session, {100, 320, true});
  CHECK_EQ(session.access_buffer.requests, 0u);
  CHECK_EQ(session.access_buffer.count, 0u);
  CHECK_EQ(policy.tick_requests(), 10u);
  CHECK_EQ(policy.capacity(), size_t{320});
  CHECK_EQ(policy.now(), 6u);
  policy.Touch(session, 7, word);
  CHECK(word.load() != arrived);
  CHECK_EQ(policy.FrequencyOf(AccessState(word.load())), 2u);
}

TEST(SharedPolicy, NotesNoMoreThanFit) {
  EpochDomain epochs;
  SharedPolicy policy(kSmall, epochs, 320, 100, kBytesMax);
  Session session;
  for (uint64_t hash = 0; hash < 200; ++hash) policy.Arrive(session, hash * 0x9e3779b97f4a7c15u);
  CHECK_EQ(session.access_buffer.count, AccessBuffer::kAccesses);
  CHECK_EQ(session.access_buffer.requests, 200u);
  CHECK(SharedPolicy::Due(session));
}

TEST(SharedPolicy, KeepsAnOutgrownSketchForAsLongAsAThreadMayCountInIt) {
  EpochDomain epochs;
  SharedPolicy policy(kSmall, epochs, 320, 100, kBytesMax);
  Session session;
  EpochRecord reader;
  epochs.Add(&reader);
  epochs.Enter(reader);
  const size_t before = policy.bytes();
  // It says what it will need, and grows when that has been put by.
  policy.Drain(session, {5000, 5000, true});
  const size_t announced = policy.bytes();
  CHECK(announced > before);
  policy.Drain(session, {5000, 5000, false});
  CHECK_EQ(policy.bytes(), announced);
  for (int i = 0; i < 10; ++i) policy.Drain(session, {5000, 5000, true});
  CHECK(policy.bytes() <= announced);
  const size_t with_outgrown = policy.bytes();
  CHECK(with_outgrown > before);
  for (int i = 0; i < 5; ++i) policy.Drain(session, {5000, 5000, true});
  CHECK_EQ(policy.bytes(), with_outgrown);
  EpochDomain::Leave(reader);
  policy.Drain(session, {5000, 5000, true});
  CHECK_EQ(policy.bytes(), with_outgrown - 4096);
  epochs.Remove(&reader);
}

TEST(SharedPolicy, TakesNoMoreThanItMay) {
  EpochDomain epochs;
  SharedPolicy policy(kSmall, epochs, 320, 100, 64 * 1024);
  Session session;
  for (int i = 0; i < 50; ++i) policy.Drain(session, {1000 * 1000, 1000 * 1000, true});
  CHECK(policy.bytes() <= 64 * 1024);
  CHECK(policy.bytes() > 16 * 1024);
}

// The sanitizers watch.
TEST(SharedPolicy, GrowsWhileThreadsCountInIt) {
  EpochDomain epochs;
  SharedPolicy policy(kSmall, epochs, 320, 10, kBytesMax);
  constexpr uint64_t kThreads = 3, kRequests = 20000;
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Session session;
      epochs.Add(&session.record);
      check::Random random(check::Seed() + t);
      for (uint64_t i = 0; i < kRequests; ++i) {
        if (SharedPolicy::Due(session)) policy.Drain(session, {i / 4, 320, true});
        ReadGuard guard(epochs, session);
        const AccessState arrived = policy.Arrive(session, random.Next());
        std::atomic<uint16_t> word{arrived.bits()};
        policy.Touch(session, random.Next(), word);
        const float worth = policy.ReuseRate(AccessState(word.load()));
        wrong += !(worth >= 0 && worth < 1);
      }
      epochs.Remove(&session.record);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(wrong.load(), uint64_t{0});
  CHECK(policy.bytes() >= kRequests / 5 * (16 + 8));
  CHECK(policy.now() > kRequests / 10);
}

}  // namespace zerohop
