// config.h: what the server can be told, under Redis's names and with its defaults.
//
// Written before the server starts, and then only by CONFIG SET, which holds the server's lock exclusively; read by
// commands, which hold it shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace zerohop::resp {

inline constexpr size_t kDatabases = 16;  // unless it is told otherwise

// One class of `client-output-buffer-limit`; 0: no limit.
struct OutputLimit {
  uint64_t hard_bytes = 0;
  uint64_t soft_bytes = 0;
  uint64_t soft_seconds = 0;  // above soft_bytes for so long
};

// A database: the keyspace of this number; else of this name, which is opened, for bytes, if nobody did.
struct Database {
  std::string name;
  std::optional<uint16_t> space{};
};

// The first one is the cache itself, as a keyspace of bytes; the others are `db<n>`.
inline std::vector<Database> DefaultDatabases() {
  std::vector<Database> databases(kDatabases);
  for (size_t i = 1; i < kDatabases; ++i) databases[i].name = "db" + std::to_string(i);
  return databases;
}

struct Config {
  // Where it listens.  Port 0: the system chooses one.  No address and no path: only streams (Server::OpenStream).
  std::vector<std::string> bind = {"127.0.0.1", "-::1"};  // '-': it is no error if the machine lacks it
  int port = 6380;
  bool tcp = true;
  std::string unix_path;
  uint32_t unix_mode = 0;  // 0: as the process's umask says
  int backlog = 511;       // tcp-backlog
  size_t threads = 1;      // workers
  bool io_uring = true;    // receives and sends in batches, where the kernel lets us

  // None: every keyspace of the cache is a database, by its number, also those that are opened later.
  std::vector<Database> databases = DefaultDatabases();

  std::string requirepass;
  std::vector<std::string> users;  // each a name, and the rules of ACL SETUSER
  bool protected_mode = true;
  uint64_t maxclients = 10000;
  uint64_t timeout_seconds = 0;          // timeout: an idle client is closed; 0: never
  uint64_t tcp_keepalive_seconds = 300;  // 0: not at all
  uint64_t proto_max_bulk_bytes = uint64_t{512} << 20;
  uint64_t query_buffer_limit = uint64_t{1} << 30;
  uint64_t clients_bytes_max = 0;  // maxmemory-clients: what all hold together; 0: Server::held_bytes_max
  OutputLimit output_normal{};
  OutputLimit output_pubsub{uint64_t{32} << 20, uint64_t{8} << 20, 60};
  OutputLimit output_replica{uint64_t{256} << 20, uint64_t{64} << 20, 60};  // there are none: kept
  uint64_t tracking_table_max_keys = 1000000;
  uint64_t acllog_max_len = 128;

  std::map<std::string, std::string, std::less<>> kept;  // what CONFIG SET was told and nobody follows (settings.h)
};

}  // namespace zerohop::resp
