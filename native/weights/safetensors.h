// safetensors.h: reads the header of a safetensors file, and checks all of it before anything is used.
//
//   u64 N, little-endian | N bytes of JSON | data: each tensor behind the one before, from the first byte to the last
//
//   {"__metadata__": {"name": "text", …}, "tensor": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
//
// Offsets count from the beginning of the data.  The checks are those of the reference reader [ST], in its order, and
// three more: no name twice in an object, no tensor called __metadata__, no more than our limits.
//
// As in the reference reader, white space may stand around the JSON, and NULs behind it, with which some writers fill
// it up.  Unknown fields of a tensor are skipped.  A tensor may have no dimensions (it is one element) or no elements.
// The format promises no alignment.
//
// Refusals, in the order of the checks:
//
//   ERR_WEIGHTS_TRUNCATED    the file ends within the length, the header or the data
//   ERR_WEIGHTS_HEADER_SIZE  the header would be longer than kSafetensorsHeaderMax
//   ERR_WEIGHTS_HEADER_UTF8  the header is not UTF-8
//   ERR_WEIGHTS_HEADER_JSON  the header is not JSON, or not of the form above
//   ERR_WEIGHTS_COUNT        more than kTensorsMax tensors, or kMetadataMax texts
//   ERR_WEIGHTS_NAME         a tensor is called __metadata__
//   ERR_WEIGHTS_DTYPE        an unknown type
//   ERR_WEIGHTS_DUPLICATE    a name comes twice in an object
//   ERR_WEIGHTS_OFFSETS      data ends before it begins, overlaps, or leaves a hole
//   ERR_WEIGHTS_SHAPE        more than kDimensionsMax dimensions; more elements, or bits, than 2^64 - 1
//   ERR_WEIGHTS_SIZE         shape and type give another size than the offsets, or no whole number of bytes
//   ERR_WEIGHTS_TRAILING     bytes behind the last tensor
//
// Cost     O(n log n) in the tensors; memory at most some 15 times that of the header
// Threads  any: pure functions
//
// [ST] huggingface/safetensors, safetensors/src/tensor.rs, 2026
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weights/tensor.h"

namespace zerohop {

inline constexpr uint64_t kSafetensorsLengthBytes = 8;
inline constexpr uint64_t kSafetensorsHeaderMax = 100000000;  // bytes [ST, MAX_HEADER_SIZE]
inline constexpr uint64_t kShardIndexMax = kSafetensorsHeaderMax;

// NumPy's limit, the highest of all libraries that could use such a tensor.  Without a limit, a header of zeros would
// be four times as large in memory.
inline constexpr size_t kDimensionsMax = 64;

using NamedTexts = std::vector<std::pair<std::string, std::string>>;

struct SafetensorsHeader {
  std::vector<Tensor> tensors;  // in the order of their data
  NamedTexts metadata;          // in the order of the header
  uint64_t data_start = 0;      // bytes in the file
};

// The type of this name; null if the format has none.
const DType* SafetensorsType(std::string_view name);

// The length of the header, which begins behind the first kSafetensorsLengthBytes.  It says how much to read, so it is
// checked before anything is allocated.
Parsed<uint64_t> SafetensorsHeaderBytes(std::span<const std::byte> first, uint64_t file_bytes);

// `head`: the beginning of the file, at least up to the end of the header.
Parsed<SafetensorsHeader> ParseSafetensors(std::span<const std::byte> head, uint64_t file_bytes);

// `index`: all of a model.safetensors.index.json.  Gives pairs of a tensor and the file in which it is.  A file must be
// a plain name, so it can only lie beside the index.
//
//   ERR_WEIGHTS_INDEX_SIZE   more than kShardIndexMax bytes
//   ERR_WEIGHTS_INDEX_UTF8   the index is not UTF-8
//   ERR_WEIGHTS_INDEX_JSON   the index is not JSON, or has no weight_map of names and texts
//   ERR_WEIGHTS_COUNT        more than kTensorsMax tensors
//   ERR_WEIGHTS_SHARD_NAME   a file's name is empty, . or .., or has a slash, backslash, colon or NUL
//   ERR_WEIGHTS_DUPLICATE    a name comes twice in an object
Parsed<NamedTexts> ParseShardIndex(std::span<const std::byte> index);

}  // namespace zerohop
