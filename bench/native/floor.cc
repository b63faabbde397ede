// floor.cc: what a batch of random rows costs when nothing is done but to copy them, or to read them once: the floors
// under `gather` and `dot`.
//
// A table of equal rows in huge pages, and loops over the rows they are given, fetching those they will need `ahead`
// rows later.  No keys, no checks beyond the bounds, no threads.  The suite tries several distances and takes the best.
//
//   createTable(rows, rowBytes)                 all pages are in memory when it returns
//   writeRow(row, bytes)
//   gatherRows(rows: Uint32Array, out, ahead, lines)   lines: how many cache lines of a row are fetched in advance
//   streamRows(rows: Uint32Array, ahead, lines)        reads every word of them; returns some of their exclusive or
//   dropTable()
//
// Not part of the package.  One table a process; JavaScript's main thread only.
#include <node_api.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "arguments.h"

namespace {

constexpr size_t kLineBytes = 64;
constexpr size_t kHugePageBytes = size_t{2} << 20;

struct Table {
  std::byte* mapping = nullptr;
  size_t mapped_bytes = 0;
  std::byte* rows = nullptr;  // `mapping`, aligned to a huge page
  size_t count = 0;
  size_t row_bytes = 0;
};

Table table;

struct Array {
  napi_typedarray_type type;
  std::byte* data;
  size_t bytes;
};

bool TypedArray(napi_env env, napi_value value, Array* out) {
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &out->type, &length, &data, nullptr, nullptr) != napi_ok) return false;
  const bool wide = out->type == napi_float32_array || out->type == napi_uint32_array;
  if (!wide && out->type != napi_uint8_array) return false;
  out->data = static_cast<std::byte*>(data);
  out->bytes = wide ? length * 4 : length;
  return true;
}

void Drop() {
  if (table.mapping != nullptr) munmap(table.mapping, table.mapped_bytes);
  table = Table{};
}

napi_value DropTable(napi_env, napi_callback_info) {
  Drop();
  return nullptr;
}

napi_value CreateTable(napi_env env, napi_callback_info info) {
  napi_value args[2];
  size_t rows = 0, row_bytes = 0;
  if (!Arguments(env, info, args) || !Number(env, args[0], &rows) || !Number(env, args[1], &row_bytes)) {
    return Throw(env, "createTable(rows, rowBytes)");
  }
  Drop();
  const size_t bytes = rows * row_bytes;
  const size_t mapped = bytes + kHugePageBytes;
  void* mapping = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return Throw(env, "no memory for the table");
  const auto start = reinterpret_cast<uintptr_t>(mapping);
  const uintptr_t aligned = (start + kHugePageBytes - 1) & ~(kHugePageBytes - 1);
  table = {static_cast<std::byte*>(mapping), mapped, reinterpret_cast<std::byte*>(aligned), rows, row_bytes};
#ifdef MADV_HUGEPAGE
  madvise(table.rows, bytes, MADV_HUGEPAGE);
#endif
  std::memset(table.rows, 0, bytes);
  return nullptr;
}

napi_value WriteRow(napi_env env, napi_callback_info info) {
  napi_value args[2];
  size_t row = 0;
  Array bytes;
  if (!Arguments(env, info, args) || !Number(env, args[0], &row) || !TypedArray(env, args[1], &bytes)) {
    return Throw(env, "writeRow(row, bytes)");
  }
  if (row >= table.count || bytes.bytes != table.row_bytes) return Throw(env, "writeRow: out of bounds");
  std::memcpy(table.rows + row * table.row_bytes, bytes.data, table.row_bytes);
  return nullptr;
}

napi_value GatherRows(napi_env env, napi_callback_info info) {
  napi_value args[4];
  Array rows, out;
  size_t ahead = 0, lines = 0;
  if (!Arguments(env, info, args) || !TypedArray(env, args[0], &rows) || !TypedArray(env, args[1], &out) ||
      !Number(env, args[2], &ahead) || !Number(env, args[3], &lines) || rows.type != napi_uint32_array) {
    return Throw(env, "gatherRows(rows, out, ahead, lines)");
  }
  const auto* wanted = reinterpret_cast<const uint32_t*>(rows.data);
  const size_t count = rows.bytes / sizeof(uint32_t);
  if (out.bytes < count * table.row_bytes) return Throw(env, "gatherRows: out is too small");
  for (size_t i = 0; i < count; ++i) {
    if (wanted[i] >= table.count) return Throw(env, "gatherRows: no such row");
  }
  for (size_t i = 0; i < count; ++i) {
    if (i + ahead < count) {
      const std::byte* next = table.rows + wanted[i + ahead] * table.row_bytes;
      for (size_t line = 0; line < lines; ++line) __builtin_prefetch(next + line * kLineBytes);
    }
    std::memcpy(out.data + i * table.row_bytes, table.rows + wanted[i] * table.row_bytes, table.row_bytes);
  }
  return nullptr;
}

// Four sums, so that none waits for another.  As wide as the compiler's vectors.
uint64_t ExclusiveOr(const std::byte* row, size_t bytes) {
  constexpr size_t kWords = 16;
  uint64_t sums[kWords] = {};
  size_t at = 0;
  for (; at + sizeof(sums) <= bytes; at += sizeof(sums)) {
    uint64_t words[kWords];
    std::memcpy(words, row + at, sizeof(words));
    for (size_t i = 0; i < kWords; ++i) sums[i] ^= words[i];
  }
  for (; at < bytes; ++at) sums[0] ^= static_cast<uint64_t>(row[at]);
  uint64_t sum = 0;
  for (const uint64_t one : sums) sum ^= one;
  return sum;
}

napi_value StreamRows(napi_env env, napi_callback_info info) {
  napi_value args[3], result;
  Array rows;
  size_t ahead = 0, lines = 0;
  if (!Arguments(env, info, args) || !TypedArray(env, args[0], &rows) || !Number(env, args[1], &ahead) ||
      !Number(env, args[2], &lines) || rows.type != napi_uint32_array) {
    return Throw(env, "streamRows(rows, ahead, lines)");
  }
  const auto* wanted = reinterpret_cast<const uint32_t*>(rows.data);
  const size_t count = rows.bytes / sizeof(uint32_t);
  for (size_t i = 0; i < count; ++i) {
    if (wanted[i] >= table.count) return Throw(env, "streamRows: no such row");
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    if (i + ahead < count) {
      const std::byte* next = table.rows + wanted[i + ahead] * table.row_bytes;
      for (size_t line = 0; line < lines; ++line) __builtin_prefetch(next + line * kLineBytes);
    }
    sum ^= ExclusiveOr(table.rows + wanted[i] * table.row_bytes, table.row_bytes);
  }
  if (napi_create_double(env, static_cast<double>(sum >> 11), &result) != napi_ok) return nullptr;
  return result;
}

napi_value Init(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {
      {"createTable", nullptr, CreateTable, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"writeRow", nullptr, WriteRow, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"gatherRows", nullptr, GatherRows, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"streamRows", nullptr, StreamRows, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"dropTable", nullptr, DropTable, nullptr, nullptr, nullptr, napi_default, nullptr},
  };
  napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]), functions);
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)
