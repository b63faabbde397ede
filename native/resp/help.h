// help.h: the answer to `<COMMAND> HELP`.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "resp/ascii.h"
#include "resp/command.h"

namespace zerohop::resp {

inline std::string UpperCase(std::string_view text) {
  std::string upper(text);
  for (char& letter : upper) letter = letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
  return upper;
}

inline void ReplyHelp(Context& context, std::span<const std::string_view> lines) {
  context.reply.Array(lines.size() + 3);
  context.reply.Simple(UpperCase(context.args[0]) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const std::string_view line : lines) context.reply.Simple(line);
  context.reply.Simple("HELP");
  context.reply.Simple("    Prints this help.");
}

// What a subcommand says of options that it does not know.
inline void ReplySubcommandSyntax(Context& context) {
  context.reply.Error("ERR unknown subcommand or wrong number of arguments for '" +
                      std::string(context.args[1].substr(0, 128)) + "'. Try " + UpperCase(context.args[0]) + " HELP.");
}

}  // namespace zerohop::resp
