// tensors_binding.cc: tensors and tables: elements as float32, rows side by side, dot products, the best rows.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/function_table.h"
#include "binding/weights_file.h"
#include "weights/fault_guard.h"
#include "weights/ggml_types.h"
#include "weights/id_slots.h"
#include "weights/safetensors.h"
#include "weights/score.h"
#include "weights/search.h"
#include "weights/text_slots.h"
#include "weights/to_float32.h"

namespace zerohop::binding {
namespace {

// Bytes that are read and converted at a time, rounded down to whole blocks: they stay in a processor's cache.
constexpr uint64_t kConvertedAtOnce = uint64_t{1} << 18;

const DType* TypeNamed(const std::string& name) {
  if (const DType* const type = SafetensorsType(name)) return type;
  constexpr uint32_t kNumbers = 64;
  for (uint32_t number = 0; number < kNumbers; ++number) {
    const DType* const type = GgmlType(number);
    if (type != nullptr && name == type->name) return type;
  }
  return nullptr;
}

// A typed array's elements.
struct Elements {
  napi_typedarray_type type = napi_int8_array;
  size_t count = 0;
  void* data = nullptr;

  bool Read(napi_env env, napi_value value, const char* what) {
    if (napi_get_typedarray_info(env, value, &type, &count, &data, nullptr, nullptr) == napi_ok) return true;
    ThrowType(env, std::string(what) + ": expected a typed array");
    return false;
  }
  template <class Element>
  std::span<const Element> of() const {
    return {static_cast<const Element*>(data), count};
  }
};

// A table's vectors: where they lie, and what they are.
struct Vectors {
  std::shared_ptr<MappedFile> file;
  uint64_t begin = 0;
  RowType type = RowType::kF32;
  size_t dimensions = 0;
  uint64_t rows = 0;
  const std::byte* scales = nullptr;  // of kI8

  size_t row_bytes() const { return RowBytes(type, dimensions); }
  const std::byte* row(uint64_t i) const { return file->bytes() + begin + i * row_bytes(); }

  // Runs `read`, which reads nothing of the file but rows and scales.  False, and an exception is pending: the file was
  // cut.
  template <class Work>
  bool Watch(napi_env env, const Work& read) const {
    return ReadGuarded(file->bytes(), file->size(), read) || ThrowCut(env);
  }

