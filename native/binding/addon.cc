// addon.cc: what the module exports.  Each environment that loads it has one Isolate, which is gone before the
// environment is.
//
//   start(library)   adds every function of the binding to the object of an evaluation of the library (evaluation.h)
//   numbers          the numbers that both languages know (numbers.h)
#include <new>

#include "binding/function_table.h"
#include "binding/isolate.h"
#include "binding/napi_setup.h"
#include "binding/numbers.h"

namespace zerohop::binding {
namespace {

bool AddFunctions(napi_env env, Evaluation* evaluation, napi_value library) {
  const std::span<const Function> rooms[] = {
      CacheFunctions(),   ReadFunctions(),          WriteFunctions(),  FingerprintFunctions(), InferenceFunctions(),
      WeightsFunctions(), WeightsHeaderFunctions(), TensorFunctions(), RespFunctions(),        ObserveFunctions(),
  };
  for (const auto& room : rooms) {
    for (const auto& [name, call] : room) {
      napi_value function;
      if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, evaluation, &function) != napi_ok ||
          napi_set_named_property(env, library, name, function) != napi_ok) {
        return false;
      }
    }
  }
  return true;
}

bool AddArray(napi_env env, const char* name, napi_ref array, napi_value library) {
  napi_value value;
  return napi_get_reference_value(env, array, &value) == napi_ok &&
         napi_set_named_property(env, library, name, value) == napi_ok;
}

// start(library): called once for each evaluation, by lib/addon/native.ts.
napi_value StartEvaluation(napi_env env, napi_callback_info info) {
  Isolate& isolate = *Isolate::Of(env);
  size_t count = 1;
  napi_value library;
  napi_get_cb_info(env, info, &count, &library, nullptr, nullptr);
  Evaluation* const evaluation = isolate.Join(library);
  if (evaluation == nullptr || !AddFunctions(env, evaluation, library) ||
      !AddArray(env, "registers", isolate.registers_array(), library) ||
      !AddArray(env, "nearHits", isolate.near_hits_array(), library)) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "start: expected an object");
    return nullptr;
  }
  return library;
}

// Not Guarded: there may be no evaluation yet that could make the error.
napi_value Start(napi_env env, napi_callback_info info) {
  try {
    return StartEvaluation(env, info);
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, "ERR_CACHE_NO_MEMORY", "zerohop: the system refused memory");
    return nullptr;
  }
}

bool Export(napi_env env, napi_value exports) {
  napi_value start;
  return napi_create_function(env, "start", NAPI_AUTO_LENGTH, Start, nullptr, &start) == napi_ok &&
         napi_set_named_property(env, exports, "start", start) == napi_ok && ExportNumbers(env, exports);
}

// Runs when JavaScript cannot run any more, before Node frees buffers and message queues.  Tickets still on their way
// do not need the Isolate.
void End(void* env) {
  Isolate* isolate = Isolate::Of(static_cast<napi_env>(env));
  napi_set_instance_data(static_cast<napi_env>(env), nullptr, nullptr, nullptr);
  delete isolate;
}

}  // namespace
}  // namespace zerohop::binding

NAPI_MODULE_INIT() {
  using zerohop::binding::Isolate;
  auto* isolate = new Isolate(env);
  if (napi_set_instance_data(env, isolate, nullptr, nullptr) != napi_ok ||
      napi_add_env_cleanup_hook(env, zerohop::binding::End, env) != napi_ok || !isolate->Prepare().ok() ||
      !zerohop::binding::Export(env, exports)) {
    napi_throw_error(env, "ERR_CACHE_INTERNAL", "zerohop: the addon could not be set up in this environment");
  }
  return exports;
}
