// play.h: random operations of the whole core against an oracle, in one thread or in several.
//
// A cache may forget; it may not be wrong.  What must hold after every operation:
//   a hit is the value that was set last, with its terms; a key that was missed stays missed until it is set again;
//   what was deleted, by key or by tag, cleared or is past its end is not found, by whatever way it is asked for;
//   after a set returned no thread sees an older value; a remembered answer whose words did not move is the last value;
//   what is stored only if nothing happened since it was read replaces what was read, with its terms if they are kept;
//   while one thread is alone, no other changes anything; a view's bytes never change, whatever else happens, also
//   after the cache is gone; memory and entries stay within their limits; and when all is let go of, every segment is
//   free again.
//
//   oracle.h   what values are made from         actor.{h,cc}   one thread: operations and what they must give
//
// ZEROHOP_MODEL_OPS   operations of each test, all threads together.  The seed is printed; --seed=N gives it again.
#pragma once

#include "model/actor.h"

namespace zerohop::model {

// Has the plan's threads act on a cache of its own, and checks that everything holds.
void Play(const Plan& plan);

}  // namespace zerohop::model
