// commands_object.cc: what is known of an entry beside its value: OBJECT and MEMORY USAGE.
//
// The engine keeps one kind of value, so `encoding` says what Redis would have chosen for the same bytes, and
// `refcount` is 1.  IDLETIME counts from when the entry was stored or given to TOUCH last: a read leaves no time
// behind.
#include <algorithm>
#include <string>

#include "cache/entry.h"
#include "resp/ascii.h"
#include "resp/commands.h"
#include "resp/entries.h"
#include "resp/numbers.h"
#include "resp/touches.h"

namespace zerohop::resp {
namespace {

// None: the answer is nil.
std::optional<EntryFacts> Facts(Context& context) {
  const auto facts = context.cache.Describe(context.Guard(), context.session, context.space, context.args.AsBytes(2));
  if (!facts) context.reply.Null();
  return facts;
}

void Encoding(Context& context) {
  constexpr size_t kShortMax = 44;  // what Redis keeps beside its object
  const auto facts = Facts(context);
  if (!facts) return;
  const Bytes value(context.cache.arena().bytes() + facts->hit.at, facts->hit.bytes);
  const bool raw = facts->edited || (value.size() > kShortMax && !ParseInteger(TextOf(value)));
  context.reply.Bulk(raw ? "raw" : ParseInteger(TextOf(value)) ? "int" : "embstr");
}

void Freq(Context& context) {
  if (const auto facts = Facts(context)) context.reply.Integer(std::min<int64_t>(facts->frequency, 255));
}

void IdleTime(Context& context) {
  const auto facts = Facts(context);
  if (!facts) return;
  const uint64_t touched = Touches::Of(context.server).SecondsSince(facts->hit.hash, NowUs());
  context.reply.Integer(static_cast<int64_t>(std::min(touched, facts->age_us / 1000000)));
}

void RefCount(Context& context) {
  if (Facts(context)) context.reply.Integer(1);
}

void Help(Context& context, std::string_view title, std::span<const std::string_view> lines) {
  context.reply.Array(lines.size() + 3);
  context.reply.Simple(std::string(title).append(" <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
  for (const std::string_view line : lines) context.reply.Simple(line);
  context.reply.Simple("HELP");
  context.reply.Simple("    Prints this help.");
}

void ObjectHelp(Context& context) {
  static constexpr std::string_view kLines[] = {
      "ENCODING <key>",
      "    Return the kind of internal representation used in order to store the value",
      "    associated with a <key>.",
      "FREQ <key>",
      "    Return the access frequency index of the <key>. The returned integer is",
      "    proportional to the logarithm of the recent access frequency of the key.",
      "IDLETIME <key>",
      "    Return the idle time of the <key>, that is the approximated number of",
      "    seconds elapsed since the last access to the key.",
      "REFCOUNT <key>",
      "    Return the number of references of the value associated with the specified",
      "    <key>.",
  };
  Help(context, "OBJECT", kLines);
}

// What the entry takes of a segment, and of the index.
void Usage(Context& context) {
  constexpr int64_t kIndexBytes = 16;  // on average
  for (size_t i = 3; i < context.args.size(); i += 2) {
    if (!EqualsAnyCase(context.args[i], "samples") || i + 1 == context.args.size()) return context.reply.SyntaxError();
    const auto samples = ParseInteger(context.args[i + 1]);
    if (!samples) return context.reply.NotAnInteger();
    if (*samples < 0) return context.reply.SyntaxError();
  }
  const auto facts = Facts(context);
  if (!facts) return;
  const uint64_t end = facts->hit.at + facts->hit.bytes;
  context.reply.Integer(static_cast<int64_t>(end - facts->hit.entry_at + 7) / 8 * 8 + kIndexBytes);
}

void Doctor(Context& context) {
  const CacheUsage usage = context.cache.Usage();
  std::string report =
      "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n";
  if (usage.exposed_segments > usage.segments / 2) {
    report =
        "Hi Sam, more than half of the cache's segments are held by views of JavaScript code in its process. They "
        "cannot "
        "be evicted while those views live, so that stores may be refused.\n";
  }
  context.reply.Verbatim(report, "txt");
}

void MemoryHelp(Context& context) {
  static constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    Return memory problems reports.",
      "USAGE <key> [SAMPLES <count>]",
      "    Return memory in bytes used by <key> and its value. Nested values are",
      "    sampled up to <count> times (default: 5, 0 means sample all).",
  };
  Help(context, "MEMORY", kLines);
}

constexpr uint32_t kLooks = kCatKeyspace | kCatRead | kCatSlow;

constexpr Command kObjectSubcommands[] = {
    {"encoding",
     3,
     kReadOnly | kGuarded,
     kLooks,
     2,
     2,
     1,
     Encoding,
     {},
     "Inspect the internal encoding of a Redis object",
     "2.2.3"},
    {"freq",
     3,
     kReadOnly | kGuarded,
     kLooks,
     2,
     2,
     1,
     Freq,
     {},
     "Get the logarithmic access frequency counter of a Redis object",
     "4.0.0"},
    {"idletime",
     3,
     kReadOnly | kGuarded,
     kLooks,
     2,
     2,
     1,
     IdleTime,
     {},
     "Get the time since a Redis object was last accessed",
     "2.2.3"},
    {"refcount",
     3,
     kReadOnly | kGuarded,
     kLooks,
     2,
     2,
     1,
     RefCount,
     {},
     "Get the number of references to the value of the key",
     "2.2.3"},
    {"help",
     2,
     kLoading | kStale,
     kCatKeyspace | kCatSlow,
     0,
     0,
     0,
     ObjectHelp,
     {},
     "Show helpful text about the different subcommands",
     "6.2.0"},
};

constexpr Command kMemorySubcommands[] = {
    {"usage",
     -3,
     kReadOnly | kGuarded,
     kCatRead | kCatSlow,
     2,
     2,
     1,
     Usage,
     {},
     "Estimate the memory usage of a key",
     "4.0.0",
     "server"},
    {"doctor", 2, 0, kCatSlow, 0, 0, 0, Doctor, {}, "Outputs memory problems report", "4.0.0", "server"},
    {"help",
     2,
     kLoading | kStale,
     kCatSlow,
     0,
     0,
     0,
     MemoryHelp,
     {},
     "Show helpful text about the different subcommands",
     "4.0.0",
     "server"},
};

constexpr Command kObjectCommands[] = {
    {"object", -2, 0, kCatSlow, 0, 0, 0, nullptr, kObjectSubcommands, "A container for object introspection commands",
     "2.2.3", "generic", "Depends on subcommand."},
    {"memory", -2, 0, kCatSlow, 0, 0, 0, nullptr, kMemorySubcommands, "A container for memory diagnostics commands",
     "4.0.0", "server", "Depends on subcommand."},
};

}  // namespace

std::span<const Command> ObjectCommands() { return kObjectCommands; }

}  // namespace zerohop::resp
