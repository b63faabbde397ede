// exposure.h: showing a segment to JavaScript, through whichever of two backends this Node has.
//
//   kShared   an external SharedArrayBuffer: nothing accounted, can not be detached, its deleter runs on any thread
//             without an environment.  Node 22.23, 24.21, 26.10 (experimental, so looked up at run time); on Node 20
//             through V8 (shared_on_node20.h).
//   kArray    an external ArrayBuffer: its bytes are accounted by V8, byte streams and transfer() can detach it, its
//             finalizer runs from the event loop only.  Where the other is missing.
//   kCopy     none: every hit is a copy.  Where external buffers are forbidden (Electron's memory cage).
//
// Either way the memory counts as seen until V8 has freed the *backing store*.  That a buffer object was collected is
// no sign of it: a byte stream may have moved the same memory into another buffer.
//
// A Ticket is one exposure on its way through V8: made before the buffer, deleted by the deleter, on any thread.  It
// keeps the arena mapped, and counts for the isolate that made it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "binding/napi_setup.h"
#include "cache/arena.h"

namespace zerohop::binding {

enum class Backend { kShared, kArray, kCopy };

const char* BackendName(Backend backend);

// The best backend this Node has; `ZEROHOP_EXPOSURE` = shared | array | copy asks for another.  Asked for one that is
// missing: the next best.
Backend ChooseBackend(napi_env env);

// Who sees how much of one cache: shared by an isolate's membership and its tickets, which may outlive it.
struct ExposureTally {
  std::atomic<uint32_t> segments{0};  // external buffers not yet freed, in segments
};

struct Ticket {
  Arena* arena;
  uint32_t segment;
  uint32_t segments;
  std::shared_ptr<ExposureTally> tally;
};

// Makes the buffer over an exposure that `Arena::TryExpose` has counted.  On failure the exposure is taken back,
// `*buffer` is null and, unless external buffers are forbidden here (`*forbidden`), a JavaScript exception is pending.
void MakeBuffer(napi_env env, Backend backend, Arena& arena, uint32_t segment,
                const std::shared_ptr<ExposureTally>& tally, napi_value* buffer, bool* forbidden);

// A buffer over memory that `owner` keeps, or that is never freed.  Null, and no exception pending, where there can be
// none.
napi_value MakeSharedBuffer(napi_env env, Backend backend, std::byte* data, size_t bytes, std::shared_ptr<void> owner);

// Tells that V8 has collected garbage: a tiny external SharedArrayBuffer that nobody holds, whose deleter counts.
// kShared only, where deleters run within the collection.  `count` outlives the environment if need be.
void PlantCanary(napi_env env, const std::shared_ptr<std::atomic<uint32_t>>& count);

}  // namespace zerohop::binding
