// commands.h: the rooms of commands.  A new file of commands is added here and in commands.cc, nowhere else.
#pragma once

#include <span>

#include "resp/command.h"

namespace zerohop::resp {

std::span<const Command> ConnectionCommands();
std::span<const Command> StringCommands();

std::span<const std::span<const Command>> CommandsOfAllRooms();

}  // namespace zerohop::resp
