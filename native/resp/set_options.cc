#include "resp/set_options.h"

#include <cmath>
#include <string>

#include "resp/ascii.h"
#include "resp/command_table.h"
#include "resp/numbers.h"
#include "resp/times.h"

namespace zerohop::resp {
namespace {

struct End {
  std::string_view name;
  uint32_t flag;
};
constexpr End kEnds[] = {
    {"ex", SetOptions::kEx}, {"px", SetOptions::kPx}, {"exat", SetOptions::kExAt}, {"pxat", SetOptions::kPxAt}};

// TAGS n tag … and COST ms.  Returns how many words it took; 0: it is neither, or an error is the answer.
size_t ParseOwn(Context& context, size_t at, SetOptions* options, bool* failed) {
  const Args& args = context.args;
  *failed = true;
  if (EqualsAnyCase(args[at], "cost") && at + 1 < args.size()) {
    const auto cost = ParseFloat(args[at + 1]);
    if (!cost || !(*cost >= 0) || std::isinf(*cost)) {
      context.reply.Error("ERR COST: expected a number of milliseconds that is not negative");
      return 0;
    }
    options->cost = static_cast<float>(*cost);
    return 2;
  }
  if (EqualsAnyCase(args[at], "tags") && at + 1 < args.size()) {
    const auto count = ParseInteger(args[at + 1]);
    if (!count || *count < 0 || static_cast<uint64_t>(*count) > kTagsMax) {
      context.reply.Error("ERR TAGS: expected a number of tags from 0 to " + std::to_string(kTagsMax));
      return 0;
    }
    const auto tags = static_cast<size_t>(*count);
    if (args.size() - at - 2 < tags) {
      context.reply.SyntaxError();
      return 0;
    }
    options->tags.clear();
    for (size_t i = 0; i < tags; ++i) options->tags.push_back(args[at + 2 + i]);
    return 2 + tags;
  }
  *failed = false;
  return 0;
}

}  // namespace

std::optional<SetOptions> ParseSetOptions(Context& context, size_t from, SetForm form) {
  const Args& args = context.args;
  const bool sets = form != SetForm::kGetEx;
  SetOptions options;
  for (size_t at = from; at < args.size(); ++at) {
    const std::string_view word = args[at];
    const bool more = at + 1 < args.size();
    const auto is = [&](std::string_view name, uint32_t not_with) {
      return EqualsAnyCase(word, name) && !options.Has(not_with);
    };
    if (sets && is("nx", SetOptions::kXx)) {
      options.flags |= SetOptions::kNx;
      continue;
    }
    if (sets && is("xx", SetOptions::kNx)) {
      options.flags |= SetOptions::kXx;
      continue;
    }
    if (sets && is("get", 0)) {
      options.flags |= SetOptions::kGet;
      continue;
    }
    if (sets && is("keepttl", SetOptions::kAnyEnd)) {
      options.flags |= SetOptions::kKeepTtl;
      continue;
    }
    if (!sets && is("persist", SetOptions::kAnyEnd)) {
      options.flags |= SetOptions::kPersist;
      continue;
    }
    bool known = false;
    for (const End& end : kEnds) {
      const uint32_t others = (SetOptions::kAnyEnd & ~end.flag) | SetOptions::kKeepTtl | SetOptions::kPersist;
      if (!more || !is(end.name, others)) continue;
      options.flags |= end.flag;
      options.end = args[++at];
      known = true;
      break;
    }
    if (known) continue;
    if (form == SetForm::kZhSet) {
      bool failed = false;
      const size_t words = ParseOwn(context, at, &options, &failed);
      if (failed && words == 0) return std::nullopt;
      if (words > 0) {
        at += words - 1;
        continue;
      }
    }
    context.reply.SyntaxError();
    return std::nullopt;
  }
  return options;
}

std::optional<int64_t> EndOf(Context& context, uint32_t flags, std::string_view given) {
  if ((flags & SetOptions::kAnyEnd) == 0) return kNoEnd;
  const std::optional<int64_t> number = ParseInteger(given);
  if (!number) {
    context.reply.NotAnInteger();
    return std::nullopt;
  }
  const bool seconds = (flags & (SetOptions::kEx | SetOptions::kExAt)) != 0;
  const bool from_now = (flags & (SetOptions::kEx | SetOptions::kPx)) != 0;
  int64_t ms = *number;
  bool right = ms > 0 && !(seconds && ms > INT64_MAX / 1000);
  if (right && seconds) ms *= 1000;
  if (right && from_now) right = !__builtin_add_overflow(ms, UnixNowMs(context.server), &ms);
  if (right) return ms;
  context.reply.Error("ERR invalid expire time in '" + CommandTable::FullName(context.command) + "' command");
  return std::nullopt;
}

}  // namespace zerohop::resp
