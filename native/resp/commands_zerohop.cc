// commands_zerohop.cc: what Redis has not: rows side by side, leases, tags and costs.  docs/RESP.md tells their forms.
#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "resp/ascii.h"
#include "resp/client.h"
#include "resp/commands.h"
#include "resp/entries.h"
#include "resp/leases.h"
#include "resp/model_keyspaces.h"
#include "resp/numbers.h"
#include "resp/set_options.h"
#include "resp/times.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

// ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────

// All rows have the same length.  One that is missing is zeros, and told.
void Gather(Context& context) {
  const size_t count = context.args.size() - 1;
  std::vector<Hit> hits(count);
  std::array<Bytes, Cache::kBatchMax> keys;
  for (size_t done = 0; done < count;) {
    const size_t some = std::min(count - done, Cache::kBatchMax);
    for (size_t i = 0; i < some; ++i) keys[i] = context.args.AsBytes(1 + done + i);
    context.cache.FindMany(context.Guard(), context.session, context.space, std::span(keys).first(some),
                           std::span(hits).subspan(done, some));
    done += some;
  }
  const auto first = std::find_if(hits.begin(), hits.end(), [](const Hit& hit) { return static_cast<bool>(hit); });
  const size_t row = first == hits.end() ? 0 : first->bytes;
  for (size_t i = 0; i < count; ++i) {
    if (!hits[i] || hits[i].bytes == row) continue;
    return context.reply.Error("ERR rows of different lengths: key " + std::to_string(i) + " has " +
                               std::to_string(hits[i].bytes) + " bytes, and key " +
                               std::to_string(first - hits.begin()) + " has " + std::to_string(row));
  }
  if (row != 0 && count > static_cast<size_t>(context.server.config().proto_max_bulk_bytes) / row) {
    return context.reply.Error("ERR rows are longer together than proto-max-bulk-len");
  }
  std::string rows(count * row, '\0');
  std::vector<size_t> missing;
  for (size_t i = 0; i < count; ++i) {
    if (!hits[i]) {
      missing.push_back(i);
    } else if (row != 0) {
      std::memcpy(rows.data() + i * row, context.cache.arena().bytes() + hits[i].at, row);
    }
  }
  context.reply.Array(2);
  context.reply.Bulk(rows);
  context.reply.Array(missing.size());
  for (const size_t index : missing) context.reply.Integer(static_cast<int64_t>(index));
}

// ── Leases ──────────────────────────────────────────────────────────────────────────────────────────────────────────

// What a client that waits remembers until it is run again.
struct Wait : ClientPart {
  explicit Wait(uint64_t until_us) : until_us(until_us) {}
  uint64_t until_us;
};

constexpr int64_t kLeaseMsMax = 3600 * 1000;

std::optional<int64_t> ParseMs(Context& context, std::string_view what, std::string_view given, int64_t least) {
  const auto ms = ParseInteger(given);
  if (ms && *ms >= least && *ms <= kLeaseMsMax) return ms;
  context.reply.Error(std::string("ERR ")
                          .append(what)
                          .append(": expected milliseconds from ")
                          .append(std::to_string(least))
                          .append(" to ")
                          .append(std::to_string(kLeaseMsMax)));
  return std::nullopt;
}

void TellLease(Context& context, std::string_view state, const std::optional<Old>& old, uint64_t token) {
  context.reply.Array(3);
  context.reply.Bulk(state);
  old ? context.reply.Value(old->value) : context.reply.Null();
  token != 0 ? context.reply.Bulk(std::to_string(token)) : context.reply.Null();
}

void GetLease(Context& context) {
  const Args& args = context.args;
  const auto ttl = ParseMs(context, "ttl", args[2], 1);
  if (!ttl) return;
  int64_t wait = *ttl, stale = 0;
  for (size_t i = 3; i < args.size(); i += 2) {
    const bool waits = EqualsAnyCase(args[i], "wait");
    if ((!waits && !EqualsAnyCase(args[i], "stale")) || i + 1 == args.size()) return context.reply.SyntaxError();
    const auto ms = ParseMs(context, waits ? "WAIT" : "STALE", args[i + 1], 0);
    if (!ms) return;
    (waits ? wait : stale) = *ms;
  }
  if (!KeyFits(context, args.AsBytes(1))) return;
  Client& client = context.client;
  const std::unique_ptr<ClientPart> resumed = std::move(client.blocking);
  const Unblocked unblocked = std::exchange(client.unblocked, Unblocked::kNot);
  if (unblocked == Unblocked::kError) return context.reply.Error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
  const uint64_t now = NowUs();
  const uint64_t until_us =
      resumed ? static_cast<const Wait&>(*resumed).until_us : now + static_cast<uint64_t>(wait) * 1000;

  const auto old = Peek(context, args.AsBytes(1), resumed ? Cache::Use::kPeek : Cache::Use::kCount);
  const bool is_stale = old && old->expires_us != kNever && old->expires_us < now + static_cast<uint64_t>(stale) * 1000;
  if (old && !is_stale) return TellLease(context, "HIT", old, 0);
  const Leases::Taken taken = Leases::Of(context.server).Take(client, args[1], static_cast<uint64_t>(*ttl) * 1000);
  if (taken.full) return context.reply.Error("ERR too many leases are held");
  if (old) return TellLease(context, "STALE", old, taken.token);
  if (taken.token != 0) {
    // Whoever had it before may have stored the value since we looked.
    const auto stored = Peek(context, args.AsBytes(1), Cache::Use::kPeek);
    if (!stored) return TellLease(context, "LEASE", {}, taken.token);
    Leases::Of(context.server).GiveBack(client.database, args[1], taken.token);
    return TellLease(context, "HIT", stored, 0);
  }
  // Nobody waits in EXEC.
  if (taken.own || until_us <= now || unblocked != Unblocked::kNot || client.Has(kClientInExec))
    return TellLease(context, "WAIT", {}, 0);
  client.blocking = std::make_unique<Wait>(until_us);
  context.worker.Park(client, Parked::kBlocked, std::min(until_us, taken.until_us));
}

