#include "resp/command_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "resp/ascii.h"
#include "resp/commands.h"

namespace zerohop::resp {
namespace {

constexpr uint64_t kLowerCase = 0x2020202020202020u;

// Up to eight letters of a name: all of a shorter one, its ends of a longer one.  Equal for both cases.
uint64_t Letters(std::string_view name) {
  const char* const text = name.data();
  uint32_t first, last;
  if (name.size() >= 4) {
    std::memcpy(&first, text, 4);
    std::memcpy(&last, text + name.size() - 4, 4);
  } else if (!name.empty()) {
    const auto letter = [&](size_t at) { return uint32_t{static_cast<unsigned char>(text[at])}; };
    first = letter(0) | letter(name.size() / 2) << 8 | letter(name.size() - 1) << 16;
    last = 0;
  } else {
    return 0;
  }
  return (uint64_t{last} << 32 | first) | kLowerCase;
}

size_t NameHash(uint64_t letters, size_t bytes) { return ((letters ^ bytes) * 0x9e3779b97f4a7c15u) >> 48; }

// Whether a name of as many bytes and the same Letters is this one.
bool IsToldByLetters(std::string_view name) {
  return name.size() <= 8 && std::all_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; });
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
      const std::string_view name = added->name;
      const uint64_t letters = Letters(name);
      size_t slot = NameHash(letters, name.size()) & (slots_.size() - 1);
      while (slots_[slot].command != nullptr) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = {letters, static_cast<uint32_t>(name.size()), IsToldByLetters(name), added};
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
  const uint64_t letters = Letters(name);
  size_t at = NameHash(letters, name.size()) & (slots_.size() - 1);
  for (; slots_[at].command != nullptr; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.letters != letters || slot.bytes != name.size()) continue;
    if (slot.told_by_letters || EqualsAnyCase(name, slot.command->name)) return slot.command;
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
