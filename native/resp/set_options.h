// set_options.h: what follows the value of SET and the key of GETEX, as Redis 7 reads it; and what only ZH.SET takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "resp/command.h"

namespace zerohop::resp {

struct SetOptions {
  enum Flags : uint32_t {
    kNx = 1u << 0,
    kXx = 1u << 1,
    kGet = 1u << 2,
    kKeepTtl = 1u << 3,
    kPersist = 1u << 4,
    kEx = 1u << 5,
    kPx = 1u << 6,
    kExAt = 1u << 7,
    kPxAt = 1u << 8,
  };
  static constexpr uint32_t kAnyEnd = kEx | kPx | kExAt | kPxAt;

  uint32_t flags = 0;
  std::string_view end;  // as it was given, if kAnyEnd
  float cost = 0;
  std::vector<std::string_view> tags;

  bool Has(uint32_t flag) const { return (flags & flag) != 0; }
};

enum class SetForm : uint8_t { kSet, kGetEx, kZhSet };

// The options from `args[from]` on; none, and an error is the answer, if they are not right.
std::optional<SetOptions> ParseSetOptions(Context& context, size_t from, SetForm form);

// Of an entry without an end: no client can ask for this one.
inline constexpr int64_t kNoEnd = INT64_MIN;

// When the entry is to end, as Unix ms, or kNoEnd.  None: an error is the answer.
std::optional<int64_t> EndOf(Context& context, uint32_t flags, std::string_view given);

}  // namespace zerohop::resp
