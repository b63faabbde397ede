// weights_header_binding.cc: reads the headers of safetensors and GGUF files, and indices of shards.
//
// If something is wrong with a header, a function does not throw.  It answers with a refusal, [code, message, offset],
// which lib/weights/ throws with the file's name.
#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "binding/convert.h"
#include "binding/function_table.h"
#include "binding/weights_file.h"
#include "weights/gguf.h"
#include "weights/gguf_split.h"
#include "weights/safetensors.h"

namespace zerohop::binding {
namespace {

// Lists are filled within handle scopes of their own, because there may be millions of items.
template <class Item>
napi_value ListOf(napi_env env, const std::vector<Item>& items, const std::function<napi_value(const Item&)>& make) {
  napi_value list = nullptr;
  if (napi_create_array_with_length(env, items.size(), &list) != napi_ok) return nullptr;
  for (size_t i = 0; i < items.size(); ++i) {
    const HandleScope scope(env);
    napi_value item = make(items[i]);
    if (item == nullptr || napi_set_element(env, list, static_cast<uint32_t>(i), item) != napi_ok) return nullptr;
  }
  return list;
}

napi_value NumbersOf(napi_env env, const std::vector<double>& numbers) {
  void* data = nullptr;
  napi_value buffer, array;
  if (napi_create_arraybuffer(env, numbers.size() * sizeof(double), &data, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_float64_array, numbers.size(), buffer, 0, &array) != napi_ok) {
    return nullptr;
  }
  if (!numbers.empty()) std::memcpy(data, numbers.data(), numbers.size() * sizeof(double));
  return array;
}

napi_value PairsOf(napi_env env, const NamedTexts& pairs) {
  return ListOf<NamedTexts::value_type>(env, pairs, [env](const NamedTexts::value_type& pair) -> napi_value {
    napi_value list = nullptr;
    if (napi_create_array_with_length(env, 2, &list) != napi_ok ||
        napi_set_element(env, list, 0, Text(env, pair.first)) != napi_ok ||
        napi_set_element(env, list, 1, Text(env, pair.second)) != napi_ok) {
      return nullptr;
    }
    return list;
  });
}

// { names, dtypes, blocks, shapes, places, metadata }.  Blocks and places have two numbers for each tensor.
napi_value HeaderOf(napi_env env, const std::vector<Tensor>& tensors, napi_value metadata) {
  std::vector<double> places, blocks;
  places.reserve(2 * tensors.size());
  blocks.reserve(2 * tensors.size());
  for (const Tensor& tensor : tensors) {
    blocks.push_back(tensor.dtype->block_elements);
    blocks.push_back(tensor.dtype->block_bits);
    places.push_back(static_cast<double>(tensor.begin));
    places.push_back(static_cast<double>(tensor.end));
  }
  const std::pair<const char*, napi_value> fields[] = {
      {"names", ListOf<Tensor>(env, tensors, [env](const Tensor& one) { return Text(env, one.name); })},
      {"dtypes", ListOf<Tensor>(env, tensors, [env](const Tensor& one) { return Text(env, one.dtype->name); })},
      {"blocks", NumbersOf(env, blocks)},
      {"shapes", ListOf<Tensor>(env, tensors,
                                [env](const Tensor& one) {
                                  return ListOf<uint64_t>(env, one.shape, [env](const uint64_t& dimension) {
                                    return Double(env, static_cast<double>(dimension));
                                  });
                                })},
      {"places", NumbersOf(env, places)},
      {"metadata", metadata}};
  napi_value header = nullptr;
  if (napi_create_object(env, &header) != napi_ok) return nullptr;
  for (const auto& [name, value] : fields) {
    if (value == nullptr || napi_set_named_property(env, header, name, value) != napi_ok) return nullptr;
  }
  return header;
}

napi_value ParseSafetensorsFile(napi_env env, const MappedFile& file, std::span<const std::byte> first) {
  const Parsed<uint64_t> length = SafetensorsHeaderBytes(first, file.size());
  if (const auto* refusal = std::get_if<Refusal>(&length)) return RefusalOf(env, *refusal);
  std::vector<std::byte> head(kSafetensorsLengthBytes + std::get<uint64_t>(length));
  // Reads the file, not its pages, so the bytes that are checked are the bytes that count (D60).
  const Status status = file.Read(0, head);
  if (!status.ok()) return RefusalOf(env, status);
  const Parsed<SafetensorsHeader> parsed = ParseSafetensors(head, file.size());
  if (const auto* refusal = std::get_if<Refusal>(&parsed)) return RefusalOf(env, *refusal);
  const auto& header = std::get<SafetensorsHeader>(parsed);
  return HeaderOf(env, header.tensors, PairsOf(env, header.metadata));
}

// Metadata values are given by their places: [key, type, element type, count, begin, end].
napi_value ValuesOf(napi_env env, const std::vector<GgufValue>& values) {
  return ListOf<GgufValue>(env, values, [env](const GgufValue& value) -> napi_value {
    napi_value list = nullptr;
    const napi_value items[] = {Text(env, value.key),
                                Int(env, static_cast<int32_t>(value.type)),
                                Int(env, static_cast<int32_t>(value.element)),
                                Double(env, static_cast<double>(value.count)),
                                Double(env, static_cast<double>(value.begin)),
                                Double(env, static_cast<double>(value.end))};
    if (napi_create_array_with_length(env, std::size(items), &list) != napi_ok) return nullptr;
    for (uint32_t i = 0; i < std::size(items); ++i) napi_set_element(env, list, i, items[i]);
    return list;
  });
}

napi_value ParseGgufFile(napi_env env, const MappedFile& file) {
  constexpr uint64_t kFirst = uint64_t{1} << 20;
  std::vector<std::byte> head;
  for (uint64_t wanted = kFirst;;) {
    const uint64_t known = head.size();
    head.resize(std::min(wanted, file.size()));
    const Status status = file.Read(known, std::span(head).subspan(known));
    if (!status.ok()) return RefusalOf(env, status, known);
    const Parsed<GgufHeader> parsed = ParseGguf(head, file.size());
    if (const auto* refusal = std::get_if<Refusal>(&parsed)) {
      if (refusal->code != "ERR_WEIGHTS_MORE_NEEDED") return RefusalOf(env, *refusal);
      wanted = std::max<uint64_t>(refusal->offset, 2 * head.size());
      continue;
    }
    const auto& header = std::get<GgufHeader>(parsed);
    return HeaderOf(env, header.tensors, ValuesOf(env, header.metadata));
  }
}

// weightsParse(file): { names, dtypes, blocks, shapes, places, metadata }; or a refusal.
napi_value WeightsParse(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  File* const file = ReadFile(env, args[0]);
  if (file == nullptr || *file == nullptr) return nullptr;
  std::array<std::byte, kSafetensorsLengthBytes> first{};
  const auto bytes = std::span(first).first(std::min<uint64_t>(first.size(), (*file)->size()));
  const Status status = (*file)->Read(0, bytes);
  if (!status.ok()) return RefusalOf(env, status);
  constexpr char kMagic[] = {'G', 'G', 'U', 'F'};
  const bool is_gguf = bytes.size() >= sizeof(kMagic) && std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) == 0;
  return is_gguf ? ParseGgufFile(env, **file) : ParseSafetensorsFile(env, **file, bytes);
}

// weightsParseIndex(text): pairs of tensor and shard; or a refusal.
napi_value WeightsParseIndex(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  Bytes text;
  if (!ReadView(env, args[0], "index", &text)) return nullptr;
  const Parsed<NamedTexts> parsed = ParseShardIndex(text);
  if (const auto* refusal = std::get_if<Refusal>(&parsed)) return RefusalOf(env, *refusal);
  return PairsOf(env, std::get<NamedTexts>(parsed));
}

// weightsSplitNames(name): the names of all files of a split model, from the name of one; undefined: the name is not of
// the form of such a file.
napi_value WeightsSplitNames(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  std::string name;
  if (!ReadString(env, args[0], &name)) return nullptr;
  const Parsed<std::vector<std::string>> names = GgufSplitNames(name);
  if (std::holds_alternative<Refusal>(names)) return nullptr;
  return ListOf<std::string>(env, std::get<std::vector<std::string>>(names),
                             [env](const std::string& one) { return Text(env, one); });
}

constexpr Function kWeightsHeaderFunctions[] = {
    {"weightsParse", Guarded<WeightsParse>},
    {"weightsParseIndex", Guarded<WeightsParseIndex>},
    {"weightsSplitNames", Guarded<WeightsSplitNames>},
};

}  // namespace

std::span<const Function> WeightsHeaderFunctions() { return kWeightsHeaderFunctions; }

}  // namespace zerohop::binding
