// keys.h: from strings, byte arrays and integers to the bytes of keys.
//
//   text      a string's UTF-8, or a Uint8Array's own bytes: 1 to 65 535 bytes
//   integer   a safe integer, as eight bytes of two's complement, little-endian; -0 is 0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/constants.h"
#include "base/utf8.h"
#include "binding/napi_setup.h"
#include "cache/cache.h"

namespace zerohop::binding {

enum class KeyKind : uint8_t { kText, kInteger };

// One key.  A short string is copied to the stack.  The bytes of a Uint8Array stay its own, and are valid during the
// call.
class KeyReader {
 public:
  // False, and an exception is pending: the value is not a key of this kind.
  bool Read(napi_env env, napi_value value, KeyKind kind);
  Bytes bytes() const { return bytes_; }
  bool is_bytes() const { return is_bytes_; }  // given as a Uint8Array

 private:
  // A choice: longer than any id or fingerprint in hex.  A longer key costs an allocation.
  static constexpr size_t kInlineUnits = 256;

  bool ReadText(napi_env env, napi_value value);
  bool ReadLongString(napi_env env, napi_value value);
  bool ReadBytes(napi_env env, napi_value value);
  bool ReadInteger(napi_env env, napi_value value);
  bool Accept(napi_env env, const char* data, size_t bytes);

  char16_t inline_units_[kInlineUnits + 1];
  char inline_[kInlineUnits * kUtf8BytesPerUnit];
  std::unique_ptr<char[]> heap_;
  Bytes bytes_;
  bool is_bytes_ = false;
};

// The keys of a batch, back to back.
class KeyBatch {
 public:
  // A batch, as lib/cache/batch.ts makes it.
  struct Source {
    // An array.  For integers also an Int32Array, Uint32Array or Float64Array.  With `ends`, a string.
    napi_value keys;
    napi_value ends;   // undefined; or an Int32Array: where each key ends in the string, in UTF-16 units
    napi_value count;  // how many keys there are
  };
  // Reads all keys before the first lookup, because reading an array may run JavaScript (getters, proxies), which may
  // close the cache or open others.
  bool Read(napi_env env, const Source& source, KeyKind kind);

  size_t size() const { return ends_.size(); }
  Bytes operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return {data_ + begin, ends_[i] - begin};
  }

 private:
  bool ReadText(napi_env env, const Source& source, std::span<const int32_t> ends, KeyKind kind);
  bool ReadArray(napi_env env, napi_value keys, KeyKind kind);
  bool ReadNumbers(napi_env env, napi_value keys);
  void Append(Bytes key) {
    bytes_.insert(bytes_.end(), key.begin(), key.end());
    ends_.push_back(bytes_.size());
  }

  std::vector<std::byte> bytes_;
  std::unique_ptr<char[]> text_;  // the keys lie here or in bytes_
  const std::byte* data_ = nullptr;
  std::vector<size_t> ends_;
};

// The integer of a stored key of an integer keyspace; 0 if the bytes are not an integer.
int64_t IntegerOf(const std::vector<std::byte>& key);

}  // namespace zerohop::binding
