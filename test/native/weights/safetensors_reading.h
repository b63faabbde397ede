// safetensors_reading.h: how the tests read a safetensors header: what it is refused with, and where.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "check.h"
#include "weights/believed.h"
#include "weights/safetensors.h"

namespace zerohop::testing {

inline std::string LengthBytes(uint64_t length) {
  std::string out;
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(length >> shift));
  return out;
}

inline std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

inline Parsed<SafetensorsHeader> ParseJson(const std::string& json, uint64_t data_bytes) {
  const std::string head = LengthBytes(json.size()) + json;
  return ParseSafetensors(Bytes(head), head.size() + data_bytes);
}

template <class T>
inline std::string CodeOf(const Parsed<T>& parsed) {
  const auto* const refusal = std::get_if<Refusal>(&parsed);
  return refusal == nullptr ? "accepted" : refusal->code;
}

template <class T>
inline uint64_t OffsetOf(const Parsed<T>& parsed) {
  const auto* const refusal = std::get_if<Refusal>(&parsed);
  return refusal == nullptr ? UINT64_MAX : refusal->offset;
}

// The code that a header is refused with.  A '^' in it, which is taken out, says at which byte.
inline std::string Lie(std::string json, uint64_t data_bytes) {
  const size_t place = json.find('^');
  if (place != std::string::npos) json.erase(place, 1);
  const Parsed<SafetensorsHeader> parsed = ParseJson(json, data_bytes);
  const uint64_t offset = OffsetOf(parsed);
  const bool here = place == std::string::npos || offset == kSafetensorsLengthBytes + place;
  return CodeOf(parsed) + (here ? "" : " at byte " + std::to_string(offset));
}

inline SafetensorsHeader Accepted(const std::string& json, uint64_t data_bytes) {
  Parsed<SafetensorsHeader> parsed = ParseJson(json, data_bytes);
  if (const auto* const refusal = std::get_if<Refusal>(&parsed)) CHECK_EQ(refusal->message, "accepted");
  REQUIRE(std::holds_alternative<SafetensorsHeader>(parsed));
  const uint64_t file_bytes = kSafetensorsLengthBytes + json.size() + data_bytes;
  CHECK_EQ(check::Violation(parsed, file_bytes), "");
  return std::get<SafetensorsHeader>(std::move(parsed));
}

}  // namespace zerohop::testing
