// cache_binding.h: the functions behind lib/cache.ts.
#pragma once

#include "binding/napi_setup.h"

namespace zerohop::binding {

class Isolate;

// Adds the cache's functions to `exports`.  What each takes and gives is declared in lib/native.ts.
bool ExportCache(napi_env env, Isolate* isolate, napi_value exports);

}  // namespace zerohop::binding
