// transaction.h: what MULTI and WATCH keep of a client (commands_multi.cc).
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "resp/args.h"
#include "resp/changes.h"
#include "resp/client.h"
#include "resp/command.h"

namespace zerohop::resp {

// A command that waits for EXEC, with words of its own.
struct QueuedCommand {
  const Command* command;
  std::string bytes;
  std::vector<Place> places;
};

struct Transaction final : ClientPart {
  std::vector<QueuedCommand> commands;
  uint32_t any_flags = 0;  // of its commands
  size_t bytes = 0;        // of their words
};

struct Watches final : ClientPart {
  explicit Watches(Changes& its_changes) : changes(its_changes) {}
  ~Watches() override {
    for (const auto& each : keys) changes.Unwatch(each.get());
  }
  Changes& changes;
  std::atomic<bool> changed{false};  // one of them
  std::vector<std::unique_ptr<Watched>> keys;
};

// The command is kept, unless EXEC will fail anyway.
void Queue(Client& client, const Command& command, const Args& args);
// Flags of the commands that wait.
uint32_t FlagsOfQueued(const Client& client);
// Forgets the commands that wait, and the keys that are watched.
void Discard(Client& client);

}  // namespace zerohop::resp
