// resp_parser_fuzz.cc: what a connection sends, cut anywhere, against the plain parser of the tests.
//
//   byte 0      bit 0: before AUTH   bit 1: words of at most 64 bytes
//   byte 1      the distance between cuts; 0: none
//   the rest    as it arrives
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "resp/look_ahead.h"
#include "resp/parser.h"
#include "resp/reference_parser.h"

namespace zerohop::resp {
namespace {

testing::Parsed ParseInPieces(const std::string& text, size_t distance, const Parser::Limits& limits) {
  Parser parser;
  testing::Parsed parsed;
  for (size_t cut = 0; cut < text.size();) {
    cut = std::min(text.size(), cut + distance);
    for (;;) {
      // Exactly what has arrived, so that the sanitizer sees a look beyond it.
      const std::vector<char> there(text.begin() + static_cast<ptrdiff_t>(parsed.used),
                                    text.begin() + static_cast<ptrdiff_t>(cut));
      Parser::Request request;
      const Parser::Outcome outcome = parser.Next({there.data(), there.size()}, limits, &request);
      if (outcome == Parser::Outcome::kIncomplete) break;
      if (outcome == Parser::Outcome::kError) {
        parsed.error = parser.error();
        return parsed;
      }
      std::vector<std::string> words;
      for (size_t i = 0; i < request.args.size(); ++i) words.emplace_back(request.args[i]);
      if (!words.empty()) parsed.requests.push_back(std::move(words));
      if (request.bytes == 0 || request.bytes > there.size()) std::abort();
      parsed.used += request.bytes;
    }
  }
  return parsed;
}

// What is read ahead, the parser reads alike under its narrowest limits.
void LookAheadIn(const std::string& text) {
  const std::vector<char> there(text.begin(), text.end());
  const std::string_view input(there.data(), there.size());
  LookAhead ahead;
  ahead.Read(input, 0);
  size_t at = 0;
  while (const LookAhead::Request* const read = ahead.At(at)) {
    Parser parser;
    Parser::Request request;
    if (parser.Next(input.substr(at), {int64_t{1} << 20, false}, &request) != Parser::Outcome::kRequest) std::abort();
    const Args args = read->args(input);
    if (read->end() != at + request.bytes || args.size() != request.args.size()) std::abort();
    for (size_t i = 0; i < args.size(); ++i) {
      if (args[i] != request.args[i]) std::abort();
    }
    at = read->end();
  }
}

}  // namespace
}  // namespace zerohop::resp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace zerohop::resp;
  if (size < 2) return 0;
  const Parser::Limits limits{(data[0] & 2) != 0 ? 64 : int64_t{512} << 20, (data[0] & 1) == 0};
  const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  LookAheadIn(text);
  const auto wanted = testing::ReferenceParse(text, limits);
  const auto seen = ParseInPieces(text, data[1] == 0 ? text.size() + 1 : data[1], limits);
  if (seen.requests != wanted.requests || seen.error != wanted.error) std::abort();
  if (wanted.error.empty() && seen.used != wanted.used) std::abort();
  return 0;
}
