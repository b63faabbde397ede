// dispatch.h: from a request to its command: what may run, how it is counted, whether the client hears the answer.
//
// The order is Redis's: known? arity? authenticated? permitted? subscribed? queued by MULTI? paused?  Then it runs.
#pragma once

#include "resp/command.h"

namespace zerohop::resp {

enum class Ran : uint8_t {
  kDone,    // answered, or not to be answered
  kParked,  // the request stays where it is, and is run again later
};

// Runs one request.  REQUIRES: the server's lock, shared; a request of at least one word.
Ran Dispatch(Worker& worker, Client& client, const Args& args, Output& out);

// Requests like any other of their kind, which may be run together with their neighbours.
enum class Plain : uint8_t { kNot, kGet, kSet };
// Which of them there are, as long as the client runs no other command.
struct PlainKinds {
  bool get = false, set = false;
};
PlainKinds PlainKindsOf(const Client& client, const Server& server);

inline Plain PlainOf(const Args& args, PlainKinds kinds) {
  const size_t words = args.size();
  if ((words != 2 && words != 3) || args[0].size() != 3) return Plain::kNot;
  const std::string_view name = args[0];
  const auto is = [&](char first) {
    return (name[0] | 0x20) == first && (name[1] | 0x20) == 'e' && (name[2] | 0x20) == 't';
  };
  if (words == 2) return kinds.get && is('g') ? Plain::kGet : Plain::kNot;
  return kinds.set && is('s') ? Plain::kSet : Plain::kNot;
}

// Runs a command that passed all checks, and counts it; for the dispatcher and EXEC.
void Run(Context& context);

}  // namespace zerohop::resp
