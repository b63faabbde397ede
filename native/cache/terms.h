// The terms on which a cache or a keyspace was opened, as text for messages: "maxBytes 1048576, ttl 5000 ms".  Whoever
// opens it again, in whatever thread, must give the same ones.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace zerohop {

inline std::vector<std::string> TermsOf(const std::string& told) {
  static constexpr std::string_view kBetween = ", ";
  std::vector<std::string> terms;
  for (size_t at = 0; at <= told.size();) {
    const size_t end = std::min(told.find(kBetween, at), told.size());
    terms.push_back(told.substr(at, end - at));
    at = end + kBetween.size();
  }
  return terms;
}

// Those of `told` that are not among `other`.
inline std::string DifferingTerms(const std::string& told, const std::string& other) {
  const std::vector<std::string> others = TermsOf(other);
  std::string differing;
  for (const std::string& term : TermsOf(told)) {
    if (std::find(others.begin(), others.end(), term) != others.end()) continue;
    differing += (differing.empty() ? "" : ", ") + term;
  }
  return differing;
}

}  // namespace zerohop
