#include "failure/failing_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

// Of the sanitizers; null without them.
extern "C" [[gnu::weak]] void __sanitizer_print_stack_trace();

namespace zerohop::failure {
namespace {

thread_local uint64_t requests = 0;
thread_local uint64_t bytes_requested = 0;
thread_local uint64_t refuse_at = UINT64_MAX;
thread_local bool refuse_later = false;
thread_local bool refused = false;

bool Granted() {
  const uint64_t number = requests++;
  if (number != refuse_at && !(refuse_later && number > refuse_at)) return true;
  refused = true;
  if (__sanitizer_print_stack_trace != nullptr && std::getenv("ZEROHOP_FAILURE_AT") != nullptr) {
    __sanitizer_print_stack_trace();
  }
  return false;
}

}  // namespace

uint64_t Requests() { return requests; }

uint64_t BytesRequested() { return bytes_requested; }

Refusal::Refusal(uint64_t granted, bool lasting) {
  refuse_at = requests + granted;
  refuse_later = lasting;
  refused = false;
}

Refusal::~Refusal() {
  refuse_at = UINT64_MAX;
  refuse_later = false;
}

bool Refusal::happened() { return refused; }

namespace {

void* Allocate(size_t bytes, size_t alignment) noexcept {
  bytes_requested += bytes;
  if (!Granted()) return nullptr;
  if (alignment <= alignof(std::max_align_t)) return std::malloc(bytes > 0 ? bytes : 1);
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void* AllocateOrThrow(size_t bytes, size_t alignment) {
  void* const memory = Allocate(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace
}  // namespace zerohop::failure

using zerohop::failure::Allocate;
using zerohop::failure::AllocateOrThrow;

// clang-format off
void* operator new(size_t bytes) { return AllocateOrThrow(bytes, 0); }
void* operator new[](size_t bytes) { return AllocateOrThrow(bytes, 0); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return Allocate(bytes, 0); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return Allocate(bytes, 0); }
void* operator new(size_t bytes, std::align_val_t to) { return AllocateOrThrow(bytes, static_cast<size_t>(to)); }
void* operator new[](size_t bytes, std::align_val_t to) { return AllocateOrThrow(bytes, static_cast<size_t>(to)); }
void* operator new(size_t bytes, std::align_val_t to, const std::nothrow_t&) noexcept { return Allocate(bytes, static_cast<size_t>(to)); }
void* operator new[](size_t bytes, std::align_val_t to, const std::nothrow_t&) noexcept { return Allocate(bytes, static_cast<size_t>(to)); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }
// clang-format on

extern "C" {

void* __real_calloc(size_t count, size_t bytes);
void* __real_mmap(void* at, size_t bytes, int protection, int flags, int file, off_t offset);

void* __wrap_calloc(size_t count, size_t bytes) {
  return zerohop::failure::Granted() ? __real_calloc(count, bytes) : nullptr;
}

void* __wrap_mmap(void* at, size_t bytes, int protection, int flags, int file, off_t offset) {
  if (zerohop::failure::Granted()) return __real_mmap(at, bytes, protection, flags, file, offset);
  errno = ENOMEM;
  return MAP_FAILED;
}
}
