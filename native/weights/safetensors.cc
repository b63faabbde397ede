#include "weights/safetensors.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <string_view>
#include <tuple>

#include "weights/json_reader.h"

namespace zerohop {
namespace {

constexpr std::string_view kMetadataName = "__metadata__";
constexpr JsonReader::Codes kHeaderCodes = {"ERR_WEIGHTS_HEADER_UTF8", "ERR_WEIGHTS_HEADER_JSON"};
constexpr JsonReader::Codes kIndexCodes = {"ERR_WEIGHTS_INDEX_UTF8", "ERR_WEIGHTS_INDEX_JSON"};
static_assert(kSafetensorsHeaderMax <= JsonReader::kTextBytesMax && kShardIndexMax <= JsonReader::kTextBytesMax);

// The types of [ST].  Elements smaller than a byte lie one after the other without gaps.
constexpr DType kSafetensorsTypes[] = {
    {"F32", 1, 32},    {"F16", 1, 16},    {"BF16", 1, 16},       {"I8", 1, 8},          {"U8", 1, 8},
    {"I32", 1, 32},    {"I64", 1, 64},    {"F64", 1, 64},        {"BOOL", 1, 8},        {"I16", 1, 16},
    {"U16", 1, 16},    {"U32", 1, 32},    {"U64", 1, 64},        {"C64", 1, 64},        {"F8_E5M2", 1, 8},
    {"F8_E4M3", 1, 8}, {"F8_E8M0", 1, 8}, {"F8_E4M3FNUZ", 1, 8}, {"F8_E5M2FNUZ", 1, 8}, {"F4", 1, 4},
    {"F6_E2M3", 1, 6}, {"F6_E3M2", 1, 6}};

// "F32 [2, 3]"
std::string TypeAndShape(const Tensor& tensor) {
  std::string out = tensor.dtype->name;
  out += " [";
  const char* between = "";
  for (const uint64_t size : tensor.shape) {
    out += between + std::to_string(size);
    between = ", ";
  }
  return out + "]";
}

// The bits that so many elements take; false beyond 64 bits.
bool BitsOf(const Tensor& tensor, uint64_t* bits) {
  uint64_t elements = 1;
  for (const uint64_t size : tensor.shape) {
    if (__builtin_mul_overflow(elements, size, &elements)) return false;
  }
  return !__builtin_mul_overflow(elements, uint64_t{tensor.dtype->block_bits}, bits);
}

// Whether another item may follow so many; refuses if not.
bool RoomForMore(JsonReader& json, uint64_t count, uint64_t most, const char* what) {
  return count < most ||
         json.Refuse("ERR_WEIGHTS_COUNT", json.offset(), "expected at most " + std::to_string(most) + " " + what);
}

// The JSON of a header.  Some writers fill it up with NULs in place of spaces.
std::span<const std::byte> WithoutPadding(std::span<const std::byte> text) {
  while (!text.empty() && text.back() == std::byte{0}) text = text.first(text.size() - 1);
  return text;
}

// One header.  Tensors are read one by one, then checked in the order of their data.  Offsets count from the beginning
// of the data until all is known.
class SafetensorsReader {
 public:
  // `text` begins behind the length, and ends before the data.
  SafetensorsReader(std::span<const std::byte> text, uint64_t file_bytes)
      : json_(WithoutPadding(text), kSafetensorsLengthBytes, kHeaderCodes), file_bytes_(file_bytes) {
    header_.data_start = kSafetensorsLengthBytes + text.size();
  }

  Parsed<SafetensorsHeader> Read() && {
    ReadAll();
    if (!json_.failed()) PutInOrder();
    if (json_.failed()) return json_.refusal();
    return std::move(header_);
  }

 private:
  // Where the parts of a tensor stand in the file, so that an error found later can name its place.
  struct Places {
    uint32_t shape = 0, offsets = 0;
  };
  static_assert(kSafetensorsLengthBytes + kSafetensorsHeaderMax <= UINT32_MAX, "Places");

