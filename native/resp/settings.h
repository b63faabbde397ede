// settings.h: what CONFIG GET and CONFIG SET name: texts in, texts out, with Redis's checks and words.
//
// A setting is either *live*, a field of Config that the server reads, or *kept*: clients and tools of Redis read and
// set it, and nothing here depends on it.  A kept one is checked as Redis checks it, remembered, and told back; so
// `maxmemory`, which begins as the size of the cache, can be set and does not change that size.
//
// Threads  pure functions of a Config.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "resp/config.h"

namespace zerohop::resp {

struct Setting {
  enum class Kind : uint8_t {
    kFlag,     // yes, no
    kNumber,   // min … max
    kMemory,   // the same, with units
    kPercent,  // memory, or a share of it: told as `5%`
    kOctal,
    kChoice,  // one of `choices`
    kText,
    kSave,    // pairs of numbers
    kLimits,  // client-output-buffer-limit
    kEvents,  // notify-keyspace-events
    kList,    // words
  };
  const char* name;
  const char* alias = nullptr;
  Kind kind;
  const char* first = "";  // its value until it is set; of a kept one
  int64_t min = 0, max = INT64_MAX;
  const char* choices = nullptr;       // with ", " between
  bool fixed = false;                  // cannot be set while the server runs
  const char* only_same = nullptr;     // why it can be set to what it is already, and to nothing else
  bool hidden = false;                 // not found by a pattern
  uint64_t Config::*number = nullptr;  // of a live one
  bool Config::*flag = nullptr;
  std::string Config::*text = nullptr;
};

std::span<const Setting> AllSettings();
const Setting* FindSetting(std::string_view name);  // by name or alias, in any case

std::string ReadSetting(const Config& config, const Setting& setting);
// Empty: set.  Else what is wrong with the value.
std::string WriteSetting(Config* config, const Setting& setting, std::string_view value);

// "1gb", "512k", "100".  None: not a size.
std::optional<uint64_t> ParseMemory(std::string_view text);

}  // namespace zerohop::resp
