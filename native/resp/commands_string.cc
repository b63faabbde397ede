// commands_string.cc: one string: read, stored, cut and put together.
#include <algorithm>
#include <string>

#include "resp/commands.h"
#include "resp/entries.h"
#include "resp/numbers.h"
#include "resp/set_options.h"
#include "resp/times.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

// Alone, and where GETs are not looked up together (worker.cc).
void Get(Context& context) {
  const auto old = Peek(context, context.args.AsBytes(1));
  old ? context.reply.Value(old->value) : context.reply.Null();
}

// ── Storing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

enum class Answer : uint8_t { kOk, kOneOrZero };

void Store(Context& context, Bytes key, Bytes value, const SetOptions& options, Answer answer = Answer::kOk) {
  const auto end_ms = EndOf(context, options.flags, options.end);
  if (!end_ms || !KeyFits(context, key)) return;
  Next next = Next::Store(value, *end_ms == kNoEnd ? kNever : EndAt(context.server, *end_ms));
  next.cost = options.cost;
  next.tags = options.tags;
  StoreOptions plain = OptionsFor(key, next.expires_us);
  // What has tags is laid out otherwise.
  if (options.tags.empty() && !context.worker.Stage(context.client, context.space, key, value, &plain)) return;
  next.staged = plain.staged;
  constexpr uint32_t kLooks = SetOptions::kNx | SetOptions::kXx | SetOptions::kGet | SetOptions::kKeepTtl;
  if (!options.Has(kLooks)) {
    plain.cost = next.cost;
    plain.tags = next.tags;
    plain.hash = context.worker.HashOf(context.space, key);
    if (!Stored(context, context.cache.Set(context.session, context.space, key, value, plain))) return;
    return answer == Answer::kOk ? context.reply.Ok() : context.reply.Integer(1);
  }
  std::string before;
  bool there = false, stored = false;
  const bool right = Update(context, key, [&](const std::optional<Old>& old) {
    there = old.has_value();
    if (old && options.Has(SetOptions::kGet)) before = old->text();
    stored = old ? !options.Has(SetOptions::kNx) : !options.Has(SetOptions::kXx);
    if (!stored) return Next::Leave();
    Next one = next;
    if (old && options.Has(SetOptions::kKeepTtl)) one.expires_us = old->expires_us;
    return one;
  });
  if (!right) return;
  if (options.Has(SetOptions::kGet)) return there ? context.reply.Bulk(before) : context.reply.Null();
  if (answer == Answer::kOneOrZero) return context.reply.Integer(stored);
  stored ? context.reply.Ok() : context.reply.Null();
}

// As nearly all are: without options.
void SetPlain(Context& context) {
  const Bytes key = context.args.AsBytes(1), value = context.args.AsBytes(2);
  if (value.size() >= Worker::kStagedBytesMin) [[unlikely]]
    return Store(context, key, value, {});
  if (!KeyFits(context, key)) return;
  StoreOptions options = OptionsFor(key, kNever);
  options.hash = context.worker.HashOf(context.space, key);
  if (Stored(context, context.cache.Set(context.session, context.space, key, value, options))) context.reply.Ok();
}

void Set(Context& context) {
  if (context.args.size() == 3) return SetPlain(context);
  const auto options = ParseSetOptions(context, 3, SetForm::kSet);
  if (options) Store(context, context.args.AsBytes(1), context.args.AsBytes(2), *options);
}

void SetWithEnd(Context& context, uint32_t flag) {
  SetOptions options;
  options.flags = flag;
  options.end = context.args[2];
  Store(context, context.args.AsBytes(1), context.args.AsBytes(3), options);
}

void SetEx(Context& context) { SetWithEnd(context, SetOptions::kEx); }
void PSetEx(Context& context) { SetWithEnd(context, SetOptions::kPx); }

void SetNx(Context& context) {
  SetOptions options;
  options.flags = SetOptions::kNx;
  Store(context, context.args.AsBytes(1), context.args.AsBytes(2), options, Answer::kOneOrZero);
}

void GetSet(Context& context) {
  SetOptions options;
  options.flags = SetOptions::kGet;
  Store(context, context.args.AsBytes(1), context.args.AsBytes(2), options);
}

// ── Reading with an effect ──────────────────────────────────────────────────────────────────────────────────────────

void GetDel(Context& context) {
  std::string value;
  bool there = false;
  const bool right = Update(context, context.args.AsBytes(1), [&](const std::optional<Old>& old) {
    there = old.has_value();
    if (!old) return Next::Leave();
    value = old->text();
    return Next::Delete();
  });
  if (!right) return;
  there ? context.reply.Bulk(value) : context.reply.Null();
}

