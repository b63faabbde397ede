#include "resp/command_table.h"

#include <bit>

#include "resp/ascii.h"
#include "resp/commands.h"

namespace zerohop::resp {
namespace {

// Places names; equal for both cases.
size_t NameHash(std::string_view name) {
  uint32_t hash = static_cast<uint32_t>(name.size());
  for (const char c : name) hash = (hash ^ static_cast<uint32_t>(c | 0x20)) * 0x01000193u;
  return hash ^ (hash >> 15);
}

}  // namespace

const CommandTable& CommandTable::Process() {
  static const CommandTable* const table = new CommandTable();
  return *table;
}

CommandTable::CommandTable() {
  size_t count = 0;
  for (const std::span<const Command> room : CommandsOfAllRooms()) count += room.size();
  slots_.resize(std::bit_ceil(4 * count));
  for (const std::span<const Command> room : CommandsOfAllRooms()) {
    for (const Command& command : room) {
      const Command* const added = Add(command, nullptr);
      commands_.push_back(added);
      size_t slot = NameHash(added->name) & (slots_.size() - 1);
      while (slots_[slot] != nullptr) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = added;
    }
  }
}

const Command* CommandTable::Add(const Command& command, const Command* container) {
  Command& added = storage_.emplace_back(command);
  added.index = static_cast<uint16_t>(all_.size());
  added.container = container;
  all_.push_back(&added);
  if (!command.subcommands.empty()) {
    std::vector<Command> copies;
    for (const Command& subcommand : command.subcommands) copies.push_back(*Add(subcommand, &added));
    added.subcommands = subcommands_.emplace_back(std::move(copies));
  }
  return &added;
}

const Command* CommandTable::Find(std::string_view name) const {
  for (size_t slot = NameHash(name) & (slots_.size() - 1); slots_[slot] != nullptr;
       slot = (slot + 1) & (slots_.size() - 1)) {
    if (EqualsAnyCase(name, slots_[slot]->name)) return slots_[slot];
  }
  return nullptr;
}

const Command* CommandTable::FindSubcommand(const Command& container, std::string_view name) const {
  for (const Command& subcommand : container.subcommands) {
    if (EqualsAnyCase(name, subcommand.name)) return all_[subcommand.index];
  }
  return nullptr;
}

std::string CommandTable::FullName(const Command& command) {
  return command.container == nullptr ? command.name : std::string(command.container->name) + "|" + command.name;
}

}  // namespace zerohop::resp