void SetLease(Context& context) {
  const Bytes key = context.args.AsBytes(1), value = context.args.AsBytes(3);
  const auto token = ParseInteger(context.args[2]);
  const auto options = ParseSetOptions(context, 4, SetForm::kZhSet);
  if (!options) return;
  if (options->Has(~SetOptions::kAnyEnd)) return context.reply.SyntaxError();
  const auto end_ms = EndOf(context, options->flags, options->end);
  if (!end_ms || !KeyFits(context, key)) return;
  StoreOptions store = OptionsFor(key, *end_ms == kNoEnd ? kNever : EndAt(context.server, *end_ms));
  store.cost = options->cost;
  store.tags = options->tags;
  auto outcome = SetOutcome::kStored;
  const bool held =
      token &&
      Leases::Of(context.server).Finish(context.client.database, context.args[1], static_cast<uint64_t>(*token), [&] {
        outcome = context.cache.Set(context.session, context.space, key, value, store);
      });
  if (!held) return context.reply.Null();
  if (Stored(context, outcome)) context.reply.Ok();
}

// ── Tags and models ─────────────────────────────────────────────────────────────────────────────────────────────────

// The results of a model, which are in keyspaces of their own: each is cleared as a whole.  What the process computes
// meanwhile is not stored (lib/model/computations.ts).
void PurgeModel(Context& context) {
  const Args& args = context.args;
  const ModelKeyspaces of_model(args[2], args.size() > 3 ? std::optional(args[3]) : std::nullopt);
  size_t entries = 0;
  for (size_t space = 0, spaces = context.cache.space_count(); space < spaces; ++space) {
    const auto number = static_cast<uint16_t>(space);
    if (!of_model.Has(context.cache.NameOf(number))) continue;
    context.server.EachDatabase([&](size_t database, uint16_t served) {
      if (served == number) Leases::Of(context.server).VoidAll(database);
    });
    entries += context.cache.EntriesOf(number);
    context.cache.ClearSpace(number, &context.session);
  }
  context.reply.Integer(static_cast<int64_t>(entries));
}

void Purge(Context& context) {
  const Args& args = context.args;
  if (args.size() > 2) {
    return EqualsAnyCase(args[1], "model") && args.size() <= 4 ? PurgeModel(context) : context.reply.SyntaxError();
  }
  // What is computed now may carry the tag: nobody knows yet.
  Leases::Of(context.server).VoidAll(context.client.database);
  context.reply.Integer(
      static_cast<int64_t>(context.cache.DeleteByTag(context.session, context.space, context.args[1])));
}

constexpr Command kZerohopCommands[] = {
    {"zh.gather",
     -2,
     kReadOnly | kGuarded,
     kCatRead | kCatString | kCatSlow,
     1,
     -1,
     1,
     Gather,
     {},
     "Get values of the same length side by side, and which are missing",
     "7.0.0",
     "zerohop",
     "O(N)"},
    {"zh.getlease",
     -3,
     kReadOnly | kGuarded | kBlocking | kNoMulti | kNoScript,
     kCatRead | kCatString | kCatSlow | kCatBlocking,
     1,
     1,
     1,
     GetLease,
     {},
     "Get a value, or the lease to compute it, or wait for who has the lease",
     "7.0.0",
     "zerohop"},
    {"zh.setlease",
     -4,
     kWrite | kDenyOom,
     kCatWrite | kCatString | kCatSlow,
     1,
     1,
     1,
     SetLease,
     {},
     "Set a value if the lease to compute it is still held",
     "7.0.0",
     "zerohop"},
    {"zh.set",
     -3,
     kWrite | kDenyOom,
     kCatWrite | kCatString | kCatSlow,
     1,
     1,
     1,
     SetTagged,
     {},
     "Set a value with tags and what it cost to compute",
     "7.0.0",
     "zerohop"},
    // Dangerous: whatever keys carry the tag go, also those that a user's patterns do not name.
    {"zh.purge",
     -2,
     kWrite,
     kCatKeyspace | kCatWrite | kCatSlow | kCatDangerous,
     0,
     0,
     0,
     Purge,
     {},
     "Delete every key that carries a tag, or all results of a model",
     "7.0.0",
     "zerohop",
     "O(N)"},
};

}  // namespace

std::span<const Command> ZerohopCommands() { return kZerohopCommands; }

}  // namespace zerohop::resp
