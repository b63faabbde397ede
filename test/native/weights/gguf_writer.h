// gguf_writer.h: GGUF files for the tests, written from the specification; every field can lie.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace zerohop::testing {

// ggml's types, as the specification and ggml-common.h have them.
struct WrittenType {
  uint32_t number;
  const char* name;
  uint64_t block_elements, block_bytes;
};
inline constexpr WrittenType kWrittenTypes[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},      {3, "Q4_1", 32, 20},
    {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},      {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},
    {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},   {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},   {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56},
    {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},   {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},
    {40, "NVFP4", 64, 36},    {41, "Q1_0", 128, 18},    {42, "Q2_0", 64, 18},
};

template <class T>
std::string Plain(T value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

inline std::string Lengthy(std::string_view text) { return Plain<uint64_t>(text.size()) + std::string(text); }

// A key, its type's number, and its bytes.
inline std::string Valued(std::string_view key, uint32_t type, std::string_view bytes) {
  return Lengthy(key) + Plain(type) + std::string(bytes);
}
inline std::string Array(uint32_t element, uint64_t count, std::string_view bytes) {
  return Plain(element) + Plain(count) + std::string(bytes);
}

struct WrittenTensor {
  std::string name = "w";
  std::vector<uint64_t> dimensions{8};  // the innermost first
  uint32_t type = 0;
  uint64_t bytes = 32;
  std::optional<uint64_t> offset{};           // otherwise where the one before ends
  std::optional<uint32_t> dimension_count{};  // otherwise as many as there are
  std::optional<uint64_t> name_bytes{};       // the same
};

struct WrittenFile {
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> tensor_count{}, value_count{};  // otherwise as many as there are
  std::vector<std::string> values{};
  std::vector<WrittenTensor> tensors{};
  uint64_t alignment = 32;  // that it is padded to, whatever the values say
};

inline void Pad(std::string& bytes, uint64_t alignment) {
  bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
}

// Preamble, values and tensors' descriptions.
inline std::string WriteHeader(const WrittenFile& file) {
  std::string out = file.magic + Plain(file.version) +
                    Plain<uint64_t>(file.tensor_count.value_or(file.tensors.size())) +
                    Plain<uint64_t>(file.value_count.value_or(file.values.size()));
  for (const std::string& value : file.values) out += value;
  uint64_t offset = 0;
  for (const WrittenTensor& tensor : file.tensors) {
    out += Plain<uint64_t>(tensor.name_bytes.value_or(tensor.name.size())) + tensor.name;
    out += Plain(tensor.dimension_count.value_or(static_cast<uint32_t>(tensor.dimensions.size())));
    for (const uint64_t size : tensor.dimensions) out += Plain(size);
    out += Plain(tensor.type) + Plain(tensor.offset.value_or(offset));
    offset += (tensor.bytes + file.alignment - 1) / file.alignment * file.alignment;
  }
  return out;
}

// The whole file; tensor i is all of the byte i + 1.
inline std::string Write(const WrittenFile& file) {
  std::string out = WriteHeader(file);
  Pad(out, file.alignment);
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    out += std::string(file.tensors[i].bytes, static_cast<char>(i + 1));
    Pad(out, file.alignment);
  }
  return out;
}

}  // namespace zerohop::testing