void GetEx(Context& context) {
  const auto options = ParseSetOptions(context, 2, SetForm::kGetEx);
  if (!options) return;
  const Bytes key = context.args.AsBytes(1);
  Cache& cache = context.cache;
  for (;;) {
    const Expected expected = cache.Mark(context.space, key);
    std::string value;
    uint64_t before_us;
    {
      ReadGuard guard(cache.epochs(), context.session);
      const auto old = Look(context, guard, key, Cache::Use::kCount);
      if (!old) return context.reply.Null();
      value = old->text();
      before_us = old->expires_us;
    }
    const auto end_ms = EndOf(context, options->flags, options->end);
    if (!end_ms) return;
    const bool ends = *end_ms != kNoEnd;
    const uint64_t end_us = ends ? EndAt(context.server, *end_ms) : kNever;
    if (ends && end_us <= NowUs()) {
      if (!cache.DeleteIf(context.session, context.space, key, expected)) continue;
    } else if (ends || (options->Has(SetOptions::kPersist) && before_us != kNever)) {
      const auto touched = cache.Touch(context.session, context.space, key, end_us, &expected);
      if (!touched || *touched == SetOutcome::kChanged) continue;
      if (!Stored(context, *touched)) return;
    }
    return context.reply.Bulk(value);
  }
}

// ── Parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────

void StrLen(Context& context) {
  const auto old = Peek(context, context.args.AsBytes(1));
  context.reply.Integer(old ? static_cast<int64_t>(old->value.size()) : 0);
}

void GetRange(Context& context) {
  const auto from = ParseInteger(context.args[2]), to = ParseInteger(context.args[3]);
  if (!from || !to) return context.reply.NotAnInteger();
  const auto old = Peek(context, context.args.AsBytes(1));
  const int64_t bytes = old ? static_cast<int64_t>(old->value.size()) : 0;
  int64_t first = *from, last = *to;
  if (bytes == 0 || (first < 0 && last < 0 && first > last)) return context.reply.Bulk(std::string_view());
  first = std::max<int64_t>(first < 0 ? first + bytes : first, 0);
  last = std::min(std::max<int64_t>(last < 0 ? last + bytes : last, 0), bytes - 1);
  if (first > last) return context.reply.Bulk(std::string_view());
  context.reply.Value(old->value.subspan(static_cast<size_t>(first), static_cast<size_t>(last - first + 1)));
}

// Whether a string that grew to so many bytes may be stored; else an error is the answer.
bool MayGrowTo(Context& context, uint64_t bytes) {
  if (bytes > static_cast<uint64_t>(context.server.config().proto_max_bulk_bytes)) {
    context.reply.Error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
  }
  return bytes <= context.cache.ValueBytesMax(context.args[1].size()) || Stored(context, SetOutcome::kTooLarge);
}

void Append(Context& context) {
  const Bytes added = context.args.AsBytes(2);
  std::string grown;
  uint64_t bytes = 0;
  bool too_long = false;
  const bool right = Update(context, context.args.AsBytes(1), [&](const std::optional<Old>& old) {
    bytes = (old ? old->value.size() : 0) + added.size();
    too_long = false;
    if (!old) return Next::Store(added);
    too_long = bytes > static_cast<uint64_t>(context.server.config().proto_max_bulk_bytes) ||
               bytes > context.cache.ValueBytesMax(context.args[1].size());
    if (too_long) return Next::Leave();
    grown.assign(old->text()).append(TextOf(added));
    return Next::Change(BytesOf(grown), /*edited=*/true);
  });
  if (!right || (too_long && !MayGrowTo(context, bytes))) return;
  context.reply.Integer(static_cast<int64_t>(bytes));
}

void SetRange(Context& context) {
  const auto offset = ParseInteger(context.args[2]);
  if (!offset) return context.reply.NotAnInteger();
  if (*offset < 0) return context.reply.Error("ERR offset is out of range");
  const std::string_view part = context.args[3];
  const uint64_t end = static_cast<uint64_t>(*offset) + part.size();
  std::string changed;
  uint64_t bytes = 0;
  bool too_long = false;
  const bool right = Update(context, context.args.AsBytes(1), [&](const std::optional<Old>& old) {
    bytes = old ? old->value.size() : 0;
    too_long = false;
    if (part.empty()) return Next::Leave();
    too_long = end > static_cast<uint64_t>(context.server.config().proto_max_bulk_bytes) ||
               end > context.cache.ValueBytesMax(context.args[1].size());
    if (too_long) return Next::Leave();
    bytes = std::max(bytes, end);
    changed.assign(old ? old->text() : std::string_view());
    changed.resize(bytes);
    part.copy(changed.data() + *offset, part.size());
    return Next::Change(BytesOf(changed), /*edited=*/true);
  });
  if (!right || (too_long && !MayGrowTo(context, end))) return;
  context.reply.Integer(static_cast<int64_t>(bytes));
}