  // Reads six arguments: file, begin, type (0 F32, 1 F16, 2 BF16, 3 I8), dimensions, rows, and where the scales begin,
  // or 0 if there are none.
  bool Read(napi_env env, const napi_value* values) {
    File* const owner = ReadFile(env, values[0]);
    uint64_t kind = 0, wide = 0, scaled = 0;
    if (owner == nullptr || *owner == nullptr || !ReadCount(env, values[1], &begin) ||
        !ReadCount(env, values[2], &kind) || !ReadCount(env, values[3], &wide) || !ReadCount(env, values[4], &rows) ||
        !ReadCount(env, values[5], &scaled)) {
      return false;
    }
    file = *owner;
    type = static_cast<RowType>(kind);
    dimensions = wide;
    const uint64_t size = file->size();
    const bool fits = kind <= 3 && wide > 0 && wide <= size && begin <= size && rows <= (size - begin) / row_bytes() &&
                      (scaled == 0 || (scaled <= size && rows <= (size - scaled) / sizeof(float)));
    if (!fits) {
      ThrowRange(env, "vectors: beyond the file");
      return false;
    }
    if (scaled != 0) scales = file->bytes() + scaled;
    return true;
  }
};

bool ReadFloats(napi_env env, napi_value value, size_t least, const char* what, float** floats) {
  *floats = static_cast<float*>(ReadArrayOf(env, value, napi_float32_array, least, what));
  return *floats != nullptr || least == 0;
}

// tensorFloat32(file, begin, end, dtype, out?): how many elements there are; -1: they cannot be converted; or a
// refusal. Converts them to `out` if that is given.
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
  // Reads the file, not its pages, so a file that was cut is an error.
  const uint64_t block = std::max<uint64_t>(1, type->block_bits / 8);
  const uint64_t piece = kConvertedAtOnce / block * block;
  const std::unique_ptr<std::byte[]> memory(new std::byte[piece]);
  for (uint64_t at = begin; at < end; at += piece) {
    const std::span<std::byte> bytes(memory.get(), std::min(piece, end - at));
    const Status status = (*file)->Read(at, bytes);
    if (!status.ok()) return RefusalOf(env, status, at);
    const size_t floats = *Float32Count(*type, bytes.size());
    if (!ToFloat32(*type, bytes, {out, floats})) return Double(env, -1);
    out += floats;
  }
  return Double(env, static_cast<double>(*count));
}

// tableFind(slots, words, rows, wide, key0, key1, ids, places): writes the row of each id, or -1, to `places`.  `ids`:
// an Int32Array, Uint32Array or Float64Array.  Slots and words are those of lib/weights/id-index.ts.
napi_value TableFind(napi_env env, napi_callback_info info) {
  const Arguments<8> args(env, info);
  Elements slots, words, ids;
  uint64_t rows = 0;
  int32_t key[2] = {};
  bool wide = false;
  if (!slots.Read(env, args[0], "slots") || !words.Read(env, args[1], "words") || !ReadCount(env, args[2], &rows) ||
      napi_get_value_bool(env, args[3], &wide) != napi_ok || napi_get_value_int32(env, args[4], &key[0]) != napi_ok ||
      napi_get_value_int32(env, args[5], &key[1]) != napi_ok || !ids.Read(env, args[6], "ids")) {
    return nullptr;
  }
  auto* const out = static_cast<int32_t*>(ReadArrayOf(env, args[7], napi_int32_array, ids.count, "places"));
  if (ids.count == 0) return nullptr;
  const size_t capacity = slots.count / 2;
  const bool fits = slots.type == napi_int32_array && words.type == napi_int32_array && slots.count % 2 == 0 &&
                    std::has_single_bit(capacity) && capacity >= 2 && (!wide || words.count / 2 >= rows);
  if (out == nullptr) return nullptr;
  if (!fits) return ThrowRange(env, "slots: expected a power of two, and two words for each row");
  const IdSlots index{slots.of<int32_t>().data(),
                      static_cast<unsigned>(std::countr_zero(capacity)),
                      words.of<int32_t>().data(),
                      rows,
                      wide,
                      {static_cast<uint32_t>(key[0]), static_cast<uint32_t>(key[1])}};
  bool known = true, cut = false;
  const auto find = [&] {
    switch (ids.type) {
      case napi_int32_array: return FindRows(index, ids.of<int32_t>(), out);
      case napi_uint32_array: return FindRows(index, ids.of<uint32_t>(), out);
      case napi_float64_array: return FindRows(index, ids.of<double>(), out);
      default: known = false;
    }
  };
  const bool whole = ReadGuarded(slots.data, slots.count * sizeof(int32_t), [&] {
    if (!ReadGuarded(words.data, words.count * sizeof(int32_t), find)) cut = true;
  });
  if (!known) return ThrowType(env, "ids: expected an Int32Array, Uint32Array or Float64Array");
  if (cut || !whole) ThrowCut(env);
  return nullptr;
}

// The UTF-8 of a text, during a call.  A short text takes no memory from the heap.
class Utf8 {
 public:
  bool Read(napi_env env, napi_value value) {
    size_t length = 0;
    if (napi_get_value_string_utf8(env, value, short_.data(), short_.size(), &length) != napi_ok) {
      ThrowType(env, "ids: expected strings");
      return false;
    }
    if (length + 1 < short_.size() - kLongestCharacter) {
      bytes_ = std::as_bytes(std::span(short_).first(length));
      return true;
    }
    // The text may have been cut off.
    if (!ReadString(env, value, &long_)) return false;
    bytes_ = std::as_bytes(std::span(long_));
    return true;
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  static constexpr size_t kLongestCharacter = 4;
  std::array<char, 256> short_;
  std::string long_;
  std::span<const std::byte> bytes_;
};

// tableFindTexts(slots, texts, ends, key0, key1, ids, places): writes the row of each text of the array `ids`, or -1,
// to `places`.  Slots, texts and ends are those of lib/weights/id-index.ts.
napi_value TableFindTexts(napi_env env, napi_callback_info info) {
  const Arguments<7> args(env, info);
  Elements slots, texts, ends;
  int32_t key[2] = {};
  uint32_t count = 0;
  if (!slots.Read(env, args[0], "slots") || !texts.Read(env, args[1], "texts") || !ends.Read(env, args[2], "ends") ||
      napi_get_value_int32(env, args[3], &key[0]) != napi_ok ||
      napi_get_value_int32(env, args[4], &key[1]) != napi_ok ||
      napi_get_array_length(env, args[5], &count) != napi_ok) {
    return nullptr;
  }
  auto* const out = static_cast<int32_t*>(ReadArrayOf(env, args[6], napi_int32_array, count, "places"));
  if (count == 0 || out == nullptr) return nullptr;
  const size_t capacity = slots.count / 2;
  const bool fits = slots.type == napi_int32_array && texts.type == napi_uint8_array &&
                    ends.type == napi_float64_array && slots.count % 2 == 0 && std::has_single_bit(capacity) &&
                    capacity >= 2;
  if (!fits) return ThrowRange(env, "slots: expected a power of two, with texts and their ends");
  const TextSlots index{slots.of<int32_t>().data(),
                        static_cast<unsigned>(std::countr_zero(capacity)),
                        std::as_bytes(texts.of<uint8_t>()),
                        ends.of<double>(),
                        {static_cast<uint32_t>(key[0]), static_cast<uint32_t>(key[1])}};
  Utf8 id;
  for (uint32_t i = 0; i < count; ++i) {
    const HandleScope scope(env);
    napi_value value = nullptr;
    if (napi_get_element(env, args[5], i, &value) != napi_ok || !id.Read(env, value)) return nullptr;
    bool whole = true;
    const auto find = [&] { out[i] = FindRow(index, id.bytes()); };
    const auto in_ends = [&] {
      if (!ReadGuarded(ends.data, ends.count * sizeof(double), find)) whole = false;
    };
    const auto in_texts = [&] {
      if (!ReadGuarded(texts.data, texts.count, in_ends)) whole = false;
    };
    if (!ReadGuarded(slots.data, slots.count * sizeof(int32_t), in_texts) || !whole) return ThrowCut(env);
  }
  return nullptr;
}

// tableGather, tableDot and tableTopK begin with the six arguments of Vectors::Read.  They throw ERR_WEIGHTS_CHANGED if
// the file was cut.

// tableGather(vectors, places, out): copies rows side by side.  A row whose place is below 0 is left out.
napi_value TableGather(napi_env env, napi_callback_info info) {
  const Arguments<8> args(env, info);
  Vectors vectors;
  size_t count = 0;
  napi_typedarray_type type;
  void* data = nullptr;
  Bytes out;
  if (!vectors.Read(env, args.values.data())) return nullptr;
  if (napi_get_typedarray_info(env, args[6], &type, &count, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array || !ReadView(env, args[7], "out", &out)) {
    return ThrowType(env, "rows: expected an Int32Array");
  }
  const auto* const rows = static_cast<const int32_t*>(data);
  const size_t bytes = vectors.row_bytes();
  if (out.size() / bytes < count) return ThrowRange(env, "out: expected room for every row");
  const auto is_row = [&](int32_t row) { return row >= 0 && static_cast<uint64_t>(row) < vectors.rows; };
  vectors.Watch(env, [&] {
    constexpr size_t kAhead = 8;
    auto* to = const_cast<std::byte*>(out.data());
    for (size_t i = 0; i < count; ++i, to += bytes) {
      if (i + kAhead < count && is_row(rows[i + kAhead])) {
        const std::byte* const ahead = vectors.row(static_cast<uint64_t>(rows[i + kAhead]));
        for (size_t line = 0; line < std::min<size_t>(bytes, 1024); line += kCacheLineBytes)
          __builtin_prefetch(ahead + line);
      }
      // `to` may be the caller's view of the same pages.
      if (is_row(rows[i])) std::memmove(to, vectors.row(static_cast<uint64_t>(rows[i])), bytes);
    }
  });
  return nullptr;
}

// tableDot(vectors, query, places, out): writes dot products.
napi_value TableDot(napi_env env, napi_callback_info info) {
  const Arguments<9> args(env, info);
  Vectors vectors;
  size_t count = 0;
  napi_typedarray_type type;
  void* data = nullptr;
  float *query = nullptr, *out = nullptr;
  if (!vectors.Read(env, args.values.data()) || !ReadFloats(env, args[6], vectors.dimensions, "query", &query)) {
    return nullptr;
  }
  if (napi_get_typedarray_info(env, args[7], &type, &count, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array) {
    return ThrowType(env, "rows: expected an Int32Array");
  }
  if (!ReadFloats(env, args[8], count, "out", &out)) return nullptr;
  std::vector<const std::byte*> rows(count);
  const auto* const places = static_cast<const int32_t*>(data);
  for (size_t i = 0; i < count; ++i) {
    if (places[i] < 0 || static_cast<uint64_t>(places[i]) >= vectors.rows)
      return ThrowRange(env, "rows: beyond the table");
    rows[i] = vectors.row(static_cast<uint64_t>(places[i]));
  }
  vectors.Watch(env, [&] {
    DotMany(vectors.type, query, vectors.dimensions, rows.data(), count, out);
    for (size_t i = 0; i < count; ++i) {
      out[i] = FiniteOrNan(out[i] * ScaleOf(vectors.scales, static_cast<size_t>(places[i])));
    }
  });
  return nullptr;
}

// tableTopK(vectors, query, places, scores, threads): how many rows were found.  Writes them, the best first.
napi_value TableTopK(napi_env env, napi_callback_info info) {
  const Arguments<10> args(env, info);
  Vectors vectors;
  float *query = nullptr, *scores = nullptr;
  size_t wanted = 0;
  napi_typedarray_type type;
  void* data = nullptr;
  if (!vectors.Read(env, args.values.data()) || !ReadFloats(env, args[6], vectors.dimensions, "query", &query)) {
    return nullptr;
  }
  if (napi_get_typedarray_info(env, args[7], &type, &wanted, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float64_array || !ReadFloats(env, args[8], wanted, "scores", &scores)) {
    return ThrowType(env, "places: expected a Float64Array");
  }
  uint32_t threads = 1;
  napi_get_value_uint32(env, args[9], &threads);
  const RowMatrix matrix{vectors.type,        vectors.dimensions, vectors.row(0),
                         vectors.row_bytes(), vectors.rows,       vectors.scales};
  Result<std::vector<ScoredRow>> best = BestRowsOf(*vectors.file, query, matrix, wanted, std::clamp(threads, 1u, 64u));
  if (!best.ok()) {
    if (best.status().code() == Code::kChanged)
      ThrowCut(env);
    else
      Throw(env, best.status());
    return nullptr;
  }
  const size_t found = best.value().size();
  for (size_t i = 0; i < found; ++i) {
    static_cast<double*>(data)[i] = static_cast<double>(best.value()[i].index);
    scores[i] = best.value()[i].score;
  }
  return Int(env, static_cast<int32_t>(found));
}

constexpr Function kTensorFunctions[] = {
    {"tensorFloat32", Guarded<TensorFloat32>},
    {"tableFind", Guarded<TableFind>},
    {"tableFindTexts", Guarded<TableFindTexts>},
    {"tableGather", Guarded<TableGather>},
    {"tableDot", Guarded<TableDot>},
    {"tableTopK", Guarded<TableTopK>},
};

}  // namespace

std::span<const Function> TensorFunctions() { return kTensorFunctions; }

}  // namespace zerohop::binding
