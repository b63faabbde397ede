#include "resp/settings.h"

#include <algorithm>
#include <charconv>

#include "resp/ascii.h"
#include "resp/numbers.h"

namespace zerohop::resp {
namespace {

std::vector<std::string_view> SplitWords(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::string JoinWords(std::span<const std::string> words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
  return text;
}

std::string LimitText(const char* name, const OutputLimit& limit) {
  return std::string(name) + " " + std::to_string(limit.hard_bytes) + " " + std::to_string(limit.soft_bytes) + " " +
         std::to_string(limit.soft_seconds);
}

std::string ReadLimits(const Config& config) {
  return LimitText("normal", config.output_normal) + " " + LimitText("slave", config.output_replica) + " " +
         LimitText("pubsub", config.output_pubsub);
}

std::string WriteLimits(Config* config, std::string_view value) {
  const auto words = SplitWords(value);
  if (words.empty() || words.size() % 4 != 0) return "Wrong number of arguments in buffer limit configuration.";
  for (size_t i = 0; i < words.size(); i += 4) {
    OutputLimit* const limit = EqualsAnyCase(words[i], "normal")   ? &config->output_normal
                               : EqualsAnyCase(words[i], "pubsub") ? &config->output_pubsub
                               : EqualsAnyCase(words[i], "slave") || EqualsAnyCase(words[i], "replica")
                                   ? &config->output_replica
                                   : nullptr;
    if (limit == nullptr) return "Invalid client class specified in buffer limit configuration.";
    const auto hard = ParseMemory(words[i + 1]), soft = ParseMemory(words[i + 2]);
    const auto seconds = ParseInteger(words[i + 3]);
    if (!hard || !soft || !seconds || *seconds < 0)
      return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    *limit = {*hard, *soft, static_cast<uint64_t>(*seconds)};
  }
  return {};
}

std::string CheckSave(std::string_view value) {
  const auto words = SplitWords(value);
  if (words.size() % 2 != 0) return "Invalid save parameters";
  for (size_t i = 0; i < words.size(); ++i) {
    const auto number = ParseInteger(words[i]);
    if (!number || *number < (i % 2 == 0 ? 1 : 0)) return "Invalid save parameters";
  }
  return {};
}

// The letters that Redis tells back, in its order; none: not letters of events.
std::optional<std::string> EventLetters(std::string_view value) {
  constexpr std::string_view kAll = "g$lshzxetd";  // what `A` stands for
  std::string told;
  bool all = true;
  const auto has = [&](char letter) {
    return value.find(letter) != std::string_view::npos ||
           (kAll.find(letter) != std::string_view::npos && value.find('A') != std::string_view::npos);
  };
  for (const char letter : value) {
    if (kAll.find(letter) == std::string_view::npos && std::string_view("AKEmn").find(letter) == std::string_view::npos)
      return std::nullopt;
  }
  for (const char letter : kAll) all = all && has(letter);
  if (all) told = "A";
  for (const char letter : kAll) {
    if (!all && has(letter)) told += letter;
  }
  for (const char letter : std::string_view("KEmn")) {
    if (has(letter)) told += letter;
  }
  return told;
}

std::string Range(const Setting& setting) {
  return "argument must be between " + std::to_string(setting.min) + " and " + std::to_string(setting.max) +
         " inclusive";
}

// A number of any kind, as text that is kept, or into its field.
std::string WriteNumber(Config* config, const Setting& setting, std::string_view value) {
  using Kind = Setting::Kind;
  if (setting.kind == Kind::kPercent && value.size() > 1 && value.back() == '%') {
    if (const auto share = ParseInteger(value.substr(0, value.size() - 1)); share && *share >= 0) {
      if (*share > 100) return "percentage argument must be less or equal to 100";
      config->kept[setting.name] = value;
      const auto whole = ParseMemory(config->kept["maxmemory"]);
      if (setting.number != nullptr) config->*setting.number = whole.value_or(0) / 100 * static_cast<uint64_t>(*share);
      return {};
    }
  }
  std::optional<int64_t> number;
  if (setting.kind == Kind::kNumber) {
    number = ParseInteger(value);
    if (!number) return "argument couldn't be parsed into an integer";
  } else if (setting.kind == Kind::kOctal) {
    unsigned octal;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), octal, 8);
    if (error != std::errc() || end != value.data() + value.size())
      return "argument couldn't be parsed as an octal number";
    number = octal;
  } else {
    const auto bytes = ParseMemory(value);
    if (!bytes) {
      return setting.kind == Kind::kPercent ? "argument must be a memory or percent value"
                                            : "argument must be a memory value";
    }
    if (*bytes > INT64_MAX) return Range(setting);
    number = static_cast<int64_t>(*bytes);
  }
  if (*number < setting.min || *number > setting.max) return Range(setting);
  if (setting.number != nullptr) config->*setting.number = static_cast<uint64_t>(*number);
  // A number, where it may be told as a share too.
  if (setting.number == nullptr || setting.kind == Kind::kPercent)
    config->kept[setting.name] = setting.kind == Kind::kOctal ? std::string(value) : std::to_string(*number);
  return {};
}

}  // namespace

