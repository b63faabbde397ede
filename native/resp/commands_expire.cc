// commands_expire.cc: when entries end: told, set and taken away.
#include <string>

#include "resp/ascii.h"
#include "resp/command_table.h"
#include "resp/commands.h"
#include "resp/entries.h"
#include "resp/numbers.h"
#include "resp/times.h"

namespace zerohop::resp {
namespace {

enum Conditions : uint32_t { kNx = 1, kXx = 2, kGt = 4, kLt = 8 };

// None: an error is the answer.
std::optional<uint32_t> ParseConditions(Context& context) {
  uint32_t conditions = 0;
  for (size_t i = 3; i < context.args.size(); ++i) {
    const std::string_view word = context.args[i];
    if (EqualsAnyCase(word, "nx")) {
      conditions |= kNx;
    } else if (EqualsAnyCase(word, "xx")) {
      conditions |= kXx;
    } else if (EqualsAnyCase(word, "gt")) {
      conditions |= kGt;
    } else if (EqualsAnyCase(word, "lt")) {
      conditions |= kLt;
    } else {
      context.reply.Error(std::string("ERR Unsupported option ").append(word.substr(0, word.find('\0'))));
      return std::nullopt;
    }
  }
  if ((conditions & kNx) != 0 && conditions != kNx) {
    context.reply.Error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return std::nullopt;
  }
  if ((conditions & kGt) != 0 && (conditions & kLt) != 0) {
    context.reply.Error("ERR GT and LT options at the same time are not compatible");
    return std::nullopt;
  }
  return conditions;
}

// `unit_ms`: of the number.  `base_ms`: what it counts from, in Unix ms.
void ExpireFrom(Context& context, int64_t unit_ms, int64_t base_ms) {
  const auto conditions = ParseConditions(context);
  if (!conditions) return;
  const auto number = ParseInteger(context.args[2]);
  if (!number) return context.reply.NotAnInteger();
  int64_t at_ms;
  if (__builtin_mul_overflow(*number, unit_ms, &at_ms) || __builtin_add_overflow(at_ms, base_ms, &at_ms)) {
    return context.reply.Error("ERR invalid expire time in '" + CommandTable::FullName(context.command) + "' command");
  }
  const uint64_t end_us = EndAt(context.server, at_ms);
  const auto wanted = [&](uint64_t before_us) {
    const bool had = before_us != kNever;
    if ((*conditions & kNx) != 0 && had) return false;
    if ((*conditions & kXx) != 0 && !had) return false;
    if ((*conditions & kGt) != 0 && (!had || end_us <= before_us)) return false;
    return (*conditions & kLt) == 0 || !had || end_us < before_us;
  };
  const auto done = ChangeEnd(context, context.args.AsBytes(1), end_us, wanted);
  if (!done) return context.reply.Integer(0);
  if (*done) context.reply.Integer(1);
}

void Expire(Context& context) { ExpireFrom(context, 1000, UnixNowMs(context.server)); }
void PExpire(Context& context) { ExpireFrom(context, 1, UnixNowMs(context.server)); }
void ExpireAt(Context& context) { ExpireFrom(context, 1000, 0); }
void PExpireAt(Context& context) { ExpireFrom(context, 1, 0); }

void Persist(Context& context) {
  const auto done =
      ChangeEnd(context, context.args.AsBytes(1), kNever, [](uint64_t before_us) { return before_us != kNever; });
  if (!done) return context.reply.Integer(0);
  if (*done) context.reply.Integer(1);
}

constexpr int64_t kNoKey = -2, kNeverEnds = -1;

// What is left of it, or when it ends in Unix time; in ms.
void TellEnd(Context& context, bool absolute, bool ms) {
  const auto old = Peek(context, context.args.AsBytes(1), Cache::Use::kPeek);
  if (!old) return context.reply.Integer(kNoKey);
  if (old->expires_us == kNever) return context.reply.Integer(kNeverEnds);
  const int64_t at_ms = context.server.UnixMs(old->expires_us);
  const int64_t told = absolute ? at_ms : std::max<int64_t>(at_ms - UnixNowMs(context.server), 0);
  context.reply.Integer(ms ? told : (told + 500) / 1000);
}

void Ttl(Context& context) { TellEnd(context, /*absolute=*/false, /*ms=*/false); }
void PTtl(Context& context) { TellEnd(context, /*absolute=*/false, /*ms=*/true); }
void ExpireTime(Context& context) { TellEnd(context, /*absolute=*/true, /*ms=*/false); }
void PExpireTime(Context& context) { TellEnd(context, /*absolute=*/true, /*ms=*/true); }

constexpr Command kExpireCommands[] = {
    {"expire",
     -3,
     kWrite | kFast,
     kCatKeyspace | kCatWrite | kCatFast,
     1,
     1,
     1,
     Expire,
     {},
     "Set a key's time to live in seconds",
     "1.0.0",
     "generic",
     "O(1)"},
    {"pexpire",
     -3,
     kWrite | kFast,
     kCatKeyspace | kCatWrite | kCatFast,
     1,
     1,
     1,
     PExpire,
     {},
     "Set a key's time to live in milliseconds",
     "2.6.0",
     "generic",
     "O(1)"},
    {"expireat",
     -3,
     kWrite | kFast,
     kCatKeyspace | kCatWrite | kCatFast,
     1,
     1,
     1,
     ExpireAt,
     {},
     "Set the expiration for a key as a UNIX timestamp",
     "1.2.0",
     "generic",
     "O(1)"},
    {"pexpireat",
     -3,
     kWrite | kFast,
     kCatKeyspace | kCatWrite | kCatFast,
     1,
     1,
     1,
     PExpireAt,
     {},
     "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
     "2.6.0",
     "generic",
     "O(1)"},
    {"ttl",
     2,
     kReadOnly | kFast | kGuarded,
     kCatKeyspace | kCatRead | kCatFast,
     1,
     1,
     1,
     Ttl,
     {},
     "Get the time to live for a key in seconds",
     "1.0.0",
     "generic",
     "O(1)"},
    {"pttl",
     2,
     kReadOnly | kFast | kGuarded,
     kCatKeyspace | kCatRead | kCatFast,
     1,
     1,
     1,
     PTtl,
     {},
     "Get the time to live for a key in milliseconds",
     "2.6.0",
     "generic",
     "O(1)"},
    {"expiretime",
     2,
     kReadOnly | kFast | kGuarded,
     kCatKeyspace | kCatRead | kCatFast,
     1,
     1,
     1,
     ExpireTime,
     {},
     "Get the expiration Unix timestamp for a key",
     "7.0.0",
     "generic",
     "O(1)"},
    {"pexpiretime",
     2,
     kReadOnly | kFast | kGuarded,
     kCatKeyspace | kCatRead | kCatFast,
     1,
     1,
     1,
     PExpireTime,
     {},
     "Get the expiration Unix timestamp for a key in milliseconds",
     "7.0.0",
     "generic",
     "O(1)"},
    {"persist",
     2,
     kWrite | kFast,
     kCatKeyspace | kCatWrite | kCatFast,
     1,
     1,
     1,
     Persist,
     {},
     "Remove the expiration from a key",
     "2.2.0",
     "generic",
     "O(1)"},
};

}  // namespace

std::span<const Command> ExpireCommands() { return kExpireCommands; }

}  // namespace zerohop::resp
