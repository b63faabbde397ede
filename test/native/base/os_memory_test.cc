#include "base/os_memory.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "base/constants.h"
#include "check.h"

namespace zerohop {
namespace {

constexpr size_t kBytes = size_t{1} << 20;

bool AllAre(const std::byte* data, size_t bytes, int value) {
  return std::all_of(data, data + bytes, [value](std::byte each) { return each == std::byte(value); });
}

Mapping Reserved(MappingKind kind, size_t bytes = kBytes, size_t alignment = kSegmentBytesMin) {
  Result<Mapping> mapping = Mapping::Reserve(bytes, alignment, kind);
  REQUIRE(mapping.ok());
  return std::move(mapping.value());
}

uint64_t HugeBytes(const std::byte* at, size_t bytes) {
  const std::span<const std::byte> range(at, bytes);
  return BytesInHugePages({&range, 1});
}

// Volatile: to be stored before the volatile write that faults.
volatile uintptr_t expected_fault = 0;

// Written for a forked child: 0 if writing to the readable side faults at just that address.
int WriteToReadableSide() {
  struct sigaction action = {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = [](int, siginfo_t* info, void*) {
    ::_exit(reinterpret_cast<uintptr_t>(info->si_addr) == expected_fault ? 0 : 2);
  };
  ::sigaction(SIGSEGV, &action, nullptr);
  ::sigaction(SIGBUS, &action, nullptr);
  Result<Mapping> mapping = Mapping::Reserve(kBytes, kSegmentBytesMin, MappingKind::kMirrored);
  if (!mapping.ok()) return 3;
  mapping.value().writable()[5] = std::byte{7};
  if (mapping.value().readable()[5] != std::byte{7}) return 4;
  volatile std::byte* const target = mapping.value().readable() + 5;
  expected_fault = reinterpret_cast<uintptr_t>(target);
  *target = std::byte{8};
  return 5;  // the write went through
}

}  // namespace

TEST(Mapping, IsAlignedZeroedAndCostsNothingUntilTouched) {
  for (const MappingKind kind : {MappingKind::kPrivate, MappingKind::kMirrored}) {
    const Mapping mapping = Reserved(kind, 4 * kHugePageBytes, kHugePageBytes);
    CHECK_EQ(reinterpret_cast<uintptr_t>(mapping.writable()) % kHugePageBytes, size_t{0});
    CHECK_EQ(reinterpret_cast<uintptr_t>(mapping.readable()) % kHugePageBytes, size_t{0});
    CHECK_EQ(mapping.ResidentBytes(), size_t{0});
    CHECK(AllAre(mapping.readable(), mapping.bytes(), 0));
  }
}

TEST(Mapping, DecommitGivesThePagesBackAndTheyReadAsZeros) {
  for (const MappingKind kind : {MappingKind::kPrivate, MappingKind::kMirrored}) {
    const Mapping mapping = Reserved(kind);
    std::memset(mapping.writable(), 0x5a, kBytes);
    CHECK_EQ(mapping.ResidentBytes(), kBytes);
    mapping.Decommit(kSegmentBytesMin, 2 * kSegmentBytesMin);
    CHECK_EQ(mapping.ResidentBytes(), kBytes - 2 * kSegmentBytesMin);
    CHECK(AllAre(mapping.readable(), kSegmentBytesMin, 0x5a));
    CHECK(AllAre(mapping.readable() + kSegmentBytesMin, 2 * kSegmentBytesMin, 0));
    CHECK(AllAre(mapping.readable() + 3 * kSegmentBytesMin, kBytes - 3 * kSegmentBytesMin, 0x5a));
    std::memset(mapping.writable() + kSegmentBytesMin, 0x21, kSegmentBytesMin);
    CHECK(AllAre(mapping.readable() + kSegmentBytesMin, kSegmentBytesMin, 0x21));
  }
}

TEST(Mapping, PrivateHasOneAddressForBothSides) {
  const Mapping mapping = Reserved(MappingKind::kPrivate);
  CHECK(mapping.writable() == mapping.readable());
}

#if defined(__linux__)
TEST(Mapping, MirroredShowsWritesAtASecondAddress) {
  const Mapping mapping = Reserved(MappingKind::kMirrored);
  CHECK(mapping.writable() != mapping.readable());
  for (size_t at = 0; at < kBytes; at += 997) {
    mapping.writable()[at] = std::byte(at & 0xff);
    CHECK(mapping.readable()[at] == std::byte(at & 0xff));
  }
}

TEST(Mapping, MirroredFaultsWhenTheReadableSideIsWritten) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(WriteToReadableSide());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 0);
}
#endif

