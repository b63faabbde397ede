// glob.h: whether a name matches a glob-style pattern, as Redis understands one.
//
//   *  any bytes, none too     ?  one byte     [abc] [a-z] [^a]  one byte of a set     \x  the byte x itself
//
// Threads  any: pure functions.
// Cost     pattern times text at worst, whatever the pattern is: only the last star is ever tried again.
#pragma once

#include <string_view>

namespace zerohop::resp {

bool GlobMatches(std::string_view pattern, std::string_view text);
bool GlobMatchesAnyCase(std::string_view pattern, std::string_view text);  // ASCII letters of either case are the same

}  // namespace zerohop::resp
