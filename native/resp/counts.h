// counts.h: what a worker has served, for INFO.
//
// Each worker has counts of its own and is their only writer; whoever adds them up holds the server's lock exclusively.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace zerohop::resp {

// Replies that were errors, by their first word: "ERR", "WRONGTYPE".
class ErrorCounts {
 public:
  // Not more kinds than this: someone may make them up (EVAL and its kin can; ours cannot yet).
  static constexpr size_t kKindsMax = 128;

  void Add(std::string_view code) {
    ++total;
    const auto found = by_code.find(code);
    if (found != by_code.end()) {
      ++found->second;
    } else if (by_code.size() < kKindsMax) {
      by_code.emplace(code, 1);
    }
  }
  void Reset() { total = 0, by_code.clear(); }

  uint64_t total = 0;
  std::map<std::string, uint64_t, std::less<>> by_code;
};

// One in so many brief commands is timed: reading the clock twice costs a tenth of a SET.
inline constexpr uint64_t kTimedEvery = 64;

// Of one command, or one subcommand.
struct CommandCounts {
  uint64_t calls = 0;
  uint64_t micros = 0;    // spent in it
  uint64_t rejected = 0;  // refused before it ran: arity, permission
  uint64_t failed = 0;    // ran and answered an error
};

struct WorkerCounts {
  uint64_t connections = 0;  // accepted
  uint64_t rejected_connections = 0;
  uint64_t commands = 0;
  uint64_t bytes_in = 0, bytes_out = 0;
  uint64_t passes = 0;   // readings of a client
  uint64_t wakeups = 0;  // returns from waiting
  uint64_t query_limit_disconnections = 0, output_limit_disconnections = 0;
  std::vector<CommandCounts> by_command;  // by Command::index
  ErrorCounts errors;
};

}  // namespace zerohop::resp
