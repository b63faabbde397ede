// commands.h: the rooms of commands.  A new file of commands is added here and in commands.cc, nowhere else.
#pragma once

#include <span>

#include "resp/command.h"

namespace zerohop::resp {

std::span<const Command> ConnectionCommands();
std::span<const Command> AclCommandsRoom();
std::span<const Command> ClientCommands();
std::span<const Command> CommandCommands();
std::span<const Command> ConfigCommands();
std::span<const Command> InfoCommands();
std::span<const Command> MultiCommands();
std::span<const Command> PubSubCommands();
std::span<const Command> StringCommands();
std::span<const Command> ManyCommands();
std::span<const Command> NumberCommands();
std::span<const Command> ExpireCommands();
std::span<const Command> KeyCommands();
std::span<const Command> ScanCommands();
std::span<const Command> ObjectCommands();
std::span<const Command> ZerohopCommands();
std::span<const Command> FigureCommands();

void SetTagged(Context& context);  // ZH.SET

std::span<const std::span<const Command>> CommandsOfAllRooms();

}  // namespace zerohop::resp
