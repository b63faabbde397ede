// commands_many.cc: several strings at once.
//
// MSET and MSETNX run while no other worker runs a command, and no other thread writes: nobody sees half of one.
#include <array>
#include <string>

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

// Asks for the memory of the next stores, because others wait for all of them; gives their keys' hashes.
void FetchPairs(const Context& context, size_t from, std::array<uint64_t, Cache::kBatchMax>* hashes) {
  std::array<Bytes, Cache::kBatchMax> keys;
  size_t count = 0;
  for (size_t i = from; i < context.args.size() && count < keys.size(); i += 2) keys[count++] = context.args.AsBytes(i);
  const ReadGuard guard(context.cache.epochs(), context.session);
  context.cache.FetchForStores(guard, context.space, std::span(keys).first(count), *hashes);
}

// All keys are looked at before the first is stored.  What is refused in the middle leaves the ones before it stored.
bool StorePairs(Context& context) {
  for (size_t i = 1; i < context.args.size(); i += 2) {
    if (!KeyFits(context, context.args.AsBytes(i))) return false;
  }
  constexpr size_t kTogether = 2 * Cache::kBatchMax;
  std::array<uint64_t, Cache::kBatchMax> hashes;
  for (size_t i = 1; i < context.args.size(); i += 2) {
    if (i % kTogether == 1) FetchPairs(context, i, &hashes);
    const Bytes key = context.args.AsBytes(i);
    StoreOptions options = OptionsFor(key);
    options.hash = &hashes[i % kTogether / 2];
    const SetOutcome outcome =
        context.cache.Set(context.session, context.space, key, context.args.AsBytes(i + 1), options);
    if (!Stored(context, outcome)) return false;
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
