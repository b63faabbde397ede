// hash_input.h: reads what JavaScript hands over to be hashed: the state after the start, texts, tensors, bytes.
//
// Text is copied (to UTF-8), and so is data whose NaNs must be replaced.  All other memory stays the caller's, and is
// valid during the call.  Reading runs no JavaScript.
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

// Each of these throws the caller's mistake and returns false.
bool ReadState(napi_env env, napi_value value, KeccakState* state);
bool ReadNans(napi_env env, napi_value value, Nans* nans);

// The memory of a Uint8Array with room for `count` digests.  Otherwise null, and an exception is pending.
std::byte* ReadDigests(napi_env env, napi_value value, size_t count);

// A text behind its kind and length.
class TextInput {
 public:
  // False: the text has a lone surrogate; or it is not a text, and an exception is pending.
  bool Read(napi_env env, napi_value kind, napi_value text);
  HashInput input() const { return {{head_, head_bytes_}, data_}; }

 private:
  static constexpr size_t kInlineUnits = 512;  // a choice: a longer text costs an allocation

  char16_t units_[kInlineUnits + 1];
  char bytes_[kInlineUnits * kUtf8BytesPerUnit + 4];
  std::unique_ptr<char16_t[]> long_units_;
  std::unique_ptr<char[]> long_bytes_;
  std::byte head_[kFrameHeadMax];
  size_t head_bytes_ = 0;
  Bytes data_;
};

// Data.  If it has different NaNs, a copy with one kind of NaN.
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
  // The place of the first text that has a lone surrogate, or -1.
  int32_t malformed() const { return malformed_; }
  const std::vector<HashInput>& inputs() const { return inputs_; }

 private:
  std::unique_ptr<char16_t[]> units_;
  std::unique_ptr<char[]> bytes_;
  std::unique_ptr<std::byte[]> heads_;
  std::vector<HashInput> inputs_;
  int32_t malformed_ = -1;
};

// Many data, with one head for all or one for each.
class DataInputs {
 public:
  bool Read(napi_env env, napi_value heads, napi_value data, napi_value nans);
  const std::vector<HashInput>& inputs() const { return inputs_; }

 private:
  std::vector<DataInput> data_;
  std::vector<HashInput> inputs_;
};

}  // namespace zerohop::binding
