// convert.h: JavaScript arguments to core types.  Each function throws the caller's mistake itself and says false.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "base/constants.h"
#include "binding/napi_setup.h"
#include "cache/cache.h"

namespace zerohop::binding {

// Arguments of a call; missing ones are undefined.
template <size_t N>
struct Arguments {
  std::array<napi_value, N> values;
  Arguments(napi_env env, napi_callback_info info) {
    size_t count = N;
    napi_get_cb_info(env, info, &count, values.data(), nullptr, nullptr);
  }
  napi_value operator[](size_t i) const { return values[i]; }
};

// The bytes of a key: a string's UTF-8, copied to the stack if short, or a Uint8Array's own, valid during the call.
class KeyReader {
 public:
  // False, and an exception pending, for anything that is not a key of 1 to 65 535 bytes.
  bool Read(napi_env env, napi_value value);
  Bytes bytes() const { return bytes_; }

 private:
  // Longer than any id or fingerprint in hex; longer keys cost an allocation.
  static constexpr size_t kInlineBytes = 256;

  bool ReadLongString(napi_env env, napi_value value);
  bool ReadBytes(napi_env env, napi_value value);
  bool Accept(napi_env env, const char* data, size_t bytes);

  char inline_[kInlineBytes];
  std::vector<char> heap_;
  Bytes bytes_;
};

// The memory of a typed array, valid during the call.  False, and an exception pending, if it is none or detached.
bool ReadView(napi_env env, napi_value value, const char* what, Bytes* bytes);

bool ReadString(napi_env env, napi_value value, std::string* text);

}  // namespace zerohop::binding
