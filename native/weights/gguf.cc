#include "weights/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <limits>
#include <numeric>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>

#include "base/utf8.h"
#include "weights/ggml_types.h"
#include "weights/gguf_split.h"

namespace zerohop {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are read as they lie");

constexpr char kGgufMagic[4] = {'G', 'G', 'U', 'F'};
constexpr uint64_t kGgufPreambleBytes = sizeof(kGgufMagic) + 4 + 8 + 8;
// The smallest item of each kind.  A count is compared with it before memory is allocated.
constexpr uint64_t kGgufValueBytesMin = 8 + 1 + 4 + 1;       // a key of one byte, a value of one
constexpr uint64_t kGgufTensorBytesMin = 8 + 0 + 4 + 4 + 8;  // no name, no dimensions
constexpr uint64_t kGgufStringBytesMin = 8;
// Sizes and sums stay at or below it, so that a padding and another size can be added without overflow.
constexpr uint64_t kGgufBytesMax = std::numeric_limits<int64_t>::max();

// By number.  0 bytes: the value itself says how many it has.
constexpr struct {
  const char* name;
  uint32_t bytes;
} kGgufTypes[] = {{"UINT8", 1},  {"INT8", 1},    {"UINT16", 2}, {"INT16", 2},  {"UINT32", 4},
                  {"INT32", 4},  {"FLOAT32", 4}, {"BOOL", 1},   {"STRING", 0}, {"ARRAY", 0},
                  {"UINT64", 8}, {"INT64", 8},   {"FLOAT64", 8}};
static_assert(std::size(kGgufTypes) == static_cast<size_t>(GgufType::kFloat64) + 1);

// A string of the header, and where it is.
struct GgufName {
  std::string_view text;
  uint64_t at;
};

// For messages.  Only keys are long enough to be cut, and they are ASCII.
std::string GgufQuoted(std::string_view text) {
  const bool shown = text.size() <= 64;
  return '"' + std::string(text.substr(0, 64)) + (shown ? "\"" : "…\"");
}

// One pass over the header.  A method that returns false has set refusal_.
class GgufParser {
 public:
  GgufParser(std::span<const std::byte> head, uint64_t file_bytes)
      : head_(head.first(static_cast<size_t>(std::min<uint64_t>(head.size(), file_bytes)))),
        file_bytes_(file_bytes),
        header_bytes_max_(std::min(file_bytes, kGgufHeaderBytesMax)) {}

  Parsed<GgufHeader> Parse() {
    if (ReadPreamble() && ReadMetadata() && ReadAlignment() && ReadSplit() && ReadTensors() && PutInOrder() &&
        PlaceTensors()) {
      return std::move(header_);
    }
    return std::move(refusal_);
  }

 private:
  bool ReadPreamble();
  bool ReadMetadata();
  bool ReadValue();
  bool ReadType(GgufType& type);
  bool ReadArray(GgufValue& value);
  bool SkipElements(const GgufValue& value);
  bool ReadAlignment();
  bool ReadSplit();
  bool ReadTensors();
  bool ReadTensor();
  bool ReadName(std::string_view& name);
  bool ReadShape(Tensor& tensor);
  bool ReadPlace(Tensor& tensor);
  bool PutInOrder();
  bool PlaceTensors();

  // Whether the file has so many more bytes, and the head has them too.
  bool Has(uint64_t bytes, const char* what);
  // REQUIRES: Has(sizeof(T)).
  template <class T>
  T Take();
  template <class T>
  T At(uint64_t place) const;
  std::string_view TakeText(uint64_t bytes);
  bool SkipString(const char* what);
  bool Differ(const char* what);
  bool Refuse(const char* code, std::string message, uint64_t offset);
  // REQUIRES: at most kGgufBytesMax.
  uint64_t Padded(uint64_t bytes) const {
    return (bytes + header_.alignment - 1) / header_.alignment * header_.alignment;
  }

