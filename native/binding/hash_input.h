// hash_input.h: what is hashed, as JavaScript hands it over: the state that all inputs begin with, texts, tensors,
// bytes.
//
// Nothing is copied but text (to UTF-8) and data whose NaNs differ: the memory stays the caller's, valid during the
// call. Reading runs no JavaScript.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/utf8.h"
#include "binding/convert.h"
#include "binding/napi_setup.h"
#include "fingerprint/framing.h"
#include "fingerprint/nans.h"
#include "fingerprint/sha3.h"

namespace zerohop::binding {

// Each of these throws the caller's mistake itself and says false.
bool ReadState(napi_env env, napi_value value, KeccakState* state);
bool ReadNans(napi_env env, napi_value value, Nans* nans);

// Room for `count` digests in a Uint8Array of ours; null, and an exception pending, else.
std::byte* ReadDigests(napi_env env, napi_value value, size_t count);

// A text behind its kind and length.
class TextInput {
 public:
  // False: it has a lone surrogate, or (an exception is pending) is none.
  bool Read(napi_env env, napi_value kind, napi_value text);
  HashInput input() const { return {{head_, head_bytes_}, data_}; }

 private:
  static constexpr size_t kInlineUnits = 512;

  char16_t units_[kInlineUnits + 1];
  char bytes_[kInlineUnits * kUtf8BytesPerUnit + 4];
  std::unique_ptr<char16_t[]> long_units_;
  std::unique_ptr<char[]> long_bytes_;
  std::byte head_[kFrameHeadMax];
  size_t head_bytes_ = 0;
  Bytes data_;
};

// Data, with NaNs made one in a copy if there are others.
class DataInput {
 public:
  bool Read(napi_env env, Bytes head, napi_value data, Nans nans);
  bool Read(napi_env env, napi_value head, napi_value data, Nans nans);
  HashInput input() const { return {head_, data_}; }

 private:
  Bytes head_, data_;
  std::vector<std::byte> copy_;
};

// Many texts as one string, and where each ends in it.
class TextInputs {
 public:
  bool Read(napi_env env, napi_value texts, napi_value ends);
  // The first that has a lone surrogate, or -1.
  int32_t malformed() const { return malformed_; }
  const std::vector<HashInput>& inputs() const { return inputs_; }

 private:
  std::unique_ptr<char16_t[]> units_;
  std::unique_ptr<char[]> bytes_;
  std::unique_ptr<std::byte[]> heads_;
  std::vector<HashInput> inputs_;
  int32_t malformed_ = -1;
};

// Many data: with one head, or one each.
class DataInputs {
 public:
  bool Read(napi_env env, napi_value heads, napi_value data, napi_value nans);
  const std::vector<HashInput>& inputs() const { return inputs_; }

 private:
  std::vector<DataInput> data_;
  std::vector<HashInput> inputs_;
};

}  // namespace zerohop::binding
