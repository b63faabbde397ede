// commands_keys.cc: keys, whatever their values are: there or not, gone, renamed, copied, all of them cleared.
#include <limits>
#include <string>

#include "resp/ascii.h"
#include "resp/client.h"
#include "resp/commands.h"
#include "resp/entries.h"
#include "resp/leases.h"
#include "resp/numbers.h"
#include "resp/touches.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

// As many as there are, each as often as it is named.
void Exists(Context& context) {
  int64_t there = 0;
  for (size_t i = 1; i < context.args.size(); ++i) {
    there += Peek(context, context.args.AsBytes(i), Cache::Use::kPeek).has_value();
  }
  context.reply.Integer(there);
}

void Touch(Context& context) {
  int64_t there = 0;
  for (size_t i = 1; i < context.args.size(); ++i) {
    const Hit hit = context.cache.Find(context.Guard(), context.session, context.space, context.args.AsBytes(i));
    if (!hit) continue;
    ++there;
    Touches::Of(context.server).Note(hit.hash, NowUs());
  }
  context.reply.Integer(there);
}

void Type(Context& context) {
  context.reply.Simple(Peek(context, context.args.AsBytes(1), Cache::Use::kPeek) ? "string" : "none");
}

void Delete(Context& context) {
  int64_t gone = 0;
  for (size_t i = 1; i < context.args.size(); ++i) {
    Leases::Of(context.server).Void(context.client.database, context.args[i]);  // first: leases.h
    gone += context.cache.Delete(context.session, context.space, context.args.AsBytes(i));
  }
  context.reply.Integer(gone);
}

// ── From one key to another ─────────────────────────────────────────────────────────────────────────────────────────

// Copies the value, with its end; its cost and tags too, within one database.  None: no such key; else whether it was
// stored, or an error is the answer.  REQUIRES: an Exclusive section.
std::optional<bool> CopyEntry(Context& context, Bytes from, uint16_t space, Bytes to) {
  Cache& cache = context.cache;
  std::string value;
  StoreOptions options = OptionsFor(to);
  {
    ReadGuard guard(cache.epochs(), context.session);
    const auto facts = cache.Describe(guard, context.session, context.space, from);
    if (!facts) return std::nullopt;
    value.assign(reinterpret_cast<const char*>(cache.arena().bytes() + facts->hit.at), facts->hit.bytes);
    options.expires_us = facts->hit.expires_us;
    options.cost = facts->cost;
    options.edited = facts->edited;
  }
  options.terms_of = space == context.space ? &from : nullptr;
  const SetOutcome outcome = cache.Set(context.session, space, to, BytesOf(value), options);
  if (outcome == SetOutcome::kChanged) return std::nullopt;  // it ended, or was evicted, just now
  return Stored(context, outcome);
}

bool IsThere(Context& context, uint16_t space, Bytes key) {
  ReadGuard guard(context.cache.epochs(), context.session);
  return context.cache.Has(guard, context.session, space, key);
}

void RenameTo(Context& context, bool only_new) {
  const Bytes from = context.args.AsBytes(1), to = context.args.AsBytes(2);
  const Exclusive alone(context.cache, context.session);
  const auto done = [&](int64_t number) { only_new ? context.reply.Integer(number) : context.reply.Ok(); };
  if (!IsThere(context, context.space, from)) return context.reply.Error("ERR no such key");
  if (context.args[1] == context.args[2]) return done(0);
  if (!KeyFits(context, to)) return;
  if (only_new && IsThere(context, context.space, to)) return done(0);
  const auto copied = CopyEntry(context, from, context.space, to);
  if (!copied) return context.reply.Error("ERR no such key");
  if (!*copied) return;
  context.cache.Delete(context.session, context.space, from);
  done(1);
}

void Rename(Context& context) { RenameTo(context, /*only_new=*/false); }
void RenameNx(Context& context) { RenameTo(context, /*only_new=*/true); }

void Copy(Context& context) {
  bool replace = false;
  uint16_t space = context.space;
  for (size_t i = 3; i < context.args.size(); ++i) {
    if (EqualsAnyCase(context.args[i], "replace")) {
      replace = true;
    } else if (EqualsAnyCase(context.args[i], "db") && i + 1 < context.args.size()) {
      const auto number = ParseInteger(context.args[++i]);
      if (!number) return context.reply.NotAnInteger();
      if (*number < std::numeric_limits<int>::min() || *number > std::numeric_limits<int>::max()) {
        return context.reply.Error("ERR value is out of range, value must between -2147483648 and 2147483647");
      }
      if (*number < 0 || static_cast<size_t>(*number) >= context.server.database_count()) {
        return context.reply.Error("ERR DB index is out of range");
      }
      Result<uint16_t> opened = context.server.SpaceOf(static_cast<size_t>(*number));
      if (!opened.ok()) return context.reply.Error("ERR " + opened.status().detail());
      space = opened.value();
    } else {
      return context.reply.SyntaxError();
    }
  }
  const Bytes from = context.args.AsBytes(1), to = context.args.AsBytes(2);
  if (space == context.space && context.args[1] == context.args[2]) {
    return context.reply.Error("ERR source and destination objects are the same");
  }
  const Exclusive alone(context.cache, context.session);
  if (!IsThere(context, context.space, from)) return context.reply.Integer(0);
  if (!KeyFits(context, to)) return;
  if (!replace && IsThere(context, space, to)) return context.reply.Integer(0);
  const auto copied = CopyEntry(context, from, space, to);
  if (!copied) return context.reply.Integer(0);
  if (*copied) context.reply.Integer(1);
}

