// gguf_checks.h: what must be so of whatever ParseGguf said, for the tests and the fuzzer.
//
// Computed otherwise than the parser does: in 128 bits, with sets, and from the header that it gave.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <variant>

#include "weights/gguf.h"

namespace zerohop::testing {

using Wide = unsigned __int128;

// From a heap block of exactly the head's size, so that AddressSanitizer sees a read beyond it.
inline Parsed<GgufHeader> ParseCopied(std::span<const std::byte> head, uint64_t file_bytes) {
  const std::unique_ptr<std::byte[]> copy(new std::byte[head.size()]);
  std::copy(head.begin(), head.end(), copy.get());
  return ParseGguf({copy.get(), head.size()}, file_bytes);
}

// Bytes of one element; 0 if it says so itself.
inline uint64_t ElementBytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool: return 1;
    case GgufType::kUint16:
    case GgufType::kInt16: return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32: return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64: return 8;
    case GgufType::kString:
    case GgufType::kArray: return 0;
  }
  return 0;
}

// What is wrong with a value's bytes; null if nothing is.
inline const char* WrongBytes(const GgufValue& value, std::span<const std::byte> file) {
  const std::span<const std::byte> bytes = file.subspan(value.begin, value.end - value.begin);
  if (value.type == GgufType::kString) return value.count == 1 ? nullptr : "a string is one";
  if (value.element == GgufType::kArray) return "arrays have no arrays";
  if (value.type != GgufType::kArray && (value.element != value.type || value.count != 1)) return "a number is one";
  if (value.element != GgufType::kString) {
    if (Wide{value.count} * ElementBytes(value.element) != bytes.size()) return "the elements are these bytes";
    const bool bools = value.element == GgufType::kBool;
    if (bools && std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b > std::byte{1}; })) {
      return "bools are 0 or 1";
    }
    return nullptr;
  }
  size_t at = 0;
  for (uint64_t i = 0; i < value.count; ++i) {
    uint64_t length;
    if (bytes.size() - at < sizeof(length)) return "each string has its length";
    std::memcpy(&length, bytes.data() + at, sizeof(length));
    at += sizeof(length);
    if (bytes.size() - at < length) return "each string is within the array";
    at += length;
  }
  return at == bytes.size() ? nullptr : "the strings are these bytes";
}

inline const char* WrongValues(const GgufHeader& header, std::span<const std::byte> file) {
  uint64_t end = 24;
  std::set<std::string> keys;
  for (const GgufValue& value : header.metadata) {
    if (value.key.empty() || value.key.size() > 65535) return "a key has 1 to 65535 bytes";
    if (value.key.find_first_not_of(
            " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~") !=
        std::string::npos) {
      return "a key is printable";
    }
    if (!keys.insert(value.key).second) return "keys differ";
    if (value.begin < end + 8 + value.key.size() + 4) return "values are one behind the other";
    if (value.end < value.begin || value.end > file.size()) return "values end behind their beginning, in the file";
    if (const char* const wrong = WrongBytes(value, file)) return wrong;
    end = value.end;
  }
  return end <= header.data_start ? nullptr : "values are before the data";
}

inline const char* WrongTensors(const GgufHeader& header, uint64_t file_bytes) {
  Wide end = header.data_start;
  std::set<std::string> names;
  for (const Tensor& tensor : header.tensors) {
    if (tensor.name.size() > 63 || tensor.name.find('\0') != std::string::npos) return "a name has up to 63 bytes";
    if (!names.insert(tensor.name).second) return "names differ";
    if (tensor.dtype == nullptr || tensor.shape.size() > 4) return "a tensor has a type, and up to 4 dimensions";
    if (tensor.begin < end || (tensor.begin - header.data_start) % header.alignment != 0) {
      return "tensors are one behind the other, aligned";
    }
    if (tensor.end < tensor.begin || tensor.end > file_bytes) return "tensors are in the file";
    Wide elements = 1;
    bool empty = false;
    for (const uint64_t size : tensor.shape) {
      empty = empty || size == 0;
      elements *= std::max<uint64_t>(size, 1);
      if (elements > INT64_MAX) return "elements can be counted";
    }
    if (empty) elements = 0;
    const uint64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
    if (row % tensor.dtype->block_elements != 0) return "rows are of whole blocks";
    if (elements / tensor.dtype->block_elements * tensor.dtype->block_bits != Wide{tensor.end - tensor.begin} * 8) {
      return "the bytes are those of the shape";
    }
    end = tensor.end;
  }
  const Wide data_bytes = end - header.data_start;
  end = header.data_start + (data_bytes + header.alignment - 1) / header.alignment * header.alignment;
  if (header.trailing != (end < file_bytes ? file_bytes - static_cast<uint64_t>(end) : 0)) {
    return "what is behind the tensors trails";
  }
  return nullptr;
}

