// commands_string.cc: GET and SET.
#include "resp/commands.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

// Alone, and where GETs are not looked up together (worker.cc).
void Get(Context& context) {
  const Hit hit = context.cache.Find(context.Guard(), context.session, context.space, context.args.AsBytes(1));
  if (!hit) return context.reply.Null();
  context.reply.Value({context.cache.arena().bytes() + hit.at, hit.bytes});
}

void Set(Context& context) {
  const SetOutcome outcome =
      context.cache.Set(context.session, context.space, context.args.AsBytes(1), context.args.AsBytes(2));
  if (outcome == SetOutcome::kStored) return context.reply.Ok();
  context.reply.Error("OOM command not allowed when used memory > 'maxmemory'.");
}

constexpr Command kStringCommands[] = {
    {.name = "get",
     .arity = 2,
     .flags = kReadOnly | kFast | kGuarded,
     .categories = kCatRead | kCatString | kCatFast,
     .first_key = 1,
     .last_key = 1,
     .key_step = 1,
     .run = Get,
     .summary = "Get the value of a key",
     .group = "string"},
    {.name = "set",
     .arity = -3,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatWrite | kCatString | kCatSlow,
     .first_key = 1,
     .last_key = 1,
     .key_step = 1,
     .run = Set,
     .summary = "Set the string value of a key",
     .group = "string"},
};

}  // namespace

std::span<const Command> StringCommands() { return kStringCommands; }

}  // namespace zerohop::resp