  const std::span<const std::byte> head_;
  const uint64_t file_bytes_;
  const uint64_t header_bytes_max_;
  uint64_t at_ = 0;  // the next byte to read; never beyond head_
  uint64_t value_count_ = 0, tensor_count_ = 0;
  std::vector<GgufName> names_;   // of the keys; later of the tensors
  std::vector<uint64_t> places_;  // for each tensor, where its offset stands in the file
  GgufHeader header_;
  Refusal refusal_;
};

bool GgufParser::Refuse(const char* code, std::string message, uint64_t offset) {
  refusal_ = {code, std::move(message), offset};
  return false;
}

bool GgufParser::Has(uint64_t bytes, const char* what) {
  if (bytes > file_bytes_ - at_) {
    return Refuse("ERR_WEIGHTS_TRUNCATED",
                  std::string("the file ends within ") + what + " of " + std::to_string(bytes) + " bytes; " +
                      std::to_string(file_bytes_ - at_) + " are left",
                  at_);
  }
  if (bytes > header_bytes_max_ - at_) {
    return Refuse("ERR_WEIGHTS_SIZE", "the header is larger than " + std::to_string(kGgufHeaderBytesMax) + " bytes",
                  at_);
  }
  if (bytes > head_.size() - at_) {
    return Refuse("ERR_WEIGHTS_MORE_NEEDED", "the header goes on: " + std::to_string(at_ + bytes) + " bytes at least",
                  at_ + bytes);
  }
  return true;
}

template <class T>
T GgufParser::At(uint64_t place) const {
  T value;
  std::memcpy(&value, head_.data() + place, sizeof(value));
  return value;
}

template <class T>
T GgufParser::Take() {
  const T value = At<T>(at_);
  at_ += sizeof(value);
  return value;
}

std::string_view GgufParser::TakeText(uint64_t bytes) {
  const std::string_view text(reinterpret_cast<const char*>(head_.data()) + at_, static_cast<size_t>(bytes));
  at_ += bytes;
  return text;
}

bool GgufParser::SkipString(const char* what) {
  if (!Has(8, what)) return false;
  const auto bytes = Take<uint64_t>();
  if (!Has(bytes, what)) return false;
  at_ += bytes;
  return true;
}

// Refuses a name that comes twice.  Names are sorted, not hashed: nobody can choose names that make sorting slow.
bool GgufParser::Differ(const char* what) {
  std::sort(names_.begin(), names_.end(), [](const GgufName& a, const GgufName& b) {
    const int order = a.text.compare(b.text);
    return order < 0 || (order == 0 && a.at < b.at);
  });
  const auto same = [](const GgufName& a, const GgufName& b) { return a.text == b.text; };
  const auto twice = std::adjacent_find(names_.begin(), names_.end(), same);
  if (twice == names_.end()) return true;
  return Refuse(
      "ERR_WEIGHTS_DUPLICATE",
      std::string("two ") + what + " " + GgufQuoted(twice->text) + ", the first at " + std::to_string(twice->at),
      std::next(twice)->at);
}

bool GgufParser::ReadPreamble() {
  if (file_bytes_ > kGgufBytesMax) return Refuse("ERR_WEIGHTS_SIZE", "no file has so many bytes", 0);
  if (!Has(sizeof(kGgufMagic), "the magic")) return false;
  if (TakeText(sizeof(kGgufMagic)) != std::string_view(kGgufMagic, sizeof(kGgufMagic))) {
    return Refuse("ERR_WEIGHTS_MAGIC", "the file does not begin with \"GGUF\"", 0);
  }
  if (!Has(kGgufPreambleBytes - at_, "the preamble")) return false;
  const auto version = header_.version = Take<uint32_t>();
  if (version != 0 && (version & 0xffff) == 0) {
    return Refuse("ERR_WEIGHTS_ENDIANNESS", "the version is " + std::to_string(version) + ": a big-endian file", 4);
  }
  if (version != 2 && version != 3) {
    return Refuse("ERR_WEIGHTS_VERSION", "the version is " + std::to_string(version) + ", not 2 or 3", 4);
  }
  tensor_count_ = Take<uint64_t>();  // signed in the file: a negative number is too large here
  value_count_ = Take<uint64_t>();
  const uint64_t left = header_bytes_max_ - at_;
  if (tensor_count_ > std::min(kTensorsMax, left / kGgufTensorBytesMin)) {
    return Refuse("ERR_WEIGHTS_COUNT",
                  "there is no room for " + std::to_string(tensor_count_) + " tensors; " + std::to_string(kTensorsMax) +
                      " are the most",
                  8);
  }
  if (value_count_ > std::min(kMetadataMax, (left - tensor_count_ * kGgufTensorBytesMin) / kGgufValueBytesMin)) {
    return Refuse("ERR_WEIGHTS_COUNT",
                  "there is no room for " + std::to_string(value_count_) + " values; " + std::to_string(kMetadataMax) +
                      " are the most",
                  16);
  }
  // Not only the file must have so many bytes, but the head: memory is reserved only for bytes that were read.
  return Has(value_count_ * kGgufValueBytesMin + tensor_count_ * kGgufTensorBytesMin, "the header");
}

bool GgufParser::ReadMetadata() {
  header_.metadata.reserve(static_cast<size_t>(value_count_));
  names_.reserve(static_cast<size_t>(std::max(value_count_, tensor_count_)));
  for (uint64_t i = 0; i < value_count_; ++i) {
    if (!ReadValue()) return false;
  }
  return Differ("keys");
}

bool GgufParser::ReadValue() {
  const uint64_t key_at = at_;
  if (!Has(8, "a key's length")) return false;
  const auto key_bytes = Take<uint64_t>();
  if (key_bytes == 0 || key_bytes > kGgufKeyBytesMax) {
    return Refuse("ERR_WEIGHTS_KEY", "a key of " + std::to_string(key_bytes) + " bytes, not 1 to 65535", key_at);
  }
  if (!Has(key_bytes, "a key")) return false;
  const std::string_view key = TakeText(key_bytes);
  if (!std::all_of(key.begin(), key.end(), [](char c) { return c >= ' ' && c <= '~'; })) {
    return Refuse("ERR_WEIGHTS_KEY", "a key that is not of printable ASCII", key_at);
  }
  names_.push_back({key, key_at});
  GgufValue value;
  if (!ReadType(value.type)) return false;
  value.element = value.type;
  if (value.type == GgufType::kArray && !ReadArray(value)) return false;
  value.begin = at_ + (value.type == GgufType::kString ? kGgufStringBytesMin : 0);
  if (!SkipElements(value)) return false;
  value.end = at_;
  value.key = key;
  header_.metadata.push_back(std::move(value));
  return true;
}

bool GgufParser::ReadType(GgufType& type) {
  if (!Has(4, "a value's type")) return false;
  const auto number = Take<uint32_t>();
  if (number >= std::size(kGgufTypes)) {
    return Refuse("ERR_WEIGHTS_VALUE",
                  "the value of " + GgufQuoted(names_.back().text) + " has the unknown type " + std::to_string(number),
                  at_ - 4);
  }
  type = static_cast<GgufType>(number);
  return true;
}

bool GgufParser::ReadArray(GgufValue& value) {
  if (!ReadType(value.element)) return false;
  if (value.element == GgufType::kArray) {
    return Refuse("ERR_WEIGHTS_VALUE", "the value of " + GgufQuoted(names_.back().text) + " is an array of arrays",
                  at_ - 4);
  }
  if (!Has(8, "an array's length")) return false;
  value.count = Take<uint64_t>();
  const uint32_t bytes = kGgufTypes[static_cast<size_t>(value.element)].bytes;
  if (value.count > (file_bytes_ - at_) / (bytes == 0 ? kGgufStringBytesMin : bytes)) {
    return Refuse(
        "ERR_WEIGHTS_COUNT",
        "there is no room for the " + std::to_string(value.count) + " elements of " + GgufQuoted(names_.back().text),
        at_ - 8);
  }
  return true;
}

bool GgufParser::SkipElements(const GgufValue& value) {
  if (value.element == GgufType::kString) {
    // The strings have so many bytes at least.  They are asked for at once, not one by one.
    if (!Has(value.count * kGgufStringBytesMin, "strings")) return false;
    for (uint64_t i = 0; i < value.count; ++i) {
      if (!SkipString("a string")) return false;
    }
    return true;
  }
  const uint64_t bytes = value.count * kGgufTypes[static_cast<size_t>(value.element)].bytes;
  if (!Has(bytes, "a value")) return false;
  if (value.element == GgufType::kBool) {
    const std::span<const std::byte> bools = head_.subspan(static_cast<size_t>(at_), static_cast<size_t>(bytes));
    const auto wrong = std::find_if(bools.begin(), bools.end(), [](std::byte b) { return b > std::byte{1}; });
    if (wrong != bools.end()) {
      return Refuse("ERR_WEIGHTS_VALUE", "a bool of " + GgufQuoted(names_.back().text) + " is neither 0 nor 1",
                    at_ + static_cast<uint64_t>(wrong - bools.begin()));
    }
  }
  at_ += bytes;
  return true;
}

bool GgufParser::ReadAlignment() {
  const GgufValue* const value = header_.Find("general.alignment");
  if (value == nullptr) return true;
  if (value->type != GgufType::kUint32) {
    return Refuse("ERR_WEIGHTS_ALIGNMENT",
                  std::string("general.alignment is of the type ") + GgufTypeName(value->type) + ", not UINT32",
                  value->begin);
  }
  header_.alignment = At<uint32_t>(value->begin);
  return header_.alignment != 0 || Refuse("ERR_WEIGHTS_ALIGNMENT", "general.alignment is 0", value->begin);
}

bool GgufParser::ReadSplit() {
  Parsed<std::optional<GgufSplit>> split = ReadGgufSplit(head_, header_, tensor_count_);
  if (auto* const refusal = std::get_if<Refusal>(&split)) {
    refusal_ = std::move(*refusal);
    return false;
  }
  header_.split = std::get<std::optional<GgufSplit>>(split);
  return true;
}

bool GgufParser::ReadTensors() {
  names_.clear();
  header_.tensors.reserve(static_cast<size_t>(tensor_count_));
  places_.reserve(static_cast<size_t>(tensor_count_));
  for (uint64_t i = 0; i < tensor_count_; ++i) {
    if (!ReadTensor()) return false;
  }
  return Differ("tensors");
}

bool GgufParser::ReadTensor() {
  Tensor tensor;
  std::string_view name;
  if (!ReadName(name) || !ReadShape(tensor) || !ReadPlace(tensor)) return false;
  tensor.name = name;
  header_.tensors.push_back(std::move(tensor));
  return true;
}

bool GgufParser::ReadName(std::string_view& name) {
  const uint64_t name_at = at_;
  if (!Has(8, "a tensor's name")) return false;
  const auto bytes = Take<uint64_t>();
  if (bytes > kGgufNameBytesMax) {
    return Refuse("ERR_WEIGHTS_NAME", "a tensor's name of " + std::to_string(bytes) + " bytes, not under 64", name_at);
  }
  if (!Has(bytes, "a tensor's name")) return false;
  name = TakeText(bytes);
  if (name.find('\0') != std::string_view::npos || !IsUtf8(name)) {
    return Refuse("ERR_WEIGHTS_NAME", "a tensor's name with a NUL, or that is not UTF-8", name_at);
  }
  names_.push_back({name, name_at});
  return true;
}

// Afterwards the product of all dimensions that are not 0 is at most 2^63 - 1.
bool GgufParser::ReadShape(Tensor& tensor) {
  const auto refuse = [this](const std::string& what) {
    return Refuse("ERR_WEIGHTS_SHAPE", "tensor " + GgufQuoted(names_.back().text) + " has " + what, at_);
  };
  if (!Has(4, "a tensor's shape")) return false;
  const auto dimensions = At<uint32_t>(at_);
  if (dimensions > kGgufDimensionsMax) return refuse(std::to_string(dimensions) + " dimensions, not 4 at most");
  at_ += 4;
  if (!Has(dimensions * uint64_t{8} + 4 + 8, "a tensor's shape")) return false;
  tensor.shape.resize(dimensions);
  // Dimensions of 0 are left out: whoever computes strides multiplies the others all the same.
  uint64_t elements = 1;
  for (uint32_t i = dimensions; i-- > 0; at_ += 8) {
    const auto size = At<int64_t>(at_);
    if (size < 0) return refuse("the dimension " + std::to_string(size));
    tensor.shape[i] = static_cast<uint64_t>(size);
    if (size == 0) continue;
    if (elements > kGgufBytesMax / tensor.shape[i]) return refuse("more than 2^63 - 1 elements");
    elements *= tensor.shape[i];
  }
  return true;
}

// REQUIRES: ReadShape, which has checked that these bytes are there.
bool GgufParser::ReadPlace(Tensor& tensor) {
  const std::string quoted = GgufQuoted(names_.back().text);
  const auto number = Take<uint32_t>();
  tensor.dtype = GgmlType(number);
  if (tensor.dtype == nullptr) {
    return Refuse("ERR_WEIGHTS_DTYPE", "tensor " + quoted + " has the unknown type " + std::to_string(number), at_ - 4);
  }
  const uint64_t block_elements = tensor.dtype->block_elements, block_bytes = tensor.dtype->block_bits / 8;
  const uint64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
  if (row % block_elements != 0) {
    return Refuse("ERR_WEIGHTS_SHAPE",
                  "tensor " + quoted + " has rows of " + std::to_string(row) + " elements; a block of " +
                      tensor.dtype->name + " has " + std::to_string(block_elements),
                  at_ - 4);
  }
  uint64_t blocks = 1;
  for (const uint64_t size : tensor.shape) blocks *= size;  // no overflow: ReadShape has checked the product
  blocks /= block_elements;
  if (blocks > kGgufBytesMax / block_bytes) {
    return Refuse("ERR_WEIGHTS_SIZE", "tensor " + quoted + " has more than 2^63 - 1 bytes", at_ - 4);
  }
  places_.push_back(at_);
  const auto offset = Take<uint64_t>();
  if (offset % header_.alignment != 0) {
    return Refuse("ERR_WEIGHTS_OFFSETS",
                  "tensor " + quoted + " begins at " + std::to_string(offset) + " of the data, no multiple of " +
                      std::to_string(header_.alignment),
                  places_.back());
  }
  const uint64_t bytes = blocks * block_bytes;
  if (offset > kGgufBytesMax || bytes > kGgufBytesMax - offset) {
    return Refuse("ERR_WEIGHTS_SIZE", "with tensor " + quoted + ", the data has more than 2^63 - 1 bytes",
                  places_.back());
  }
  tensor.begin = offset;
  tensor.end = offset + bytes;
  return true;
}

// Sorts the tensors by their place, whatever their order in the header.  Bytes of no tensor may lie between them.
bool GgufParser::PutInOrder() {
  std::vector<Tensor>& tensors = header_.tensors;
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&tensors](size_t one, size_t other) {
    return std::tie(tensors[one].begin, tensors[one].end, one) <
           std::tie(tensors[other].begin, tensors[other].end, other);
  });
  std::vector<Tensor> ordered;
  ordered.reserve(tensors.size());
  for (const size_t which : order) {
    const Tensor& tensor = tensors[which];
    if (!ordered.empty() && tensor.begin < ordered.back().end) {
      return Refuse("ERR_WEIGHTS_OFFSETS",
                    "tensor " + GgufQuoted(tensor.name) + " begins at " + std::to_string(tensor.begin) +
                        " of the data, where " + GgufQuoted(ordered.back().name) + " lies",
                    places_[which]);
    }
    ordered.push_back(std::move(tensors[which]));
  }
  tensors.swap(ordered);
  return true;
}

