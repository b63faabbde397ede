// info_text.h: the text of INFO: sections of `name:value` lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace zerohop::resp {

class InfoText {
 public:
  void Section(std::string_view name) { text_.append(text_.empty() ? "# " : "\r\n# ").append(name).append("\r\n"); }
  void Field(std::string_view name, std::string_view value) {
    text_.append(name).append(":").append(value).append("\r\n");
  }
  void Field(std::string_view name, uint64_t value) { Field(name, std::string_view(std::to_string(value))); }
  void Field(std::string_view name, int value) { Field(name, static_cast<uint64_t>(value)); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace zerohop::resp