// ── All of a database ───────────────────────────────────────────────────────────────────────────────────────────────

void DbSize(Context& context) { context.reply.Integer(static_cast<int64_t>(context.cache.EntriesOf(context.space))); }

// False: an error is the answer.  ASYNC and SYNC are the same: what is cleared is gone at once, whatever it was.
bool IsFlush(Context& context) {
  const Args& args = context.args;
  if (args.size() == 1) return true;
  if (args.size() == 2 && (EqualsAnyCase(args[1], "async") || EqualsAnyCase(args[1], "sync"))) return true;
  context.reply.SyntaxError();
  return false;
}

void FlushDb(Context& context) {
  if (!IsFlush(context)) return;
  Leases::Of(context.server).VoidAll(context.client.database);
  context.cache.ClearSpace(context.space, &context.session);
  context.reply.Ok();
}

// The databases, and not what in-process code keeps elsewhere in the cache.
void FlushAll(Context& context) {
  if (!IsFlush(context)) return;
  context.server.EachDatabase([&](size_t database, uint16_t space) {
    Leases::Of(context.server).VoidAll(database);
    context.cache.ClearSpace(space, &context.session);
  });
  context.reply.Ok();
}

// There are no functions; test suites and clients clear them all the same.
void FunctionFlush(Context& context) {
  const Args& args = context.args;
  if (args.size() > 3) {
    return context.reply.Error("ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try FUNCTION HELP.");
  }
  if (args.size() == 3 && !EqualsAnyCase(args[2], "sync") && !EqualsAnyCase(args[2], "async")) {
    return context.reply.Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  }
  context.reply.Ok();
}

constexpr Command kFunctionCommands[] = {
    {"flush",
     -2,
     kNoScript | kWrite,
     kCatWrite | kCatSlow | kCatScripting,
     0,
     0,
     0,
     FunctionFlush,
     {},
     "Deleting all functions",
     "7.0.0",
     "scripting",
     "O(1)"},
};

constexpr Command kKeyCommands[] = {
    {"del",
     -2,
     kWrite,
     kCatKeyspace | kCatWrite | kCatSlow,
     1,
     -1,
     1,
     Delete,
     {},
     "Delete a key",
     "1.0.0",
     "generic",
     "O(N)"},
    {"unlink",
     -2,
     kWrite | kFast,
     kCatKeyspace | kCatWrite | kCatFast,
     1,
     -1,
     1,
     Delete,
     {},
     "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.",
     "4.0.0",
     "generic",
     "O(1)"},
    {"exists",
     -2,
     kReadOnly | kFast | kGuarded,
     kCatKeyspace | kCatRead | kCatFast,
     1,
     -1,
     1,
     Exists,
     {},
     "Determine if a key exists",
     "1.0.0",
     "generic",
     "O(N)"},
    {"touch",
     -2,
     kReadOnly | kFast | kGuarded,
     kCatKeyspace | kCatRead | kCatFast,
     1,
     -1,
     1,
     Touch,
     {},
     "Alters the last access time of a key(s). Returns the number of existing keys specified.",
     "3.2.1",
     "generic",
     "O(N)"},
    {"type",
     2,
     kReadOnly | kFast | kGuarded,
     kCatKeyspace | kCatRead | kCatFast,
     1,
     1,
     1,
     Type,
     {},
     "Determine the type stored at key",
     "1.0.0",
     "generic",
     "O(1)"},
    {"rename",
     3,
     kWrite | kExclusive,
     kCatKeyspace | kCatWrite | kCatSlow,
     1,
     2,
     1,
     Rename,
     {},
     "Rename a key",
     "1.0.0",
     "generic",
     "O(1)"},
    {"renamenx",
     3,
     kWrite | kFast | kExclusive,
     kCatKeyspace | kCatWrite | kCatFast,
     1,
     2,
     1,
     RenameNx,
     {},
     "Rename a key, only if the new key does not exist",
     "1.0.0",
     "generic",
     "O(1)"},
    {"copy",
     -3,
     kWrite | kDenyOom | kExclusive,
     kCatKeyspace | kCatWrite | kCatSlow,
     1,
     2,
     1,
     Copy,
     {},
     "Copy a key",
     "6.2.0",
     "generic",
     "O(N)"},
    {"dbsize",
     1,
     kReadOnly | kFast | kGuarded,
     kCatKeyspace | kCatRead | kCatFast,
     0,
     0,
     0,
     DbSize,
     {},
     "Return the number of keys in the selected database",
     "1.0.0",
     "server",
     "O(1)"},
    {"flushdb",
     -1,
     kWrite | kExclusive,
     kCatKeyspace | kCatWrite | kCatSlow | kCatDangerous,
     0,
     0,
     0,
     FlushDb,
     {},
     "Remove all keys from the current database",
     "1.0.0",
     "server",
     "O(N)"},
    {"flushall",
     -1,
     kWrite | kExclusive,
     kCatKeyspace | kCatWrite | kCatSlow | kCatDangerous,
     0,
     0,
     0,
     FlushAll,
     {},
     "Remove all keys from all databases",
     "1.0.0",
     "server",
     "O(N)"},
    {"function", -2, 0, kCatSlow, 0, 0, 0, nullptr, kFunctionCommands, "A container for function commands", "7.0.0",
     "scripting", "Depends on subcommand."},
};

}  // namespace

std::span<const Command> KeyCommands() { return kKeyCommands; }

}  // namespace zerohop::resp
