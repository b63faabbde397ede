#include "binding/exposure.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "binding/shared_on_node20.h"

namespace zerohop::binding {
namespace {

// Node's own function, or V8's on Node 20.  Null if there is none.
CreateShared FindCreateShared(napi_env env) {
  static const auto found = [env] {
    const auto own =
        reinterpret_cast<CreateShared>(::dlsym(RTLD_DEFAULT, "node_api_create_external_sharedarraybuffer"));
    return own != nullptr ? own : FindCreateSharedOnNode20(env);
  }();
  return found;
}

// Runs on any thread, maybe within a collection, maybe after the environment has ended.
void Redeem(Ticket* ticket) {
  ticket->tally->segments.fetch_sub(ticket->segments, std::memory_order_relaxed);
  ticket->arena->Unexpose(ticket->segment);
  delete ticket;
}

void RedeemShared(void*, void* hint) { Redeem(static_cast<Ticket*>(hint)); }
void RedeemArray(napi_env, void*, void* hint) { Redeem(static_cast<Ticket*>(hint)); }

void DropOwner(void* hint) { delete static_cast<std::shared_ptr<void>*>(hint); }

using CanaryCount = std::shared_ptr<std::atomic<uint32_t>>;
char canary_byte;

void CanaryDied(void*, void* hint) {
  const auto* count = static_cast<CanaryCount*>(hint);
  (*count)->fetch_add(1, std::memory_order_relaxed);
  delete count;
}

}  // namespace

const char* BackendName(Backend backend) {
  switch (backend) {
    case Backend::kShared: return "shared";
    case Backend::kArray: return "array";
    case Backend::kCopy: break;
  }
  return "copy";
}

Backend ChooseBackend(napi_env env) {
  const char* wanted = std::getenv("ZEROHOP_EXPOSURE");  // NOLINT(concurrency-mt-unsafe): nobody sets it meanwhile
  const std::string_view name = wanted == nullptr ? "" : wanted;
  if (name == "copy") return Backend::kCopy;
  if (name == "array" || FindCreateShared(env) == nullptr) return Backend::kArray;
  return Backend::kShared;
}

void MakeBuffer(napi_env env, Backend backend, Arena& arena, uint32_t index,
                const std::shared_ptr<ExposureTally>& tally, napi_value* buffer, bool* forbidden) {
  const Segment& segment = arena.segment(index);
  std::byte* data = arena.exposed_bytes() + arena.StartOf(index) + segment.view_at;
  const size_t bytes = segment.view_bytes;
  auto* ticket = new Ticket{&arena, index, segment.run_segments, tally};
  tally->segments.fetch_add(ticket->segments, std::memory_order_relaxed);
  *buffer = nullptr;
  *forbidden = false;
  const napi_status status = backend == Backend::kShared
                                 ? FindCreateShared(env)(env, data, bytes, RedeemShared, ticket, buffer)
                                 : napi_create_external_arraybuffer(env, data, bytes, RedeemArray, ticket, buffer);
  if (status == napi_ok) return;
  *buffer = nullptr;
  *forbidden = status == napi_no_external_buffers_allowed;
  Redeem(ticket);
}

napi_value MakeSharedBuffer(napi_env env, Backend backend, std::byte* data, size_t bytes, std::shared_ptr<void> owner) {
  if (backend == Backend::kCopy) return nullptr;
  auto* const held = new std::shared_ptr<void>(std::move(owner));
  napi_value buffer = nullptr;
  const napi_status status =
      backend == Backend::kShared
          ? FindCreateShared(env)(
                env, data, bytes, [](void*, void* hint) { DropOwner(hint); }, held, &buffer)
          : napi_create_external_arraybuffer(
                env, data, bytes, [](napi_env, void*, void* hint) { DropOwner(hint); }, held, &buffer);
  if (status == napi_ok) return buffer;
  DropOwner(held);
  return nullptr;
}

void PlantCanary(napi_env env, const CanaryCount& count) {
  auto* held = new CanaryCount(count);
  napi_handle_scope scope;
  napi_value canary;
  const bool scoped = napi_open_handle_scope(env, &scope) == napi_ok;
  if (!scoped || FindCreateShared(env)(env, &canary_byte, 1, CanaryDied, held, &canary) != napi_ok) delete held;
  if (scoped) napi_close_handle_scope(env, scope);
}

}  // namespace zerohop::binding
