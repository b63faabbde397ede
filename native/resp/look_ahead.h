// look_ahead.h: the keys that the next requests of a pipeline will write, before it is their turn.
//
// A store waits for three lines of memory in turn: the index slot, the entry that it replaces, the version word.  All
// follow from the key.  So the keys of several requests are read ahead, and what they need is asked for together
// (Cache::FetchForStores).
//
// It is a guess: requests of three words or more are taken for stores whose second word is the key.  A wrong one costs
// a line that nobody reads.  Nothing is believed: the parser reads the same bytes again.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "cache/cache.h"

namespace zerohop::resp {

struct LookedAhead {
  size_t keys = 0;   // found
  size_t bytes = 0;  // of whole requests that were looked at
};

// Reads requests from the start of `input` until `keys` is full, or something is not as expected or not there yet, or
// a request has more words than a store needs.
LookedAhead LookAhead(std::string_view input, std::span<Bytes> keys);

}  // namespace zerohop::resp