  void ReadAll();
  void ReadMetadata();
  void ReadTensor(std::string_view name);
  void ReadType(Tensor& tensor);
  void ReadShape(Tensor& tensor);
  void ReadOffsets(Tensor& tensor);

  void PutInOrder();
  bool CheckOffsets(const Tensor& tensor, uint64_t at, uint64_t expected);
  bool CheckSize(const Tensor& tensor, uint64_t at);
  void CheckEnd(uint64_t end);

  bool Refuse(const char* code, uint64_t at, const Tensor& tensor, const std::string& message) {
    return json_.Refuse(code, at, "tensor " + Quoted(tensor.name) + ": " + message);
  }

  JsonReader json_;
  SafetensorsHeader header_;
  std::vector<Places> places_;  // of header_.tensors
  const uint64_t file_bytes_;
};

void SafetensorsReader::ReadAll() {
  std::string_view name;
  json_.BeginObject();
  while (json_.NextName(&name)) {
    if (name == kMetadataName) {
      ReadMetadata();
    } else if (RoomForMore(json_, header_.tensors.size(), kTensorsMax, "tensors")) {
      ReadTensor(name);
    }
  }
  json_.End();
}

void SafetensorsReader::ReadMetadata() {
  if (json_.Peek() == 'n') {  // null: as in [ST], no metadata
    json_.Skip();
    return;
  }
  std::string_view name, text;
  json_.BeginObject();
  while (json_.NextName(&name) && RoomForMore(json_, header_.metadata.size(), kMetadataMax, "texts of metadata")) {
    std::string key(name);
    // Only a tensor has arrays under these names.
    if ((key == "shape" || key == "data_offsets") && json_.Peek() == '[') {
      json_.Refuse("ERR_WEIGHTS_NAME", json_.offset(), "expected no tensor called '__metadata__', found one");
    }
    if (json_.ReadString(&text)) header_.metadata.emplace_back(std::move(key), text);
  }
}

void SafetensorsReader::ReadTensor(std::string_view name) {
  Tensor tensor;
  tensor.name = name;
  Places places;
  const uint64_t at = json_.offset();
  const auto here = [this] { return static_cast<uint32_t>(json_.offset()); };
  std::string_view field;
  json_.BeginObject();
  while (json_.NextName(&field)) {
    if (field == "dtype") {
      ReadType(tensor);
    } else if (field == "shape") {
      places.shape = here();
      ReadShape(tensor);
    } else if (field == "data_offsets") {
      places.offsets = here();
      ReadOffsets(tensor);
    } else {
      json_.Skip();
    }
  }
  if (json_.failed()) return;
  const char* const missing = tensor.dtype == nullptr ? "dtype"
                              : places.shape == 0     ? "shape"
                              : places.offsets == 0   ? "data_offsets"
                                                      : nullptr;
  if (missing != nullptr) {
    Refuse(kHeaderCodes.json, at, tensor, std::string("expected dtype, shape and data_offsets, found no ") + missing);
    return;
  }
  header_.tensors.push_back(std::move(tensor));
  places_.push_back(places);
}

void SafetensorsReader::ReadType(Tensor& tensor) {
  const uint64_t at = json_.offset();
  std::string_view name;
  if (!json_.ReadString(&name)) return;
  const DType* const known = SafetensorsType(name);
  if (known == nullptr) {
    Refuse("ERR_WEIGHTS_DTYPE", at, tensor, "expected a type of the format, found " + Quoted(name));
    return;
  }
  tensor.dtype = known;
}

void SafetensorsReader::ReadShape(Tensor& tensor) {
  const uint64_t at = json_.offset();
  uint64_t sizes[kDimensionsMax];
  uint64_t size = 0;
  size_t count = 0;
  json_.BeginArray();
  while (json_.NextElement() && json_.ReadInteger(&size)) {
    if (count < kDimensionsMax) sizes[count] = size;
    ++count;
  }
  if (count > kDimensionsMax) {
    Refuse("ERR_WEIGHTS_SHAPE", at, tensor,
           "expected at most " + std::to_string(kDimensionsMax) + " dimensions, found " + std::to_string(count));
    return;
  }
  tensor.shape.assign(sizes, sizes + count);
}

void SafetensorsReader::ReadOffsets(Tensor& tensor) {
  const uint64_t at = json_.offset();
  uint64_t offset = 0;
  size_t count = 0;
  json_.BeginArray();
  while (json_.NextElement() && json_.ReadInteger(&offset)) {
    if (count < 2) (count == 0 ? tensor.begin : tensor.end) = offset;
    ++count;
  }
  if (count != 2) Refuse(kHeaderCodes.json, at, tensor, "expected two data_offsets, found " + std::to_string(count));
}

// Sorts the tensors by their data, and checks them in this order.
void SafetensorsReader::PutInOrder() {
  std::vector<Tensor>& tensors = header_.tensors;
  // A tensor without bytes comes before one that begins at the same byte.  Otherwise the order is that of the header.
  const auto before = [&tensors](uint32_t one, uint32_t other) {
    return std::tie(tensors[one].begin, tensors[one].end, one) <
           std::tie(tensors[other].begin, tensors[other].end, other);
  };
  std::vector<uint32_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  const bool as_in_header = std::is_sorted(order.begin(), order.end(), before);  // most writers write this order
  if (!as_in_header) std::sort(order.begin(), order.end(), before);

  uint64_t end = 0;
  for (const uint32_t which : order) {
    const Tensor& tensor = tensors[which];
    if (!CheckOffsets(tensor, places_[which].offsets, end) || !CheckSize(tensor, places_[which].shape)) return;
    end = tensor.end;
  }
  CheckEnd(end);
  if (json_.failed()) return;

  // From here on, all offsets lie in the file.
  std::vector<Tensor> moved;
  if (!as_in_header) {
    moved.reserve(tensors.size());
    for (const uint32_t which : order) moved.push_back(std::move(tensors[which]));
    tensors.swap(moved);
  }
  for (Tensor& tensor : tensors) {
    tensor.begin += header_.data_start;
    tensor.end += header_.data_start;
  }
}

bool SafetensorsReader::CheckOffsets(const Tensor& tensor, uint64_t at, uint64_t expected) {
  const auto refuse = [&](const std::string& message) { return Refuse("ERR_WEIGHTS_OFFSETS", at, tensor, message); };
  if (tensor.begin != expected) {
    return refuse("expected data from " + std::to_string(expected) + " on, found it from " +
                  std::to_string(tensor.begin) + (tensor.begin < expected ? " on: an overlap" : " on: a hole"));
  }
  if (tensor.end >= tensor.begin) return true;
  return refuse("expected data to end behind its beginning at " + std::to_string(tensor.begin) + ", found the end at " +
                std::to_string(tensor.end));
}

bool SafetensorsReader::CheckSize(const Tensor& tensor, uint64_t at) {
  const uint64_t bytes = tensor.end - tensor.begin;
  uint64_t bits = 0;
  if (!BitsOf(tensor, &bits)) {
    return Refuse("ERR_WEIGHTS_SHAPE", at, tensor,
                  "expected fewer than 2^64 elements and bits, found " + TypeAndShape(tensor));
  }
  if (bits % 8 == 0 && bits / 8 == bytes) return true;
  const std::string size =
      bits % 8 == 0 ? std::to_string(bits / 8) + " bytes" : std::to_string(bits) + " bits, whole bytes,";
  return Refuse("ERR_WEIGHTS_SIZE", at, tensor,
                "expected " + size + " for " + TypeAndShape(tensor) + ", found " + std::to_string(bytes) + " bytes");
}

// The file must end where the last tensor ends.
void SafetensorsReader::CheckEnd(uint64_t end) {
  const uint64_t data_bytes = file_bytes_ - header_.data_start;
  const std::string message = "expected " + std::to_string(end) + " bytes of data, found " + std::to_string(data_bytes);
  if (end > data_bytes) json_.Refuse("ERR_WEIGHTS_TRUNCATED", file_bytes_, message);
  if (end < data_bytes) json_.Refuse("ERR_WEIGHTS_TRAILING", header_.data_start + end, message);
}

// Whether a file of that name lies in the folder of the index, on any system.
bool IsPlainName(std::string_view name) {
  constexpr std::string_view kForbidden("/\\:\0", 4);  // a colon: a drive, or another stream of a file
  return !name.empty() && name != "." && name != ".." && name.find_first_of(kForbidden) == std::string_view::npos;
}

void ReadWeightMap(JsonReader& json, NamedTexts& files) {
  std::string_view name, file;
  json.BeginObject();
  while (json.NextName(&name) && RoomForMore(json, files.size(), kTensorsMax, "tensors")) {
    std::string tensor(name);
    const uint64_t at = json.offset();
    if (!json.ReadString(&file)) return;
    if (!IsPlainName(file)) {
      json.Refuse("ERR_WEIGHTS_SHARD_NAME", at,
                  "tensor " + Quoted(tensor) + ": expected the name of a file beside the index, found " + Quoted(file));
    }
    files.emplace_back(std::move(tensor), file);
  }
}

}  // namespace

const DType* SafetensorsType(std::string_view name) {
  const auto* const known = std::find_if(std::begin(kSafetensorsTypes), std::end(kSafetensorsTypes),
                                         [name](const DType& type) { return name == type.name; });
  return known == std::end(kSafetensorsTypes) ? nullptr : known;
}

Parsed<uint64_t> SafetensorsHeaderBytes(std::span<const std::byte> first, uint64_t file_bytes) {
  const uint64_t there = std::min<uint64_t>(first.size(), file_bytes);
  if (there < kSafetensorsLengthBytes) {
    return Refusal{"ERR_WEIGHTS_TRUNCATED", "expected 8 bytes with the header's length, found " + std::to_string(there),
                   there};
  }
  uint64_t bytes = 0;
  for (size_t i = kSafetensorsLengthBytes; i-- > 0;) bytes = bytes << 8 | static_cast<uint64_t>(first[i]);
  if (bytes > kSafetensorsHeaderMax) {
    return Refusal{"ERR_WEIGHTS_HEADER_SIZE",
                   "expected a header of at most 100000000 bytes, found a length of " + std::to_string(bytes), 0};
  }
  if (bytes > file_bytes - kSafetensorsLengthBytes) {
    return Refusal{"ERR_WEIGHTS_TRUNCATED",
                   "expected a header of " + std::to_string(bytes) + " bytes, found " +
                       std::to_string(file_bytes - kSafetensorsLengthBytes),
                   file_bytes};
  }
  return bytes;
}

Parsed<SafetensorsHeader> ParseSafetensors(std::span<const std::byte> head, uint64_t file_bytes) {
  const Parsed<uint64_t> length = SafetensorsHeaderBytes(head, file_bytes);
  if (const auto* const refusal = std::get_if<Refusal>(&length)) return *refusal;
  const uint64_t header_bytes = std::get<uint64_t>(length);
  const std::span<const std::byte> behind = head.subspan(kSafetensorsLengthBytes);
  if (behind.size() < header_bytes) {  // the file was cut while it was read
    return Refusal{
        "ERR_WEIGHTS_TRUNCATED",
        "expected a header of " + std::to_string(header_bytes) + " bytes, could read " + std::to_string(behind.size()),
        head.size()};
  }
  return SafetensorsReader(behind.first(header_bytes), file_bytes).Read();
}

Parsed<NamedTexts> ParseShardIndex(std::span<const std::byte> index) {
  if (index.size() > kShardIndexMax) {
    return Refusal{"ERR_WEIGHTS_INDEX_SIZE",
                   "expected an index of at most 100000000 bytes, found " + std::to_string(index.size()), 0};
  }
  JsonReader json(index, 0, kIndexCodes);
  NamedTexts files;
  bool found = false;
  std::string_view field;
  json.BeginObject();
  while (json.NextName(&field)) {
    if (field != "weight_map") {
      json.Skip();
      continue;
    }
    found = true;
    ReadWeightMap(json, files);
  }
  json.End();
  if (!found) json.Refuse(kIndexCodes.json, 0, "expected a weight_map, found none");
  if (json.failed()) return json.refusal();
  return files;
}

}  // namespace zerohop
