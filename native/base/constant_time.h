// constant_time.h: comparing secrets so that the time it takes does not tell how much of a guess was right.
#pragma once

#include <cstddef>

namespace zerohop {

// Reads every byte of both, wherever they first differ.  Their lengths are no secret.
template <class Text>
bool EqualInConstantTime(const Text& a, const Text& b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace zerohop