#if defined(__linux__)
TEST(BytesInHugePages, AreNoMoreThanTheRangeHasAndThoseOfItsPartsNoMoreThanAll) {
  constexpr size_t kSize = 4 * kHugePageBytes;
  auto* const at = static_cast<std::byte*>(MapZerosInHugePages(kSize));
  REQUIRE(at != nullptr);
  std::memset(at, 1, kSize);
  CHECK(HugeBytes(at, kSize) <= kSize);
  CHECK(HugeBytes(at, kPageBytes) <= kPageBytes);
  CHECK_EQ(HugeBytes(at + kSize, 0), uint64_t{0});
  Unmap(at, kSize);
  CHECK_EQ(HugeBytes(at, kSize), uint64_t{0});
}

TEST(BytesInHugePages, CountsAHugePageOnceHoweverManyRangesItsMappingHas) {
  auto* const at = static_cast<std::byte*>(MapZerosInHugePages(4 * kHugePageBytes));
  REQUIRE(at != nullptr);
  std::memset(at, 1, kHugePageBytes);
  std::vector<std::span<const std::byte>> parts;
  for (size_t i = 0; i < 4; ++i) parts.emplace_back(at + i * kHugePageBytes, kHugePageBytes);
  CHECK_EQ(BytesInHugePages(parts), HugeBytes(at, 4 * kHugePageBytes));
  CHECK_EQ(BytesInHugePages({}), uint64_t{0});
  Unmap(at, 4 * kHugePageBytes);
}

TEST(MapZerosInHugePages, IsAlignedWhateverItsLength) {
  for (const size_t bytes : {kHugePageBytes, kHugePageBytes + 1, 3 * kHugePageBytes - 5000}) {
    auto* const at = static_cast<std::byte*>(MapZerosInHugePages(bytes));
    REQUIRE(at != nullptr);
    CHECK_EQ(reinterpret_cast<uintptr_t>(at) % kHugePageBytes, uintptr_t{0});
    CHECK(AllAre(at, bytes, 0));
    Unmap(at, bytes);
  }
}

TEST(MapZerosInHugePages, GivesSmallPagesForLittleMemory) {
  auto* const at = static_cast<std::byte*>(MapZerosInHugePages(kBytes));
  REQUIRE(at != nullptr);
  std::memset(at, 1, kPageBytes);
  CHECK(HugeBytes(at, kBytes) <= kBytes);
  Unmap(at, kBytes);
}
#endif

TEST(Mapping, MovesWithoutMovingItsBytes) {
  Mapping first = Reserved(MappingKind::kPrivate);
  std::byte* const where = first.writable();
  where[0] = std::byte{9};
  const Mapping second = std::move(first);
  CHECK(second.writable() == where);
  CHECK(second.writable()[0] == std::byte{9});
  CHECK_EQ(second.bytes(), kBytes);
}

TEST(Mapping, RefusesMoreThanTheAddressSpaceHolds) {
  const Result<Mapping> mapping = Mapping::Reserve(size_t{1} << 60, kHugePageBytes, MappingKind::kPrivate);
  CHECK(!mapping.ok());
  CHECK_EQ(mapping.status().code(), Code::kNoMemory);
}

TEST(PhysicalMemory, IsMoreThanAnEmptyProcessNeeds) { CHECK(PhysicalMemoryBytes() > (uint64_t{64} << 20)); }

}  // namespace zerohop
