// Work over pieces: all of them are done by whoever has memory, and a lack of it is told.
#include "weights/in_pieces.h"

#include <atomic>
#include <new>
#include <thread>
#include <vector>

#include "check.h"

namespace {

// Of this size alone memory is refused, behind so many times that it is given.
constexpr size_t kScarceBytes = 7 * zerohop::kPieceAlign;
std::atomic<int> given{0};

}  // namespace

void* operator new[](size_t bytes, std::align_val_t align, const std::nothrow_t&) noexcept {
  if (bytes == kScarceBytes && given.fetch_sub(1) <= 0) return nullptr;
  try {
    return ::operator new[](bytes, align);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

namespace zerohop {
namespace {

constexpr uint64_t kPieces = 100;
constexpr unsigned kThreads = 4;

// How often each piece was done, where so many threads get memory.
Status Done(int with_memory, std::vector<std::atomic<int>>* times) {
  given = with_memory;
  return InPieces(kPieces, kThreads, kScarceBytes, [&](uint64_t piece, std::byte* memory) {
    memory[kScarceBytes - 1] = std::byte{1};
    // Until all threads have asked: one alone would be done before the others come.
    while (given > with_memory - static_cast<int>(kThreads)) std::this_thread::yield();
    ++(*times)[piece];
    return Status();
  });
}

}  // namespace

TEST(InPieces, AreAllDoneOnceWhereSomeThreadsGetNoMemory) {
  for (int with_memory = 1; with_memory <= static_cast<int>(kThreads); ++with_memory) {
    std::vector<std::atomic<int>> times(kPieces);
    CHECK(Done(with_memory, &times).ok());
    for (const auto& each : times) CHECK(each == 1);
  }
}

TEST(InPieces, AreAFailureWhereNoThreadGetsMemory) {
  std::vector<std::atomic<int>> times(kPieces);
  CHECK(Done(0, &times).code() == Code::kNoMemory);
  for (const auto& each : times) CHECK(each == 0);
}

TEST(InPieces, EndWithTheFirstFailure) {
  const Status status = InPieces(kPieces, kThreads, 0, [](uint64_t piece, std::byte*) {
    return piece == 7 ? Status(Code::kIo, "seven") : Status();
  });
  CHECK(status.code() == Code::kIo);
  CHECK(InPieces(0, kThreads, 0, [](uint64_t, std::byte*) { return Status(Code::kIo, "none"); }).ok());
}

}  // namespace zerohop
