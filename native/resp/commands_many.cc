// commands_many.cc: several strings at once.
//
// MSET and MSETNX run while no other worker runs a command, and no other thread writes: nobody sees half of one.
#include <algorithm>
#include <array>
#include <string>

#include "base/utf8.h"
#include "cache/store_run.h"
#include "resp/command_table.h"
#include "resp/commands.h"
#include "resp/entries.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

void MGet(Context& context) {
  const size_t count = context.args.size() - 1;
  context.reply.Array(count);
  std::array<Bytes, Cache::kBatchMax> keys;
  std::array<Hit, Cache::kBatchMax> hits;
  for (size_t done = 0; done < count;) {
    const size_t some = std::min(count - done, Cache::kBatchMax);
    for (size_t i = 0; i < some; ++i) keys[i] = context.args.AsBytes(1 + done + i);
    context.cache.FindMany(context.Guard(), context.session, context.space, std::span(keys).first(some),
                           std::span(hits).first(some));
    for (size_t i = 0; i < some; ++i) {
      if (hits[i]) {
        context.reply.Value({context.cache.arena().bytes() + hits[i].at, hits[i].bytes});
      } else {
        context.reply.Null();
      }
    }
    done += some;
  }
}

// False: an error is the answer.
bool IsPairs(Context& context) {
  if (context.args.size() % 2 == 1) return true;
  context.reply.Error("ERR wrong number of arguments for '" + CommandTable::FullName(context.command) + "' command");
  return false;
}

// All keys are looked at before the first is stored.  What is refused in the middle leaves the ones before it stored.
bool StorePairs(Context& context) {
  const Args& args = context.args;
  for (size_t i = 1; i < args.size(); i += 2) {
    if (!KeyFits(context, args.AsBytes(i))) return false;
  }
  std::array<Bytes, Cache::kBatchMax> keys;
  std::array<uint64_t, Cache::kBatchMax> hashes;
  std::array<PlainStore, Cache::kBatchMax> stores;
  for (size_t done = 1; done < args.size();) {
    const size_t some = std::min((args.size() - done) / 2, Cache::kBatchMax);
    for (size_t i = 0; i < some; ++i) keys[i] = args.AsBytes(done + 2 * i);
    {
      const ReadGuard guard(context.cache.epochs(), context.session);
      context.cache.FetchForStores(guard, context.space, std::span(keys).first(some), hashes);
    }
    for (size_t i = 0; i < some; ++i)
      stores[i] = {keys[i], args.AsBytes(done + 2 * i + 1), hashes[i], !IsUtf8(TextOf(keys[i]))};
    StoreRun run(context.cache, context.session, context.space, std::span(stores).first(some));
    for (size_t i = 0; i < some; ++i) {
      if (!Stored(context, run.Next())) return false;
    }
    done += 2 * some;
  }
  return true;
}

void MSet(Context& context) {
  if (!IsPairs(context)) return;
  const Exclusive alone(context.cache, context.session);
  if (StorePairs(context)) context.reply.Ok();
}

void MSetNx(Context& context) {
  if (!IsPairs(context)) return;
  const Exclusive alone(context.cache, context.session);
  for (size_t i = 1; i < context.args.size(); i += 2) {
    ReadGuard guard(context.cache.epochs(), context.session);
    if (context.cache.Has(guard, context.session, context.space, context.args.AsBytes(i))) {
      return context.reply.Integer(0);
    }
  }
  if (StorePairs(context)) context.reply.Integer(1);
}

constexpr Command kManyCommands[] = {
    {"mget",
     -2,
     kReadOnly | kFast | kGuarded,
     kCatRead | kCatString | kCatFast,
     1,
     -1,
     1,
     MGet,
     {},
     "Get the values of all the given keys",
     "1.0.0",
     "string",
     "O(N)"},
    {"mset",
     -3,
     kWrite | kDenyOom | kExclusive,
     kCatWrite | kCatString | kCatSlow,
     1,
     -1,
     2,
     MSet,
     {},
     "Set multiple keys to multiple values",
     "1.0.1",
     "string",
     "O(N)"},
    {"msetnx",
     -3,
     kWrite | kDenyOom | kExclusive,
     kCatWrite | kCatString | kCatSlow,
     1,
     -1,
     2,
     MSetNx,
     {},
     "Set multiple keys to multiple values, only if none of the keys exist",
     "1.0.1",
     "string",
     "O(N)"},
};

}  // namespace

std::span<const Command> ManyCommands() { return kManyCommands; }

}  // namespace zerohop::resp