std::optional<uint64_t> ParseMemory(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  constexpr struct {
    const char* name;
    uint64_t bytes;
  } kUnits[] = {{"", 1},
                {"b", 1},
                {"k", 1000},
                {"kb", 1024},
                {"m", 1000 * 1000},
                {"mb", 1024 * 1024},
                {"g", 1000 * 1000 * 1000},
                {"gb", 1024 * 1024 * 1024}};
  uint64_t number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  if (error != std::errc() || end != text.data() + digits) return std::nullopt;
  for (const auto& [name, bytes] : kUnits) {
    if (!EqualsAnyCase(text.substr(digits), name)) continue;
    if (number > UINT64_MAX / bytes) return std::nullopt;
    return number * bytes;
  }
  return std::nullopt;
}

const Setting* FindSetting(std::string_view name) {
  for (const Setting& setting : AllSettings()) {
    if (EqualsAnyCase(name, setting.name) || (setting.alias != nullptr && EqualsAnyCase(name, setting.alias)))
      return &setting;
  }
  return nullptr;
}

std::string ReadSetting(const Config& config, const Setting& setting) {
  if (setting.number != nullptr && setting.kind != Setting::Kind::kPercent)
    return std::to_string(config.*setting.number);
  if (setting.flag != nullptr) return config.*setting.flag ? "yes" : "no";
  if (setting.text != nullptr) return config.*setting.text;
  if (setting.kind == Setting::Kind::kLimits) return ReadLimits(config);
  if (std::string_view(setting.name) == "bind") return JoinWords(config.bind);
  const auto found = config.kept.find(setting.name);
  return found == config.kept.end() ? setting.first : found->second;
}

std::string WriteSetting(Config* config, const Setting& setting, std::string_view value) {
  using Kind = Setting::Kind;
  if (setting.only_same != nullptr) return value == ReadSetting(*config, setting) ? "" : setting.only_same;
  switch (setting.kind) {
    case Kind::kFlag: {
      const bool yes = EqualsAnyCase(value, "yes");
      if (!yes && !EqualsAnyCase(value, "no")) return "argument must be 'yes' or 'no'";
      if (setting.flag != nullptr)
        config->*setting.flag = yes;
      else
        config->kept[setting.name] = yes ? "yes" : "no";
      return {};
    }
    case Kind::kNumber:
    case Kind::kMemory:
    case Kind::kPercent:
    case Kind::kOctal: return WriteNumber(config, setting, value);
    case Kind::kChoice: {
      const std::string list = std::string(", ") + setting.choices + ", ";
      const std::string lower = LowerCase(value);
      for (const std::string_view word : SplitWords(lower)) {
        if (list.find(", " + std::string(word) + ", ") == std::string::npos)
          return "argument(s) must be one of the following: " + std::string(setting.choices);
      }
      if (lower.empty()) return "argument(s) must be one of the following: " + std::string(setting.choices);
      config->kept[setting.name] = lower;
      return {};
    }
    case Kind::kLimits: return WriteLimits(config, value);
    case Kind::kEvents: {
      const auto letters = EventLetters(value);
      if (!letters) return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
      config->kept[setting.name] = *letters;
      return {};
    }
    case Kind::kSave:
      if (std::string error = CheckSave(value); !error.empty()) return error;
      [[fallthrough]];
    case Kind::kText:
    case Kind::kList:
      if (setting.text != nullptr)
        config->*setting.text = value;
      else
        config->kept[setting.name] = value;
      return {};
  }
  return {};
}

}  // namespace zerohop::resp
