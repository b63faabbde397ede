// reserve.h: makes room in a vector before anything is changed, so that what comes after cannot run out of memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace zerohop {

// Room for `count` elements in all.  Unlike `reserve` alone it doubles, so that asking for one more each time costs
// what `push_back` does.  Throws std::bad_alloc, and changes nothing.
template <class T>
void EnsureRoom(std::vector<T>& vector, size_t count) {
  if (count > vector.capacity()) vector.reserve(std::max(count, vector.capacity() * 2));
}

}  // namespace zerohop
