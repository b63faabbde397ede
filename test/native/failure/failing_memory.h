// failing_memory.h: memory that is refused on demand, in the program that links failing_memory.cc.
//
// Replaces operator new in all its forms; calloc and mmap, as the core calls them, by the linker (--wrap, see
// CMakeLists.txt).  Everything is counted; while a Refusal lives, the n-th request of its thread fails, and if asked so
// all that follow.
#pragma once

#include <cstdint>

namespace zerohop::failure {

// Requests of this thread so far.
uint64_t Requests();

// Bytes that this thread asked operator new for so far, whatever became of them.
uint64_t BytesRequested();

class Refusal {
 public:
  // The request that comes after `granted` others fails; with `lasting`, every later one too.
  Refusal(uint64_t granted, bool lasting);
  ~Refusal();
  Refusal(const Refusal&) = delete;
  Refusal& operator=(const Refusal&) = delete;
  static bool happened();  // since the last Refusal began
};

}  // namespace zerohop::failure