// Makes places in the file of offsets in the data: only now is it known where the data starts.
bool GgufParser::PlaceTensors() {
  const uint64_t start = Padded(at_);
  header_.data_start = header_.tensors.empty() ? std::min(start, file_bytes_) : start;
  const uint64_t data_bytes = header_.tensors.empty() ? 0 : Padded(header_.tensors.back().end);
  for (Tensor& tensor : header_.tensors) {
    tensor.begin += start;
    tensor.end += start;
    if (tensor.end > file_bytes_) {
      return Refuse("ERR_WEIGHTS_TRUNCATED",
                    "tensor " + GgufQuoted(tensor.name) + " ends at " + std::to_string(tensor.end) + ", the file at " +
                        std::to_string(file_bytes_),
                    std::min(tensor.begin, file_bytes_));
    }
  }
  header_.trailing = file_bytes_ - std::min(file_bytes_, start + data_bytes);
  return true;
}

}  // namespace

const GgufValue* GgufHeader::Find(std::string_view key) const {
  const auto found =
      std::find_if(metadata.begin(), metadata.end(), [key](const GgufValue& value) { return value.key == key; });
  return found == metadata.end() ? nullptr : &*found;
}

const char* GgufTypeName(GgufType type) { return kGgufTypes[static_cast<size_t>(type)].name; }

Parsed<GgufHeader> ParseGguf(std::span<const std::byte> head, uint64_t file_bytes) {
  return GgufParser(head, file_bytes).Parse();
}

}  // namespace zerohop
