// tensor.h: what the checked header of a file of weights says: names, types, shapes, places.
//
// Both readers (safetensors.h, gguf.h) give these types.  A Refusal says why a file was refused, and at which byte it
// is wrong.  Nothing here refers to the file's memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace zerohop {

// How elements lie in memory: in blocks of so many elements and so many bits.
struct DType {
  const char* name;         // as safetensors or ggml write it: "F32", "BF16", "Q4_K"
  uint32_t block_elements;  // 1 but for quantised types
  uint32_t block_bits;
};

struct Tensor {
  std::string name;
  const DType* dtype = nullptr;
  std::vector<uint64_t> shape;  // the outermost dimension first, whatever the file's own order
  uint64_t begin = 0, end = 0;  // bytes in the file
};

// Limits of one file, or of the index of several.  Choices: each item costs some hundred bytes until JavaScript has it,
// so without a limit 100 MB of header would make gigabytes.  The largest models known have 100 000 tensors, in many
// files, and some hundred values.
inline constexpr uint64_t kTensorsMax = uint64_t{1} << 20;
inline constexpr uint64_t kMetadataMax = uint64_t{1} << 16;

struct Refusal {
  std::string code;     // ERR_WEIGHTS_...
  std::string message;  // what was expected, what is there
  uint64_t offset = 0;  // in the file
};

// A value, or why there is none.
template <class T>
using Parsed = std::variant<T, Refusal>;

}  // namespace zerohop
