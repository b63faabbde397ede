// Tensors and tables: elements as float32, rows side by side, dot products, the rows that score highest.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/copy.h"
#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/functions.h"
#include "binding/weights_file.h"
#include "weights/ggml_types.h"
#include "weights/score.h"
#include "weights/to_float32.h"

namespace zerohop::binding {
namespace {

// Converted by so many bytes: what is read stays in a processor's cache.  A multiple of every block.
constexpr uint64_t kConvertedAtOnce = uint64_t{1} << 18;

constexpr DType kPlainTypes[] = {{"F64", 1, 64},        {"F32", 1, 32},       {"F16", 1, 16},    {"BF16", 1, 16},
                                 {"I64", 1, 64},        {"I32", 1, 32},       {"I16", 1, 16},    {"I8", 1, 8},
                                 {"U64", 1, 64},        {"U32", 1, 32},       {"U16", 1, 16},    {"U8", 1, 8},
                                 {"BOOL", 1, 8},        {"F8_E4M3", 1, 8},    {"F8_E5M2", 1, 8}, {"F8_E8M0", 1, 8},
                                 {"F8_E4M3FNUZ", 1, 8}, {"F8_E5M2FNUZ", 1, 8}};

const DType* TypeNamed(const std::string& name) {
  for (const DType& type : kPlainTypes) {
    if (name == type.name) return &type;
  }
  constexpr uint32_t kNumbers = 64;
  for (uint32_t number = 0; number < kNumbers; ++number) {
    const DType* const type = GgmlType(number);
    if (type != nullptr && name == type->name) return type;
  }
  return nullptr;
}

// A table's vectors: where they lie, and how.
struct Vectors {
  std::shared_ptr<MappedFile> file;
  uint64_t begin = 0;
  RowType type = RowType::kF32;
  size_t dimensions = 0;
  uint64_t rows = 0;

  size_t row_bytes() const { return RowBytes(type, dimensions); }
  const std::byte* row(uint64_t i) const { return file->bytes() + begin + i * row_bytes(); }

