// transaction.h: what MULTI and WATCH keep of a client (commands_multi.cc).
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/constants.h"
#include "resp/args.h"
#include "resp/changes.h"
#include "resp/client.h"
#include "resp/command.h"
#include "resp/input.h"

namespace zerohop::resp {

// The commands that wait for EXEC, one behind the other.  Each is a QueuedCommand, the Places of its words, and their
// bytes, up to the next multiple of 8.  So 10^5 of them are one piece of memory, which grows and goes as Input does.
struct QueuedCommand {
  const Command* command;
  size_t words;
  size_t bytes;  // of all words
};

struct Transaction final : ClientPart {
  explicit Transaction(Scraps& scraps) : commands(scraps) {}

  // False: no memory.
  bool Add(const Command& command, const Args& args);
  // Calls `visit(command, args)` for each.
  template <class Visit>
  void Each(Visit visit) const {
    const char* at = commands.view().data();
    for (const char* const end = at + commands.bytes(); at != end;) {
      const auto* const queued = reinterpret_cast<const QueuedCommand*>(at);
      const auto* const places = reinterpret_cast<const Place*>(queued + 1);
      const auto* const bytes = reinterpret_cast<const char*>(places + queued->words);
      visit(*queued->command, Args(bytes, {places, queued->words}));
      at = bytes + AlignUp(queued->bytes, alignof(QueuedCommand));
    }
  }

  Input commands;
  size_t count = 0;
  uint32_t any_flags = 0;  // of its commands
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

// The command is kept, unless EXEC will fail anyway: for want of memory, too.
void Queue(Client& client, const Command& command, const Args& args);
// Flags of the commands that wait.
uint32_t FlagsOfQueued(const Client& client);
// Forgets the commands that wait, and the keys that are watched.
void Discard(Client& client);

}  // namespace zerohop::resp
