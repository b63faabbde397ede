// hash_input.h: reads what JavaScript hands over to be hashed: the state after the start, texts, tensors, bytes.
//
// Text is copied: to UTF-8, behind its head, padded.  All other memory stays the caller's, and is valid during the
// call. Reading runs no JavaScript.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/utf8.h"
#include "binding/convert.h"
#include "binding/napi_setup.h"
#include "binding/text_memory.h"
#include "fingerprint/framing.h"
#include "fingerprint/nans.h"
#include "fingerprint/sha3.h"

namespace zerohop::binding {

// Bytes that a text's message needs beside its UTF-8: for the head, for the padding, and four that EncodeUtf8 needs.
inline constexpr size_t kMessageExtra = kFrameHeadMax + kSha3Rate + 4;

// Each of these throws the caller's mistake and returns false.
bool ReadState(napi_env env, napi_value value, KeccakState* state);
bool ReadNans(napi_env env, napi_value value, Nans* nans);

// The memory of a Uint8Array with room for `count` digests.  Otherwise null, and an exception is pending.
std::byte* ReadDigests(napi_env env, napi_value value, size_t count);

// A text, as the message that is hashed.
class TextInput {
 public:
  // False: the text has a lone surrogate; or it is not a text, and an exception is pending.
  bool Read(napi_env env, napi_value kind, napi_value text);
  const HashInput& input() const { return input_; }

 private:
  static constexpr size_t kInlineUnits = 512;  // a choice: a longer text costs an allocation

  char16_t units_[kInlineUnits + 1];
  std::byte message_[kInlineUnits * kUtf8BytesPerUnit + kMessageExtra];
  std::unique_ptr<char16_t[]> long_units_;
  std::unique_ptr<std::byte[]> long_message_;
  HashInput input_;
};

// Many texts as one string, and where each ends in it.  They lie in the isolate's memory.
class TextInputs {
 public:
  explicit TextInputs(TextMemory& memory) : memory_(memory) {}
  ~TextInputs() { memory_.Trim(); }
  TextInputs(const TextInputs&) = delete;
  TextInputs& operator=(const TextInputs&) = delete;

  // `count`: how many of the ends count.
  bool Read(napi_env env, napi_value texts, napi_value ends, napi_value count);
  // The place of the first text that has a lone surrogate, or -1.
  int32_t malformed() const { return malformed_; }
  const std::vector<HashInput>& inputs() const { return inputs_; }

 private:
  TextMemory& memory_;
  std::vector<HashInput> inputs_;
  int32_t malformed_ = -1;
};

// Data behind a head.
bool ReadData(napi_env env, napi_value head, napi_value data, Nans nans, HashInput* input);

// Many data, with one head for all or one for each.
class DataInputs {
 public:
  bool Read(napi_env env, napi_value heads, napi_value data, napi_value nans);
  const std::vector<HashInput>& inputs() const { return inputs_; }

 private:
  std::vector<HashInput> inputs_;
};

// Many typed arrays: tensors of one dimension; Uint8Arrays are bytes.
class ViewInputs {
 public:
  // False: an exception is pending, or one of them must be judged by JavaScript: it is empty or detached, or no typed
  // array that Node-API names.
  bool Read(napi_env env, napi_value views);
  const std::vector<HashInput>& inputs() const { return inputs_; }

 private:
  using Head = std::array<std::byte, 32>;

  Bytes HeadOf(napi_typedarray_type type, size_t length);

  std::vector<HashInput> inputs_;
  std::deque<Head> heads_;  // one for views of one kind and length that come one after another
};

}  // namespace zerohop::binding
