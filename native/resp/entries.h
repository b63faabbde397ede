// entries.h: what commands do with an entry: look at it, write it back, and say why that could not be.
//
//   Peek      under the pass's guard, for commands that only read
//   Update    reads, computes and stores, again and again until nobody wrote in between
//
// A key that the cache could not hold is never found, and every command that would store it answers with an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/constants.h"
#include "base/utf8.h"
#include "cache/cache.h"
#include "resp/command.h"
#include "resp/server.h"

namespace zerohop::resp {

inline std::string_view TextOf(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Bytes BytesOf(std::string_view text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }

// What lies in the cache; valid under the guard that it was found under.
struct Old {
  Bytes value;
  uint64_t expires_us;
  std::string_view text() const { return TextOf(value); }
};

inline std::optional<Old> Look(Context& context, const ReadGuard& guard, Bytes key, Cache::Use use) {
  const Hit hit = context.cache.Find(guard, context.session, context.space, key, use);
  if (!hit) return std::nullopt;
  return Old{{context.cache.arena().bytes() + hit.at, hit.bytes}, hit.expires_us};
}
// REQUIRES: kGuarded.
inline std::optional<Old> Peek(Context& context, Bytes key, Cache::Use use = Cache::Use::kCount) {
  return Look(context, context.Guard(), key, use);
}

// False, and an error is the answer, if the cache cannot hold the key, or refused to store.
bool KeyFits(Context& context, Bytes key);
bool Stored(Reply& reply, SetOutcome outcome);
inline bool Stored(Context& context, SetOutcome outcome) { return Stored(context.reply, outcome); }

// How a command of a client stores: keys are told back as text where they are text, and a store that is refused leaves
// the old value, as in Redis.
inline StoreOptions OptionsFor(Bytes key, uint64_t expires_us = kNever) {
  return {.expires_us = expires_us, .key_is_bytes = !IsUtf8(TextOf(key)), .keep_old = true};
}

// A value for an entry to come; `bytes` may be an argument, or a string of the one who computes.
struct Next {
  enum class What : uint8_t { kLeave, kStore, kDelete } what = What::kLeave;
  Bytes bytes{};
  bool keep_terms = false;       // the end, the cost and the tags that it has, if it is there
  uint64_t expires_us = kNever;  // else these
  float cost = 0;
  std::span<const std::string_view> tags{};
  bool edited = false;  // EntryFacts::edited
  StagedValue* staged = nullptr;

  static Next Leave() { return {}; }
  static Next Delete() { return {.what = What::kDelete}; }
  static Next Store(Bytes bytes, uint64_t expires_us = kNever) {
    return {.what = What::kStore, .bytes = bytes, .expires_us = expires_us};
  }
  static Next Change(Bytes bytes, bool edited = false) {
    return {.what = What::kStore, .bytes = bytes, .keep_terms = true, .edited = edited};
  }
};

// Runs `compute(const std::optional<Old>&) -> Next` until what it says is done and nobody wrote in between.  False: it
// was refused, and an error is the answer.  `compute` runs under a guard: it must not call the cache, nor wait.
template <class Compute>
bool Update(Context& context, Bytes key, Compute compute) {
  if (!KeyFits(context, key)) return false;
  Cache& cache = context.cache;
  for (auto use = Cache::Use::kCount;; use = Cache::Use::kPeek) {
    const Expected expected = cache.Mark(context.space, key);
    Next next;
    bool there;
    {
      ReadGuard guard(cache.epochs(), context.session);
      const std::optional<Old> old = Look(context, guard, key, use);
      there = old.has_value();
      next = compute(old);
    }
    if (next.what == Next::What::kLeave) return true;
    if (next.what == Next::What::kDelete) {
      if (cache.DeleteIf(context.session, context.space, key, expected)) return true;
      continue;
    }
    StoreOptions options = OptionsFor(key, next.expires_us);
    options.cost = next.cost;
    options.tags = next.tags;
    options.expected = &expected;
    options.terms_of = next.keep_terms && there ? &key : nullptr;
    options.edited = next.edited;
    options.staged = next.staged;
    const SetOutcome outcome = cache.Set(context.session, context.space, key, next.bytes, options);
    if (outcome == SetOutcome::kChanged) continue;
    return Stored(context, outcome);
  }
}

// Gives the entry another end.  None: there is no such key, or `wanted(end)` says no; false: an error is the answer.
template <class Wanted>
std::optional<bool> ChangeEnd(Context& context, Bytes key, uint64_t expires_us, Wanted wanted) {
  Cache& cache = context.cache;
  for (;;) {
    const Expected expected = cache.Mark(context.space, key);
    {
      ReadGuard guard(cache.epochs(), context.session);
      const std::optional<Old> old = Look(context, guard, key, Cache::Use::kPeek);
      if (!old || !wanted(old->expires_us)) return std::nullopt;
    }
    if (expires_us <= NowUs()) {
      if (cache.DeleteIf(context.session, context.space, key, expected)) return true;
      continue;
    }
    const auto touched = cache.Touch(context.session, context.space, key, expires_us, &expected);
    if (!touched || *touched == SetOutcome::kChanged) continue;
    return Stored(context, *touched);
  }
}

}  // namespace zerohop::resp
