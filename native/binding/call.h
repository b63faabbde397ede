// call.h: nearly every function of the binding starts with a Call: the open handle that its first argument names.
#pragma once

#include <cstdint>
#include <limits>

#include "base/clock.h"
#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/isolate.h"
#include "binding/napi_setup.h"

namespace zerohop::binding {

// The time left until then, in ms, for JavaScript; infinity for kNever.
inline double MsLeft(uint64_t expires_us) {
  if (expires_us == kNever) return std::numeric_limits<double>::infinity();
  const uint64_t now = NowUs();
  return static_cast<double>(expires_us > now ? expires_us - now : 0) / 1000;
}

// The open handle that the first argument names.  False: there is none, and ERR_CACHE_CLOSED is pending.
struct Call {
  Isolate* isolate;
  Handle* handle = nullptr;
  template <size_t N>
  [[gnu::always_inline]] Call(napi_env env, const Arguments<N>& args) : isolate(args.isolate) {
    int32_t id = -1;
    if (napi_get_value_int32(env, args[0], &id) == napi_ok) handle = isolate->Find(id);
    if (handle != nullptr) [[likely]] {
      isolate->collector().HeedPlan();
      isolate->collector().HeedCollection();
      handle->membership->HeedNotice(env);
    } else {
      ThrowClosed(env);
    }
  }
  [[gnu::noinline]] static void ThrowClosed(napi_env env) { Throw(env, {Code::kClosed, "the cache was closed"}); }
  explicit operator bool() const { return handle != nullptr; }
  Membership& membership() const { return *handle->membership; }
  Cache& cache() const { return handle->membership->cache(); }
  Session& session() const { return handle->membership->session(); }
  uint16_t space() const { return handle->space; }
  KeyKind keys() const { return handle->keys; }
  Counters& counters() const { return *handle->counters; }
};

}  // namespace zerohop::binding
