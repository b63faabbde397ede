// connection.h: what several rooms of commands do to a connection.
#pragma once

#include <string_view>

#include "resp/acl.h"
#include "resp/client.h"

namespace zerohop::resp {

class Server;

inline constexpr std::string_view kRedisVersion = "7.0.15";  // whose answers ours are

inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

// False: not a name.
bool SetClientName(Client& client, std::string_view name);

// Lets in who waits for a password, if `default` needs none any more.  REQUIRES: the server's lock, exclusively.
void AdmitAllIfOpen(Server& server);

// `used_memory`, but for the clients'.
inline uint64_t UsedBytes(const CacheUsage& usage) {
  return uint64_t{usage.committed_segments} * usage.segment_bytes + usage.index_bytes + usage.policy_bytes +
         usage.fixed_bytes;
}

// Without telling the client.
void UnsubscribeAll(Client& client);
// Whether it listens to something that the user may not.
bool ListensBeyond(const Client& client, const User& user);

}  // namespace zerohop::resp