// What is wrong with a header that was believed; null if nothing is.  `file`: at least the header's bytes.
inline const char* Wrong(const GgufHeader& header, std::span<const std::byte> file, uint64_t file_bytes) {
  if (header.version != 2 && header.version != 3) return "the version is 2 or 3";
  if (header.alignment == 0 || header.alignment > UINT32_MAX) return "an alignment is a number of 32 bits";
  if (header.data_start > file_bytes) return "the data starts in the file";
  if (!header.tensors.empty() && header.data_start % header.alignment != 0) return "the data is aligned";
  if (const char* const wrong = WrongValues(header, file)) return wrong;
  if (const char* const wrong = WrongTensors(header, file_bytes)) return wrong;
  const std::optional<GgufSplit>& split = header.split;
  if (split && (split->count < 2 || split->index >= split->count || split->tensors < header.tensors.size())) {
    return "a split file is one of several";
  }
  return nullptr;
}

inline bool SameValues(const GgufHeader& a, const GgufHeader& b) {
  return std::equal(a.metadata.begin(), a.metadata.end(), b.metadata.begin(), b.metadata.end(),
                    [](const GgufValue& x, const GgufValue& y) {
                      return x.key == y.key && x.type == y.type && x.element == y.element && x.count == y.count &&
                             x.begin == y.begin && x.end == y.end;
                    });
}

inline bool SameTensors(const GgufHeader& a, const GgufHeader& b) {
  return std::equal(
      a.tensors.begin(), a.tensors.end(), b.tensors.begin(), b.tensors.end(), [](const Tensor& x, const Tensor& y) {
        return x.name == y.name && x.dtype == y.dtype && x.shape == y.shape && x.begin == y.begin && x.end == y.end;
      });
}

// The same header, or the same refusal.
inline bool Same(const Parsed<GgufHeader>& a, const Parsed<GgufHeader>& b) {
  if (a.index() != b.index()) return false;
  if (const auto* const x = std::get_if<Refusal>(&a)) {
    const auto& y = std::get<Refusal>(b);
    return x->code == y.code && x->message == y.message && x->offset == y.offset;
  }
  const auto &x = std::get<GgufHeader>(a), &y = std::get<GgufHeader>(b);
  return x.version == y.version && x.alignment == y.alignment && x.data_start == y.data_start &&
         x.trailing == y.trailing && x.split.has_value() == y.split.has_value() && SameValues(x, y) &&
         SameTensors(x, y);
}

// Reads just as much as is asked for, each time; `asked` is what was needed in the end.  Null-coded if the parser asks
// for what it has.
inline Parsed<GgufHeader> ParsePiecewise(std::span<const std::byte> file, uint64_t file_bytes, uint64_t& asked) {
  asked = 0;
  for (;;) {
    Parsed<GgufHeader> parsed = ParseCopied(file.first(asked), file_bytes);
    const auto* const refusal = std::get_if<Refusal>(&parsed);
    if (refusal == nullptr || refusal->code != "ERR_WEIGHTS_MORE_NEEDED") return parsed;
    if (refusal->offset <= asked || refusal->offset > file_bytes) return Refusal{"asked for nothing", "", asked};
    if (refusal->offset > file.size()) return parsed;
    asked = refusal->offset;
  }
}

}  // namespace zerohop::testing
