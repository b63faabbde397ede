// commands_number.cc: strings that are numbers, counted up and down.
#include <cmath>
#include <string>

#include "resp/commands.h"
#include "resp/entries.h"
#include "resp/numbers.h"

namespace zerohop::resp {
namespace {

void AddInteger(Context& context, int64_t more) {
  std::string_view wrong;
  int64_t sum = 0;
  IntegerText text(0);
  const bool right = Update(context, context.args.AsBytes(1), [&](const std::optional<Old>& old) {
    const std::optional<int64_t> value = old ? ParseInteger(old->text()) : 0;
    wrong = {};
    if (!value) {
      wrong = "ERR value is not an integer or out of range";
    } else if (__builtin_add_overflow(*value, more, &sum)) {
      wrong = "ERR increment or decrement would overflow";
    }
    if (!wrong.empty()) return Next::Leave();
    text = IntegerText(sum);
    return Next::Change(BytesOf(text.view()));
  });
  if (!right) return;
  wrong.empty() ? context.reply.Integer(sum) : context.reply.Error(wrong);
}

void Incr(Context& context) { AddInteger(context, 1); }
void Decr(Context& context) { AddInteger(context, -1); }

void IncrBy(Context& context) {
  const auto more = ParseInteger(context.args[2]);
  more ? AddInteger(context, *more) : context.reply.NotAnInteger();
}

void DecrBy(Context& context) {
  const auto less = ParseInteger(context.args[2]);
  if (!less) return context.reply.NotAnInteger();
  if (*less == INT64_MIN) return context.reply.Error("ERR decrement would overflow");
  AddInteger(context, -*less);
}

void IncrByFloat(Context& context) {
  const auto more = ParseFloat(context.args[2]);
  std::string_view wrong;
  std::string text;
  const bool right = Update(context, context.args.AsBytes(1), [&](const std::optional<Old>& old) {
    const std::optional<long double> value = old ? ParseFloat(old->text()) : 0;
    wrong = {};
    if (!value || !more) {
      wrong = "ERR value is not a valid float";
    } else if (const long double sum = *value + *more; std::isnan(sum) || std::isinf(sum)) {
      wrong = "ERR increment would produce NaN or Infinity";
    } else {
      text = PrintFloat(sum);
    }
    return wrong.empty() ? Next::Change(BytesOf(text)) : Next::Leave();
  });
  if (!right) return;
  wrong.empty() ? context.reply.Bulk(text) : context.reply.Error(wrong);
}

constexpr Command kNumberCommands[] = {
    {"incr",
     2,
     kWrite | kDenyOom | kFast,
     kCatWrite | kCatString | kCatFast,
     1,
     1,
     1,
     Incr,
     {},
     "Increment the integer value of a key by one",
     "1.0.0",
     "string",
     "O(1)"},
    {"decr",
     2,
     kWrite | kDenyOom | kFast,
     kCatWrite | kCatString | kCatFast,
     1,
     1,
     1,
     Decr,
     {},
     "Decrement the integer value of a key by one",
     "1.0.0",
     "string",
     "O(1)"},
    {"incrby",
     3,
     kWrite | kDenyOom | kFast,
     kCatWrite | kCatString | kCatFast,
     1,
     1,
     1,
     IncrBy,
     {},
     "Increment the integer value of a key by the given amount",
     "1.0.0",
     "string",
     "O(1)"},
    {"decrby",
     3,
     kWrite | kDenyOom | kFast,
     kCatWrite | kCatString | kCatFast,
     1,
     1,
     1,
     DecrBy,
     {},
     "Decrement the integer value of a key by the given number",
     "1.0.0",
     "string",
     "O(1)"},
    {"incrbyfloat",
     3,
     kWrite | kDenyOom | kFast,
     kCatWrite | kCatString | kCatFast,
     1,
     1,
     1,
     IncrByFloat,
     {},
     "Increment the float value of a key by the given amount",
     "2.6.0",
     "string",
     "O(1)"},
};

}  // namespace

std::span<const Command> NumberCommands() { return kNumberCommands; }

}  // namespace zerohop::resp
