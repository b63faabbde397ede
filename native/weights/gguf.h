// gguf.h: reads the header of a GGUF file, and checks everything that it says before anything is used.
//
//   preamble   "GGUF" | u32 version | i64 tensors | i64 values                                    all little-endian
//   values     string key | u32 type | the value, or: u32 element type | u64 count | elements
//   tensors    string name | u32 dimensions | i64 each, innermost first | u32 type | u64 offset from the data's start
//   data       at the next multiple of the alignment; each tensor at a multiple of it
//   string     u64 bytes | text
//
// Whatever a file claims, nothing outside of it is read, and the header's bytes bound memory and time.  A count is used
// only if the bytes left could hold so many of the smallest item.  A size is multiplied only if the product fits.
//
//   ERR_WEIGHTS_MORE_NEEDED   no error: the header goes on behind the bytes given.  The refusal's offset says how many
//                             bytes are needed at least.  Read that many, or twice as many as last time if that is
//                             more: then all reading together is linear
//   ERR_WEIGHTS_TRUNCATED     the file ends within something
//   ERR_WEIGHTS_MAGIC         not a GGUF file
//   ERR_WEIGHTS_VERSION       neither 2 nor 3
//   ERR_WEIGHTS_ENDIANNESS    written for big-endian machines
//   ERR_WEIGHTS_COUNT         more tensors, values or elements than there are bytes for, or a negative number of them;
//                             more than kTensorsMax tensors, or kMetadataMax values
//   ERR_WEIGHTS_KEY           a key that is empty, over 65 535 bytes, or not of printable ASCII
//   ERR_WEIGHTS_NAME          a tensor's name of 64 bytes or more, with a NUL, or not UTF-8
//   ERR_WEIGHTS_DUPLICATE     two equal keys, or two equal names
//   ERR_WEIGHTS_VALUE         an unknown type of value, an array of arrays, a bool other than 0 and 1
//   ERR_WEIGHTS_ALIGNMENT     general.alignment is no UINT32, or 0
//   ERR_WEIGHTS_SPLIT         split.no, split.count and split.tensors.count contradict each other, or have other types
//   ERR_WEIGHTS_DTYPE         an unknown type of tensor
//   ERR_WEIGHTS_SHAPE         over 4 dimensions, a negative one, too many elements, a row that ends within a block
//   ERR_WEIGHTS_OFFSETS       a tensor that begins at no multiple of the alignment, or within another one
//   ERR_WEIGHTS_SIZE          bytes, or their sum, beyond what a file can have; a header beyond kGgufHeaderBytesMax
//
// Where the reference readers are laxer than the specification, so is this one: keys need not be lower case, the
// alignment need not be a multiple of 8, a dimension may be 0, and bytes may follow the last tensor.  Where the two
// reference readers (C++ and Python) differ, the laxer one counts: any alignment but 0, tensors in any order, and bytes
// of no tensor between them.  Unlike both, this one checks bools, refuses tensors that overlap, and does not ask for
// padding after the last.
//
// Invariants of a header   (I1) values: one behind the other, all before data_start; keys differ
//                          (I2) tensors: one behind the other, each at a multiple of the alignment, within the file;
//                               names differ; end - begin is what shape and type say
// Threads  any: pure functions.
//
// Sources  ggml/docs/gguf.md, ggml/src/gguf.cpp.  What other readers believed, and should not have: CVE-2024-21802,
//          CVE-2025-53630, CVE-2026-27940, CVE-2026-33298, CVE-2026-7482; gguf_test.cc has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/tensor.h"

namespace zerohop {

// Bytes before the data.  A choice: the largest tokenizers known take some 20 MiB.
inline constexpr uint64_t kGgufHeaderBytesMax = uint64_t{256} << 20;
inline constexpr uint64_t kGgufKeyBytesMax = 65535;  // the specification's
inline constexpr uint64_t kGgufNameBytesMax = 63;    // the reference reader's: 64 with a NUL behind it
inline constexpr uint32_t kGgufDimensionsMax = 4;    // the reference reader's
inline constexpr uint64_t kGgufAlignment = 32;       // bytes, if the file names none

// The values are the numbers in the file.
enum class GgufType : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};

// "UINT8" … "FLOAT64", as the specification writes them.
const char* GgufTypeName(GgufType type);

// Where a value lies.  Its bytes are read when somebody asks for them.
struct GgufValue {
  std::string key;
  GgufType type = GgufType::kUint8;
  GgufType element = GgufType::kUint8;  // of an array, never kArray; otherwise `type`
  uint64_t count = 1;                   // elements of an array
  // Where its bytes lie in the file: a string's text without its length; an array's elements, strings with their
  // lengths. Text may be other than UTF-8: tokenizers have such pieces.
  uint64_t begin = 0, end = 0;
};

// One of several files that are one model together.
struct GgufSplit {
  uint32_t index = 0;    // from 0
  uint32_t count = 0;    // of files, two or more
  uint64_t tensors = 0;  // of all files
};

struct GgufHeader {
  uint32_t version = 0;
  uint64_t alignment = kGgufAlignment;
  std::vector<Tensor> tensors;      // in the order of their data
  std::vector<GgufValue> metadata;  // as in the file
  uint64_t data_start = 0;          // where tensors begin, or would if there were any
  uint64_t trailing = 0;            // bytes behind the last tensor and its padding, of no meaning
  std::optional<GgufSplit> split;   // none: a model of one file

  // The value of this key; null if there is none.  Cost: a look at every value.
  const GgufValue* Find(std::string_view key) const;
};

// `head`: the file's beginning, or all of it; read during the call, not kept.  `file_bytes`: how long the file is.
// Throws std::bad_alloc.
Parsed<GgufHeader> ParseGguf(std::span<const std::byte> head, uint64_t file_bytes);

}  // namespace zerohop
