// command_arguments.h: what words a command takes, for COMMAND DOCS: redis-cli makes its hints of them.
#pragma once

#include <string_view>

namespace zerohop::resp {

class Reply;

// False: the command takes none.
bool HasArguments(std::string_view command);
// As COMMAND DOCS tells them.  `command`: its full name, "client|list".
void TellArguments(std::string_view command, Reply& reply);

}  // namespace zerohop::resp
