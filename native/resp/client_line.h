// client_line.h: a client as CLIENT LIST tells it.
#pragma once

#include <string>

#include "resp/client.h"

namespace zerohop::resp {

// REQUIRES: called by the client's worker, or with the server's lock held exclusively.
std::string ClientLine(const Client& client);

// Bytes that the client takes beside its own object.
size_t MemoryOf(const Client& client);

}  // namespace zerohop::resp
