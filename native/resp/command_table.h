// command_table.h: every command that the server knows, by name.
//
// Built once a process, from what each commands_*.cc exports, and never changed: any thread.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "resp/command.h"

namespace zerohop::resp {

class CommandTable {
 public:
  static const CommandTable& Process();

  // In upper or lower case; null: no such command.
  const Command* Find(std::string_view name) const;
  const Command* FindSubcommand(const Command& container, std::string_view name) const;

  // In the order of the rooms; without subcommands.
  const std::vector<const Command*>& commands() const { return commands_; }
  // With subcommands: by Command::index.
  const std::vector<const Command*>& all() const { return all_; }
  // "get", "client|list".
  static std::string FullName(const Command& command);

 private:
  struct Slot {
    uint64_t letters = 0;
    uint32_t bytes = 0;  // of the name
    bool told_by_letters = false;
    const Command* command = nullptr;
  };

  CommandTable();
  const Command* Add(const Command& command, const Command* container);

  std::deque<Command> storage_;
  std::vector<std::vector<Command>> subcommands_;
  std::vector<const Command*> commands_, all_;
  std::vector<Slot> slots_;  // open addressing; a power of two of them
};

}  // namespace zerohop::resp