constexpr Command kStringCommands[] = {
    {"get",
     2,
     kReadOnly | kFast | kGuarded,
     kCatRead | kCatString | kCatFast,
     1,
     1,
     1,
     Get,
     {},
     "Get the value of a key",
     "1.0.0",
     "string",
     "O(1)"},
    {"set",
     -3,
     kWrite | kDenyOom | kBrief,
     kCatWrite | kCatString | kCatSlow,
     1,
     1,
     1,
     Set,
     {},
     "Set the string value of a key",
     "1.0.0",
     "string",
     "O(1)"},
    {"setex",
     4,
     kWrite | kDenyOom | kBrief,
     kCatWrite | kCatString | kCatSlow,
     1,
     1,
     1,
     SetEx,
     {},
     "Set the value and expiration of a key",
     "2.0.0",
     "string",
     "O(1)"},
    {"psetex",
     4,
     kWrite | kDenyOom | kBrief,
     kCatWrite | kCatString | kCatSlow,
     1,
     1,
     1,
     PSetEx,
     {},
     "Set the value and expiration in milliseconds of a key",
     "2.6.0",
     "string",
     "O(1)"},
    {"setnx",
     3,
     kWrite | kDenyOom | kFast,
     kCatWrite | kCatString | kCatFast,
     1,
     1,
     1,
     SetNx,
     {},
     "Set the value of a key, only if the key does not exist",
     "1.0.0",
     "string",
     "O(1)"},
    {"getset",
     3,
     kWrite | kDenyOom | kFast,
     kCatWrite | kCatString | kCatFast,
     1,
     1,
     1,
     GetSet,
     {},
     "Set the string value of a key and return its old value",
     "1.0.0",
     "string",
     "O(1)"},
    {"getdel",
     2,
     kWrite | kFast,
     kCatWrite | kCatString | kCatFast,
     1,
     1,
     1,
     GetDel,
     {},
     "Get the value of a key and delete the key",
     "6.2.0",
     "string",
     "O(1)"},
    {"getex",
     -2,
     kWrite | kFast,
     kCatWrite | kCatString | kCatFast,
     1,
     1,
     1,
     GetEx,
     {},
     "Get the value of a key and optionally set its expiration",
     "6.2.0",
     "string",
     "O(1)"},
    {"strlen",
     2,
     kReadOnly | kFast | kGuarded,
     kCatRead | kCatString | kCatFast,
     1,
     1,
     1,
     StrLen,
     {},
     "Get the length of the value stored in a key",
     "2.2.0",
     "string",
     "O(1)"},
    {"append",
     3,
     kWrite | kDenyOom | kFast,
     kCatWrite | kCatString | kCatFast,
     1,
     1,
     1,
     Append,
     {},
     "Append a value to a key",
     "2.0.0",
     "string",
     "O(1)"},
    {"getrange",
     4,
     kReadOnly | kGuarded,
     kCatRead | kCatString | kCatSlow,
     1,
     1,
     1,
     GetRange,
     {},
     "Get a substring of the string stored at a key",
     "2.4.0",
     "string",
     "O(N)"},
    {"substr",
     4,
     kReadOnly | kGuarded,
     kCatRead | kCatString | kCatSlow,
     1,
     1,
     1,
     GetRange,
     {},
     "Get a substring of the string stored at a key",
     "1.0.0",
     "string",
     "O(N)"},
    {"setrange",
     4,
     kWrite | kDenyOom,
     kCatWrite | kCatString | kCatSlow,
     1,
     1,
     1,
     SetRange,
     {},
     "Overwrite part of a string at key starting at the specified offset",
     "2.2.0",
     "string",
     "O(1)"},
};

}  // namespace

void SetTagged(Context& context) {
  const auto options = ParseSetOptions(context, 3, SetForm::kZhSet);
  if (options) Store(context, context.args.AsBytes(1), context.args.AsBytes(2), *options);
}

std::span<const Command> StringCommands() { return kStringCommands; }

}  // namespace zerohop::resp
