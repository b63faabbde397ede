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

// Whether the request is a GET like any other, which may be looked up together with its neighbours.
bool IsPlainGet(const Client& client, const Server& server, const Args& args);

// Runs a command that passed all checks, and counts it; for the dispatcher and EXEC.
void Run(Context& context);

}  // namespace zerohop::resp
