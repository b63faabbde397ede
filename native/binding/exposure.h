// exposure.h: shows a segment to JavaScript, by the best backend that this Node has.
//
//   kShared   an external SharedArrayBuffer.  V8 does not account its bytes, nobody can detach it, and its deleter runs
//   on
//             any thread, without an environment.  Node 22.23, 24.21 and 26.10 have the function, which is
//             experimental, so it is looked up at run time.  Node 20 has it through V8 (shared_on_node20.h).
//   kArray    an external ArrayBuffer, where the other is missing.  V8 accounts its bytes, byte streams and transfer()
//   can
//             detach it, and its finalizer runs only from the event loop.
//   kCopy     no buffer: every hit is a copy.  Where external buffers are forbidden (Electron's memory cage).
//
// The memory counts as seen until V8 has freed the *backing store*.  A collected buffer object is no sign of that: a
// byte stream may have moved the same memory into another buffer (D3 in docs/DECISIONS.md).
//
// A Ticket is one exposure on its way through V8.  It is made before the buffer, and the deleter deletes it, on any
// thread. It keeps the arena mapped, and counts for the isolate that made it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "binding/napi_setup.h"
#include "cache/arena.h"

namespace zerohop::binding {

enum class Backend { kShared, kArray, kCopy };

const char* BackendName(Backend backend);

// The best backend of this Node.  `ZEROHOP_EXPOSURE` = shared | array | copy asks for another one; if that is missing,
// the next best is taken.
Backend ChooseBackend(napi_env env);

// How much of one cache an isolate sees.  Shared by its membership and its tickets, which may outlive the membership.
struct ExposureTally {
  std::atomic<uint32_t> segments{0};  // external buffers not yet freed, in segments
};

struct Ticket {
  Arena* arena;
  uint32_t segment;
  uint32_t segments;
  std::shared_ptr<ExposureTally> tally;
};

// Makes the buffer over an exposure that `Arena::TryExpose` has counted.  On failure the exposure is taken back, and
// `*buffer` is null.  Then an exception is pending, unless external buffers are forbidden here (`*forbidden`).
void MakeBuffer(napi_env env, Backend backend, Arena& arena, uint32_t segment,
                const std::shared_ptr<ExposureTally>& tally, napi_value* buffer, bool* forbidden);

// A buffer over memory that `owner` keeps, or that is never freed.  Null, and no exception is pending, if there can be
// no such buffer.
napi_value MakeSharedBuffer(napi_env env, Backend backend, std::byte* data, size_t bytes, std::shared_ptr<void> owner);

// Makes a tiny external SharedArrayBuffer that nobody holds.  Its deleter counts, which tells that V8 has collected
// garbage. Only for kShared, where deleters run within the collection.  `count` may outlive the environment.
void PlantCanary(napi_env env, const std::shared_ptr<std::atomic<uint32_t>>& count);

}  // namespace zerohop::binding
