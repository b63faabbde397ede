// cache_binding.h: the functions behind lib/cache/cache.ts.
#pragma once

#include "binding/napi_setup.h"

namespace zerohop::binding {

// Adds `start(library)` to `exports`, which adds all other functions to `library` (evaluation.h), and the registers.
// What each takes and gives is declared in lib/addon/native.ts.
bool ExportStart(napi_env env, napi_value exports);

}  // namespace zerohop::binding
