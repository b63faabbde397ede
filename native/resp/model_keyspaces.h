// model_keyspaces.h: which keyspaces hold the results of a model, by their names.
//
// A model of the process has a keyspace for each version, scope and set of parameters (lib/model/attach.ts):
//
//   model ["name","version",null] 0123456789abcdef                 of public scope
//   ["model [\"name\",\"version\",\"scope\"] 0123456789abcdef","scope"]     of another scope (lib/cache/cache.ts)
//
// Both are JSON in them as JSON.stringify writes it, so a name begins in one way only, whatever is in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace zerohop::resp {

class ModelKeyspaces {
 public:
  // Without a version: those of all versions.
  ModelKeyspaces(std::string_view model, std::optional<std::string_view> version) {
    public_begin_ = "model [\"" + Escaped(model) + "\",";
    if (version) public_begin_ += "\"" + Escaped(*version) + "\",";
    scoped_begin_ = "[\"" + Escaped(public_begin_);
  }

  bool Has(std::string_view keyspace) const {
    return keyspace.starts_with(public_begin_) || keyspace.starts_with(scoped_begin_);
  }

 private:
  // As JSON.stringify writes it within quotes.
  static std::string Escaped(std::string_view text) {
    constexpr std::string_view kLetters = "btn?fr";  // of \b to \r, 8 to 13; 11 has none
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string escaped;
    escaped.reserve(text.size() + 8);
    for (const char letter : text) {
      const auto code = static_cast<unsigned char>(letter);
      if (letter == '"' || letter == '\\') {
        (escaped += '\\') += letter;
      } else if (code >= '\b' && code <= '\r' && code != '\v') {
        (escaped += '\\') += kLetters[code - '\b'];
      } else if (code < 0x20) {
        ((escaped += "\\u00") += kDigits[code >> 4]) += kDigits[code & 15];
      } else {
        escaped += letter;
      }
    }
    return escaped;
  }

  std::string public_begin_, scoped_begin_;
};

}  // namespace zerohop::resp
