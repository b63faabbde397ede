// gguf_reading.h: how the tests read a GGUF file: whole and piece by piece, from memory of exactly its size.
//
// Whatever the parser says, it must say the same in both ways, and gguf_checks.h must hold.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "check.h"
#include "weights/gguf.h"
#include "weights/gguf_checks.h"
#include "weights/gguf_writer.h"

namespace zerohop::testing {

inline constexpr uint64_t kGiB = uint64_t{1} << 30;

inline std::span<const std::byte> BytesOf(const std::string& bytes) {
  return {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
}

// Reads it in both ways, and checks what must be so of any answer.
inline Parsed<GgufHeader> Read(const std::string& file, uint64_t file_bytes) {
  Parsed<GgufHeader> parsed = ParseCopied(BytesOf(file), file_bytes);
  uint64_t asked;
  CHECK(Same(parsed, ParsePiecewise(BytesOf(file), file_bytes, asked)));
  if (const auto* const header = std::get_if<GgufHeader>(&parsed)) {
    const char* const wrong = Wrong(*header, BytesOf(file), file_bytes);
    CHECK_EQ(std::string(wrong == nullptr ? "" : wrong), std::string());
  } else {
    CHECK(!std::get<Refusal>(parsed).message.empty());
    CHECK(std::get<Refusal>(parsed).offset <= file_bytes);
  }
  return parsed;
}

// "VERSION at 4", or "accepted".
inline std::string SaidOf(const std::string& file, uint64_t file_bytes) {
  const Parsed<GgufHeader> parsed = Read(file, file_bytes);
  const auto* const refusal = std::get_if<Refusal>(&parsed);
  if (refusal == nullptr) return "accepted";
  CHECK(refusal->code.starts_with("ERR_WEIGHTS_"));
  return refusal->code.substr(12) + " at " + std::to_string(refusal->offset);
}
inline std::string SaidOf(const std::string& file) { return SaidOf(file, file.size()); }
inline std::string Said(const WrittenFile& file) { return SaidOf(Write(file)); }

// The header of a file that must be taken.
inline GgufHeader Taken(const WrittenFile& file) {
  const std::string bytes = Write(file);
  Parsed<GgufHeader> parsed = Read(bytes, bytes.size());
  if (const auto* const refusal = std::get_if<Refusal>(&parsed)) {
    check::Fail(__FILE__, __LINE__, refusal->code + ": " + refusal->message);
    throw check::Ended();
  }
  return std::get<GgufHeader>(std::move(parsed));
}

// A file of one value; its bytes begin at 24, those behind the key "k" at 33.
inline WrittenFile OfValue(std::string value) { return {.values = {std::move(value)}}; }
// A file of one tensor, named "w": its name is at 24, its dimensions' count at 33, the first of them at 37.
inline WrittenFile OfTensor(WrittenTensor tensor) { return {.tensors = {std::move(tensor)}}; }

inline std::string Alignment(uint32_t alignment) { return Valued("general.alignment", 4, Plain(alignment)); }

}  // namespace zerohop::testing