  // From five arguments: file, begin, type (0 F32, 1 F16, 2 BF16), dimensions, rows.
  bool Read(napi_env env, const napi_value* values) {
    File* const owner = ReadFile(env, values[0]);
    uint64_t kind = 0, wide = 0;
    if (owner == nullptr || *owner == nullptr || !ReadCount(env, values[1], &begin) ||
        !ReadCount(env, values[2], &kind) || !ReadCount(env, values[3], &wide) || !ReadCount(env, values[4], &rows)) {
      return false;
    }
    file = *owner;
    type = static_cast<RowType>(kind);
    dimensions = wide;
    const uint64_t size = file->size();
    if (kind <= 2 && wide > 0 && wide <= size && begin <= size && rows <= (size - begin) / row_bytes()) return true;
    ThrowRange(env, "vectors: beyond the file");
    return false;
  }
};

bool ReadFloats(napi_env env, napi_value value, size_t least, const char* what, float** floats) {
  *floats = static_cast<float*>(ReadArrayOf(env, value, napi_float32_array, least, what));
  return *floats != nullptr || least == 0;
}

}  // namespace

napi_value TensorFloat32(napi_env env, napi_callback_info info) {
  const Arguments<5> args(env, info);
  File* const file = ReadFile(env, args[0]);
  uint64_t begin = 0, end = 0;
  std::string name;
  if (file == nullptr || *file == nullptr || !ReadCount(env, args[1], &begin) || !ReadCount(env, args[2], &end) ||
      !ReadString(env, args[3], &name)) {
    return nullptr;
  }
  if (begin > end || end > (*file)->size()) return ThrowRange(env, "tensor: beyond the file");
  const DType* const type = TypeNamed(name);
  const auto count = type == nullptr ? std::nullopt : Float32Count(*type, end - begin);
  if (!count) return Double(env, -1);
  if (args[4] == nullptr) return nullptr;
  bool wants = false;
  if (napi_is_typedarray(env, args[4], &wants) != napi_ok || !wants) return Double(env, static_cast<double>(*count));
  float* out = nullptr;
  if (!ReadFloats(env, args[4], *count, "out", &out)) return nullptr;
  // From the file, not from its pages: what was cut is an error.
  const uint64_t block = std::max<uint64_t>(1, type->block_bits / 8);
  const uint64_t piece = kConvertedAtOnce / block * block;
  const std::unique_ptr<std::byte[]> memory(new std::byte[piece]);
  for (uint64_t at = begin; at < end; at += piece) {
    const std::span<std::byte> bytes(memory.get(), std::min(piece, end - at));
    const Status status = (*file)->Read(at, bytes);
    if (!status.ok()) return Text(env, status.detail());
    const size_t floats = *Float32Count(*type, bytes.size());
    if (!ToFloat32(*type, bytes, {out, floats})) return Double(env, -1);
    out += floats;
  }
  return Double(env, static_cast<double>(*count));
}

napi_value TableGather(napi_env env, napi_callback_info info) {
  const Arguments<7> args(env, info);
  Vectors vectors;
  size_t count = 0;
  napi_typedarray_type type;
  void* data = nullptr;
  Bytes out;
  if (!vectors.Read(env, args.values.data())) return nullptr;
  if (napi_get_typedarray_info(env, args[5], &type, &count, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array || !ReadView(env, args[6], "out", &out)) {
    return ThrowType(env, "rows: expected an Int32Array");
  }
  const auto* const rows = static_cast<const int32_t*>(data);
  const size_t bytes = vectors.row_bytes();
  if (out.size() / bytes < count) return ThrowRange(env, "out: expected room for every row");
  auto* to = const_cast<std::byte*>(out.data());
  const auto is_row = [&](int32_t row) { return row >= 0 && static_cast<uint64_t>(row) < vectors.rows; };
  constexpr size_t kAhead = 8;
  for (size_t i = 0; i < count; ++i, to += bytes) {
    if (i + kAhead < count && is_row(rows[i + kAhead])) {
      const std::byte* const ahead = vectors.row(static_cast<uint64_t>(rows[i + kAhead]));
      for (size_t line = 0; line < std::min<size_t>(bytes, 512); line += kCacheLineBytes)
        __builtin_prefetch(ahead + line);
    }
    if (is_row(rows[i])) std::memcpy(to, vectors.row(static_cast<uint64_t>(rows[i])), bytes);
  }
  return nullptr;
}

napi_value TableDot(napi_env env, napi_callback_info info) {
  const Arguments<8> args(env, info);
  Vectors vectors;
  size_t count = 0;
  napi_typedarray_type type;
  void* data = nullptr;
  float *query = nullptr, *out = nullptr;
  if (!vectors.Read(env, args.values.data()) || !ReadFloats(env, args[5], vectors.dimensions, "query", &query)) {
    return nullptr;
  }
  if (napi_get_typedarray_info(env, args[6], &type, &count, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array) {
    return ThrowType(env, "rows: expected an Int32Array");
  }
  if (!ReadFloats(env, args[7], count, "out", &out)) return nullptr;
  std::vector<const std::byte*> rows(count);
  const auto* const places = static_cast<const int32_t*>(data);
  for (size_t i = 0; i < count; ++i) {
    if (places[i] < 0 || static_cast<uint64_t>(places[i]) >= vectors.rows)
      return ThrowRange(env, "rows: beyond the table");
    rows[i] = vectors.row(static_cast<uint64_t>(places[i]));
  }
  DotMany(vectors.type, query, vectors.dimensions, rows.data(), count, out);
  return nullptr;
}

napi_value TableTopK(napi_env env, napi_callback_info info) {
  const Arguments<8> args(env, info);
  Vectors vectors;
  float *query = nullptr, *scores = nullptr;
  size_t wanted = 0;
  napi_typedarray_type type;
  void* data = nullptr;
  if (!vectors.Read(env, args.values.data()) || !ReadFloats(env, args[5], vectors.dimensions, "query", &query)) {
    return nullptr;
  }
  if (napi_get_typedarray_info(env, args[6], &type, &wanted, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float64_array || !ReadFloats(env, args[7], wanted, "scores", &scores)) {
    return ThrowType(env, "places: expected a Float64Array");
  }
  std::vector<ScoredRow> best(wanted);
  const RowMatrix matrix{vectors.type, vectors.dimensions, vectors.row(0), vectors.row_bytes(), vectors.rows};
  const size_t found = TopK(query, matrix, best);
  for (size_t i = 0; i < found; ++i) {
    static_cast<double*>(data)[i] = static_cast<double>(best[i].index);
    scores[i] = best[i].score;
  }
  return Int(env, static_cast<int32_t>(found));
}

}  // namespace zerohop::binding
