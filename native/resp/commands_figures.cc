// commands_figures.cc: what the engine knows, as JSON: figures of the whole, and why one key is kept or was evicted.
// docs/RESP.md tells the members.
#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <utility>

#include "resp/client.h"
#include "resp/commands.h"
#include "resp/leases.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

// ── The whole ───────────────────────────────────────────────────────────────────────────────────────────────────────

using Figures = std::initializer_list<std::pair<const char*, uint64_t>>;

// `"name":1,"other":2`: names and numbers need no escapes.
std::string JsonOf(const Figures& figures) {
  std::string json;
  for (const auto& [name, value] : figures) {
    json.append(json.empty() ? "\"" : ",\"").append(name).append("\":").append(std::to_string(value));
  }
  return json;
}

// A name of a keyspace, which is UTF-8, as JSON has it.
std::string JsonOfName(std::string_view name) {
  std::string json = "\"";
  for (const char byte : name) {
    if (byte == '"' || byte == '\\') json += '\\';
    if (static_cast<unsigned char>(byte) >= 0x20) {
      json += byte;
    } else {
      char escape[16];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(byte));
      json += escape;
    }
  }
  return json += '"';
}

// The databases that somebody used, each with the name and the counts of its keyspace.
std::string JsonOfDatabases(Context& context) {
  std::string json;
  context.server.EachDatabase([&](size_t database, uint16_t space) {
    const CountTotals counts = context.cache.CountsOf(space);
    const auto counted = [&](Count which) { return counts[static_cast<size_t>(which)]; };
    json.append(json.empty() ? "{" : ",{")
        .append(JsonOf({{"database", database},
                        {"entries", context.cache.EntriesOf(space)},
                        {"hits", counted(Count::kHits)},
                        {"misses", counted(Count::kMisses)},
                        {"sets", counted(Count::kSets)},
                        {"evictedEntries", counted(Count::kEvictedEntries) + counted(Count::kTrimmedEntries)}}))
        .append(",\"keyspace\":" + JsonOfName(context.cache.NameOf(space)) + "}");
  });
  return json;
}

void Stats(Context& context) {
  const CacheUsage usage = context.cache.Usage();
  const auto counted = [&](Count which) { return usage.counts[static_cast<size_t>(which)]; };
  const Figures refused = {{"pinned", counted(Count::kRefusedPinned)},
                           {"readers", counted(Count::kRefusedReaders)},
                           {"memory", counted(Count::kRefusedMemory)},
                           {"worth", counted(Count::kRefusedWorth)}};
  const Figures evicted = {{"capacity", counted(Count::kEvictedEntries)},
                           {"maxEntries", counted(Count::kTrimmedEntries)}};
  const auto sum = [](const Figures& figures) {
    uint64_t total = 0;
    for (const auto& figure : figures) total += figure.second;
    return total;
  };
  std::string sections = context.server.sections();
  if (!sections.empty()) sections += ',';
  std::string json = "{";
  json.append(JsonOf({
                  {"entries", usage.entries},
                  {"keyspaces", usage.keyspaces},
                  {"maxBytes", context.cache.options().max_bytes},
                  {"usedBytes", usage.segment_bytes * usage.committed_segments + usage.index_bytes},
                  {"indexBytes", usage.index_bytes},
                  {"segments", usage.segments},
                  {"freeSegments", usage.free_segments},
                  {"exposedSegments", usage.exposed_segments},
                  {"hits", counted(Count::kHits)},
                  {"misses", counted(Count::kMisses)},
                  {"sets", counted(Count::kSets)},
                  {"deletes", counted(Count::kDeletes)},
                  {"refusedSets", sum(refused)},
                  {"evictedEntries", sum(evicted)},
                  {"expiredEntries", counted(Count::kExpired)},
                  {"corruptedEntries", counted(Count::kCorrupted)},
                  {"leases", Leases::Of(context.server).count()},
              }))
      .append(",\"refusedBy\":{" + JsonOf(refused) + "},\"evictedBy\":{" + JsonOf(evicted) + "}")
      .append(",\"databases\":[" + JsonOfDatabases(context) + "]")
      .append("," + sections + "\"evicting\":")
      .append(usage.evicting ? "true}" : "false}");
  context.reply.Bulk(json);
}

// ── A key ───────────────────────────────────────────────────────────────────────────────────────────────────────────

// JSON has no infinity: there it is null.
std::string NumberOf(float number) {
  if (!std::isfinite(number)) return "null";
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.7g", static_cast<double>(number));
  return digits;
}

// How the policy judges, or judged, an entry.
std::string JudgementOf(uint32_t frequency, float gap, float idle, float worth, float threshold) {
  return "\"frequency\":" + std::to_string(frequency) + ",\"gap\":" + NumberOf(gap) + ",\"idle\":" + NumberOf(idle) +
         ",\"worth\":" + NumberOf(worth) + ",\"threshold\":" + NumberOf(threshold);
}

std::string EntryOf(const EntryFacts& facts) {
  const uint64_t now = NowUs(), ends = facts.hit.expires_us;
  return "{\"size\":" + std::to_string(facts.hit.bytes) + ",\"ageMs\":" + std::to_string(facts.age_us / 1000) +
         ",\"ttlMs\":" + (ends == kNever ? "null" : std::to_string(ends > now ? (ends - now) / 1000 : 0)) +
         ",\"cost\":" + NumberOf(facts.cost) + "," +
         JudgementOf(facts.frequency, facts.gap, facts.idle, facts.worth, facts.threshold) + "}";
}

const char* ReasonOf(EvictionRecord::Why why) {
  switch (why) {
    case EvictionRecord::Why::kTrimmed: return "maxEntries";
    case EvictionRecord::Why::kRefused: return "worth";
    default: return "capacity";
  }
}

std::string EvictionOf(const LastEviction& last) {
  return std::string("{\"reason\":\"") + ReasonOf(last.why) + "\"," +
         JudgementOf(last.frequency, last.gap, last.idle, last.worth, last.threshold) + "}";
}

void Explain(Context& context) {
  const Bytes key = context.args.AsBytes(1);
  const auto facts = context.cache.Describe(context.Guard(), context.session, context.space, key);
  const auto last = context.cache.LastEvictionOf(context.space, key);
  context.reply.Bulk("{\"entry\":" + (facts ? EntryOf(*facts) : "null") +
                     ",\"lastEviction\":" + (last ? EvictionOf(*last) : "null") +
                     ",\"evicting\":" + (context.cache.Usage().evicting ? "true}" : "false}"));
}

constexpr Command kFigureCommands[] = {
    {"zh.stats",
     1,
     kReadOnly,
     kCatRead | kCatSlow,
     0,
     0,
     0,
     Stats,
     {},
     "Get figures of the cache as JSON",
     "7.0.0",
     "zerohop"},
    {"zh.explain",
     2,
     kReadOnly | kGuarded,
     kCatKeyspace | kCatRead | kCatSlow,
     1,
     1,
     1,
     Explain,
     {},
     "Get as JSON why a key is kept, or was evicted",
     "7.0.0",
     "zerohop"},
};

}  // namespace

std::span<const Command> FigureCommands() { return kFigureCommands; }

}  // namespace zerohop::resp
