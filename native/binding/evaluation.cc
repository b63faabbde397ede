#include "binding/evaluation.h"

#include <utility>

namespace zerohop::binding {

void Evaluation::Drop(napi_env env) {
  if (library_ != nullptr) napi_delete_reference(env, std::exchange(library_, nullptr));
}

bool Evaluation::Call(napi_env env, const char* hook, std::span<const napi_value> arguments, napi_value* result) {
  napi_value library = nullptr, function;
  if (library_ == nullptr) return false;
  if (napi_get_reference_value(env, library_, &library) != napi_ok) return false;
  if (library == nullptr) {
    Drop(env);
    return false;
  }
  return napi_get_named_property(env, library, hook, &function) == napi_ok &&
         napi_call_function(env, library, function, arguments.size(), arguments.data(), result) == napi_ok;
}

}  // namespace zerohop::binding
