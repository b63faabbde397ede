// believed.h: what must be true of everything that the readers of weights accept, and of how they refuse.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <variant>

#include "base/utf8.h"
#include "weights/safetensors.h"

namespace zerohop::check {

inline bool IsUtf8(const std::string& text) { return WellFormedUtf8(text.data(), text.size()) == text.size(); }

inline bool AreNamesUnique(const NamedTexts& texts) {
  std::set<std::string> names;
  for (const auto& [name, text] : texts) {
    if (!names.insert(name).second || !IsUtf8(name) || !IsUtf8(text)) return false;
  }
  return true;
}

// The bytes of a tensor by its shape and type; none if they are not whole, or more than a file can have.
inline std::string SizeViolation(const Tensor& tensor) {
  using Wide = unsigned __int128;
  Wide elements = 1;
  for (const uint64_t size : tensor.shape) {
    elements *= size;
    if (elements > UINT64_MAX) return "more elements than 2^64";
  }
  const Wide bits = elements * tensor.dtype->block_bits;
  return bits == Wide{tensor.end - tensor.begin} * 8 ? "" : "another size than its shape";
}

// What is wrong with an accepted header; empty if nothing is.
inline std::string Violation(const SafetensorsHeader& header, uint64_t file_bytes) {
  std::set<std::string> names;
  uint64_t end = header.data_start;
  for (const Tensor& tensor : header.tensors) {
    if (tensor.begin != end || tensor.end < tensor.begin) return tensor.name + ": not behind the one before";
    end = tensor.end;
    if (tensor.dtype == nullptr) return tensor.name + ": without type";
    if (const std::string wrong = SizeViolation(tensor); !wrong.empty()) return tensor.name + ": " + wrong;
    if (!names.insert(tensor.name).second) return tensor.name + ": twice";
    if (tensor.name == "__metadata__" || !IsUtf8(tensor.name)) return tensor.name + ": not a name";
  }
  if (end != file_bytes) return "the file does not end with the last tensor";
  return AreNamesUnique(header.metadata) ? "" : "metadata with a name twice, or no UTF-8";
}

inline std::string Violation(const NamedTexts& files) {
  for (const auto& [tensor, file] : files) {
    const bool plain = file.find_first_of(std::string("/\\:\0", 4)) == std::string::npos;
    if (file.empty() || file == "." || file == ".." || !plain) return file + ": not a plain name";
  }
  return AreNamesUnique(files) ? "" : "a name twice, or no UTF-8";
}

inline std::string Violation(const Refusal& refusal, uint64_t file_bytes) {
  if (!refusal.code.starts_with("ERR_WEIGHTS_")) return "a refusal without code";
  if (refusal.message.empty() || !IsUtf8(refusal.message)) return refusal.code + ": without message";
  return refusal.offset <= file_bytes ? "" : refusal.code + ": an offset beyond the file";
}

inline std::string Violation(const Parsed<SafetensorsHeader>& parsed, uint64_t file_bytes) {
  if (const auto* const refusal = std::get_if<Refusal>(&parsed)) return Violation(*refusal, file_bytes);
  return Violation(std::get<SafetensorsHeader>(parsed), file_bytes);
}

inline std::string Violation(const Parsed<NamedTexts>& parsed, uint64_t file_bytes) {
  if (const auto* const refusal = std::get_if<Refusal>(&parsed)) return Violation(*refusal, file_bytes);
  return Violation(std::get<NamedTexts>(parsed));
}

}  // namespace zerohop::check
