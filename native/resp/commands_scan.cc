// commands_scan.cc: which keys there are: SCAN, KEYS and RANDOMKEY.
//
// A SCAN cursor is a place in the order of the keys' hashes (Cache::ScanFrom): it stays right while others write and
// the index grows, it needs nothing kept here, and no key is told twice.
#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "resp/ascii.h"
#include "resp/client.h"
#include "resp/commands.h"
#include "resp/entries.h"
#include "resp/glob.h"
#include "resp/numbers.h"
#include "resp/server.h"
#include "resp/shared_text.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

// Lines of the index that one guard is held for: meanwhile nobody's memory is used again.
constexpr size_t kLinesAGuard = 4096;
// Lines that KEYS looks at in a turn: some thousands of keys.
constexpr size_t kLinesAStep = 512;
// Of KEYS's reply that are kept in one piece, and how many of them a key may leave free.
constexpr size_t kTextBytes = size_t{64} << 10, kTextSlackBytes = 256;
// Keys that a SCAN tells at most, whatever COUNT says.
constexpr size_t kScanKeysMax = 10000;
// Lines that a SCAN looks at, at least, before it returns with less than it was asked for: 64 KiB.
constexpr size_t kScanLinesMin = 1024;

// As strtoul reads it, which Redis does: a sign is allowed, and a minus turns the number round.
std::optional<uint64_t> ParseCursor(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return negative ? std::nullopt : std::optional<uint64_t>(0);
  uint64_t cursor = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cursor);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return negative ? 0 - cursor : cursor;
}

void Scan(Context& context) {
  const Args& args = context.args;
  auto cursor = ParseCursor(args[1]);
  if (!cursor) return context.reply.Error("ERR invalid cursor");
  int64_t count = 10;
  std::string_view pattern = "*";
  bool strings = true;
  for (size_t i = 2; i < args.size(); i += 2) {
    if (i + 1 == args.size()) return context.reply.SyntaxError();
    if (EqualsAnyCase(args[i], "count")) {
      const auto number = ParseInteger(args[i + 1]);
      if (!number) return context.reply.NotAnInteger();
      if (*number < 1) return context.reply.SyntaxError();
      count = *number;
    } else if (EqualsAnyCase(args[i], "match")) {
      pattern = args[i + 1];
    } else if (EqualsAnyCase(args[i], "type")) {
      strings = EqualsAnyCase(args[i + 1], "string");
    } else {
      return context.reply.SyntaxError();
    }
  }
  std::vector<std::string> keys;
  const bool all = pattern == "*";
  const auto visit = [&](Bytes key, bool) {
    if (strings && (all || GlobMatches(pattern, TextOf(key)))) keys.emplace_back(TextOf(key));
  };
  // What does not match counts as looked at, as in Redis.
  size_t left = std::min(static_cast<size_t>(count), kScanKeysMax);
  size_t lines = std::max(left, kScanLinesMin);
  do {
    const size_t some = std::min(lines, kLinesAGuard);
    size_t looked = 0;
    ReadGuard guard(context.cache.epochs(), context.session);
    *cursor = context.cache.ScanFrom(guard, context.space, *cursor, left, some, [&](Bytes key, bool is_bytes) {
      ++looked;
      visit(key, is_bytes);
    });
    left -= std::min(left, looked);
    lines -= some;
  } while (*cursor != 0 && left > 0 && lines > 0);
  context.reply.Array(2);
  context.reply.Bulk(std::to_string(*cursor));
  context.reply.Array(keys.size());
  for (const std::string& key : keys) context.reply.Bulk(key);
}

// What KEYS has found so far: the client's next turn goes on.
struct KeysWalk final : ClientPart {
  uint64_t cursor = 0;
  size_t count = 0;
  std::string text;  // bulk strings that are not in `texts` yet
  std::vector<SharedTextRef> texts;

  void Pack(Server& server) {
    texts.push_back(std::make_shared<const SharedText>(std::move(text), server.held_bytes));
    text.clear();
  }
};

// A few keys in a turn, so that other clients need not wait for all.  A transaction has no turns.
void Keys(Context& context) {
  Client& client = context.client;
  if (!client.steps) client.steps = std::make_unique<KeysWalk>();
  auto& walk = static_cast<KeysWalk&>(*client.steps);
  const std::string_view pattern = context.args[1];
  do {
    ReadGuard guard(context.cache.epochs(), context.session);
    walk.cursor =
        context.cache.ScanFrom(guard, context.space, walk.cursor, SIZE_MAX, kLinesAStep, [&](Bytes key, bool) {
          if (!GlobMatches(pattern, TextOf(key))) return;
          if (walk.text.empty()) walk.text.reserve(kTextBytes);
          ++walk.count;
          walk.text.append("$").append(std::to_string(key.size())).append("\r\n").append(TextOf(key)).append("\r\n");
          if (walk.text.size() >= kTextBytes - kTextSlackBytes) walk.Pack(context.server);
        });
    if (walk.cursor != 0 && !client.Has(kClientInExec)) return context.worker.GoOnInSteps(client);
  } while (walk.cursor != 0);
  context.reply.Array(walk.count);
  for (const SharedTextRef& text : walk.texts) context.reply.out().Share(text);
  context.reply.out().Put(walk.text);
  client.steps.reset();
}

void RandomKey(Context& context) {
  const auto key = context.cache.RandomKey(context.session, context.space);
  key ? context.reply.Bulk(Bytes(key->bytes)) : context.reply.Null();
}

constexpr Command kScanCommands[] = {
    {"scan",
     -2,
     kReadOnly,
     kCatKeyspace | kCatRead | kCatSlow,
     0,
     0,
     0,
     Scan,
     {},
     "Incrementally iterate the keys space",
     "2.8.0",
     "generic",
     "O(1)"},
    {"keys",
     2,
     kReadOnly,
     kCatKeyspace | kCatRead | kCatSlow | kCatDangerous,
     0,
     0,
     0,
     Keys,
     {},
     "Find all keys matching the given pattern",
     "1.0.0",
     "generic",
     "O(N)"},
    {"randomkey",
     1,
     kReadOnly,
     kCatKeyspace | kCatRead | kCatSlow,
     0,
     0,
     0,
     RandomKey,
     {},
     "Return a random key from the keyspace",
     "1.0.0",
     "generic",
     "O(1)"},
};

}  // namespace

std::span<const Command> ScanCommands() { return kScanCommands; }

}  // namespace zerohop::resp
