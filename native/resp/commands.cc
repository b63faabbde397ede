#include "resp/commands.h"

#include <array>

namespace zerohop::resp {

std::span<const std::span<const Command>> CommandsOfAllRooms() {
  static const std::array rooms{
      ConnectionCommands(), ClientCommands(), AclCommandsRoom(), CommandCommands(), ConfigCommands(), InfoCommands(),
      MultiCommands(),      PubSubCommands(), StringCommands(),  ManyCommands(),    NumberCommands(), ExpireCommands(),
      KeyCommands(),        ScanCommands(),   ObjectCommands(),  ZerohopCommands(), FigureCommands(),
  };
  return rooms;
}

}  // namespace zerohop::resp
