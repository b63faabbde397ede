// random.h: numbers that look random, where nobody may gain from guessing them.
#pragma once

#include <cstdint>

namespace zerohop {

// The next state of Knuth's MMIX generator.  Its high bits are the good ones.
inline uint64_t NextRandom(uint64_t& state) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return state;
}

}  // namespace zerohop
