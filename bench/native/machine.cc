// machine.cc: how long this machine takes to load a line of memory that lies in no cache, and how large its caches are.
//
//   map(bytes, huge)   maps so many bytes and writes to all of them, in huge pages if `huge` is 1 and the system gives
//                      them, else in pages of 4 KiB. `bytes` is a power of two.
//   timeLoads()        [dependent, independent]: nanoseconds a load, of lines in an order that no prefetcher guesses
//   unmap()
//   cacheSizes()       [L1 data, L2, L3] in bytes; 0 where the C library does not know
//
// A dependent load has an address that the load before it decides: that is what a chain of pointers waits. Independent
// loads overlap as far as the processor can: that is what a batch waits. Each is the median of several passes, none of
// which meets a line of another.
//
// Not part of the package.  One mapping a process; JavaScript's main thread only.
#include <node_api.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "arguments.h"

namespace {

constexpr size_t kLineBytes = 64;
constexpr size_t kSmallPageBytes = 4096;
constexpr size_t kHugePageBytes = size_t{2} << 20;
constexpr size_t kPasses = 5;
constexpr uint64_t kDependentLoads = 1 << 15;
constexpr uint64_t kIndependentLoads = 1 << 17;

struct Mapping {
  std::byte* start = nullptr;
  size_t mapped_bytes = 0;
  std::byte* lines = nullptr;  // `start`, aligned to a huge page
  size_t bytes = 0;
};

Mapping mapping;

void Drop() {
  if (mapping.start != nullptr) munmap(mapping.start, mapping.mapped_bytes);
  mapping = Mapping{};
}

// Gives every page memory of its own, in one call where the kernel has it, and then visits each: under some hypervisors
// the first visit costs more than the page did.
void Populate() {
#if defined(MADV_POPULATE_WRITE)
  madvise(mapping.lines, mapping.bytes, MADV_POPULATE_WRITE);  // if it fails, the writes do its work
#endif
  for (size_t at = 0; at < mapping.bytes; at += kSmallPageBytes) {
    *reinterpret_cast<volatile unsigned char*>(mapping.lines + at) = 0;
  }
}

napi_value Map(napi_env env, napi_callback_info info) {
  napi_value args[2];
  size_t bytes = 0, huge = 0;
  if (!Arguments(env, info, args) || !Number(env, args[0], &bytes) || !Number(env, args[1], &huge) ||
      !std::has_single_bit(bytes) || bytes < kHugePageBytes) {
    return Throw(env, "map(bytes, huge)");
  }
  Drop();
  const size_t mapped = bytes + kHugePageBytes;
  void* start = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return Throw(env, "no memory to time loads in");
  const uintptr_t aligned = (reinterpret_cast<uintptr_t>(start) + kHugePageBytes - 1) & ~(kHugePageBytes - 1);
  mapping = {static_cast<std::byte*>(start), mapped, reinterpret_cast<std::byte*>(aligned), bytes};
#if defined(MADV_HUGEPAGE) && defined(MADV_NOHUGEPAGE)
  madvise(mapping.lines, bytes, huge == 1 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
#endif
  Populate();
  return nullptr;
}

// The lines, each once for `i` from 0 up, in an order without a pattern: multiplying by an odd number and folding the
// upper half of the bits into the lower one map the numbers of so many bits onto themselves.
class Order {
 public:
  explicit Order(size_t lines) : mask_(lines - 1), half_(std::bit_width(lines - 1) / 2) {}

  uint64_t At(uint64_t i) const {
    uint64_t x = (i * 0x9e3779b97f4a7c15) & mask_;
    x ^= x >> half_;
    x = (x * 0xbf58476d1ce4e5b9) & mask_;
    return x ^ (x >> half_);
  }

 private:
  uint64_t mask_;
  int half_;
};

uint64_t Load(uint64_t line) {
  uint64_t word;
  std::memcpy(&word, mapping.lines + line * kLineBytes, sizeof(word));
  return word;
}

// What is loaded is 0, but the processor has to wait for it to know the next address.
uint64_t LoadDependently(const Order& order, uint64_t from) {
  uint64_t carried = 0;
  for (uint64_t i = from; i < from + kDependentLoads; ++i) carried = Load(order.At(i + carried));
  return carried;
}

uint64_t LoadIndependently(const Order& order, uint64_t from) {
  uint64_t sum = 0;
  for (uint64_t i = from; i < from + kIndependentLoads; ++i) sum += Load(order.At(i));
  return sum;
}

// Nanoseconds a load; `sink` takes what was loaded, so that the loads are not left out.
template <typename Pass>
double MedianOfPasses(Pass pass, uint64_t loads, uint64_t* next, uint64_t* sink) {
  double times[kPasses];
  for (double& time : times) {
    const auto begun = std::chrono::steady_clock::now();
    *sink += pass(*next);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begun;
    time = took.count() / static_cast<double>(loads);
    *next += loads;
  }
  std::sort(std::begin(times), std::end(times));
  return times[kPasses / 2];
}

template <size_t N>
napi_value Numbers(napi_env env, const double (&numbers)[N]) {
  napi_value array, number;
  if (napi_create_array(env, &array) != napi_ok) return nullptr;
  for (uint32_t i = 0; i < N; ++i) {
    if (napi_create_double(env, numbers[i], &number) != napi_ok) return nullptr;
    if (napi_set_element(env, array, i, number) != napi_ok) return nullptr;
  }
  return array;
}

napi_value TimeLoads(napi_env env, napi_callback_info) {
  if (mapping.lines == nullptr) return Throw(env, "timeLoads: nothing is mapped");
  const Order order(mapping.bytes / kLineBytes);
  uint64_t next = 0, sink = 0;
  const double dependent =
      MedianOfPasses([&](uint64_t from) { return LoadDependently(order, from); }, kDependentLoads, &next, &sink);
  const double independent =
      MedianOfPasses([&](uint64_t from) { return LoadIndependently(order, from); }, kIndependentLoads, &next, &sink);
  if (sink != 0) return Throw(env, "timeLoads: memory that was zeroed is not zero");
  return Numbers(env, {dependent, independent});
}

napi_value Unmap(napi_env, napi_callback_info) {
  Drop();
  return nullptr;
}

napi_value CacheSizes(napi_env env, napi_callback_info) {
  double sizes[3] = {};
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
  for (size_t i = 0; i < 3; ++i) sizes[i] = static_cast<double>(std::max(0L, sysconf(names[i])));
#endif
  return Numbers(env, sizes);
}

napi_value Init(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {
      {"map", nullptr, Map, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"timeLoads", nullptr, TimeLoads, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"unmap", nullptr, Unmap, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"cacheSizes", nullptr, CacheSizes, nullptr, nullptr, nullptr, napi_default, nullptr},
  };
  napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]), functions);
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)
