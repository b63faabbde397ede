// addon.cc: the module's door: `start`, which adds the binding's functions to the object of an evaluation of the
// library (evaluation.h); and one Isolate for each environment that loads it, gone before the environment is.
#include "binding/cache_binding.h"
#include "binding/isolate.h"
#include "binding/napi_setup.h"

namespace {

using zerohop::binding::Isolate;

// Runs while JavaScript can no longer, before Node frees buffers and message queues.  Tickets still on their way do
// not need the Isolate.
void End(void* env) {
  Isolate* isolate = Isolate::Of(static_cast<napi_env>(env));
  napi_set_instance_data(static_cast<napi_env>(env), nullptr, nullptr, nullptr);
  delete isolate;
}

}  // namespace

NAPI_MODULE_INIT() {
  auto* isolate = new Isolate(env);
  if (napi_set_instance_data(env, isolate, nullptr, nullptr) != napi_ok ||
      napi_add_env_cleanup_hook(env, End, env) != napi_ok || !isolate->Prepare().ok() ||
      !zerohop::binding::ExportStart(env, exports)) {
    napi_throw_error(env, "ERR_CACHE_INTERNAL", "zerohop: the addon could not be set up in this environment");
  }
  return exports;
}
