// shared_on_node20.h: external SharedArrayBuffers on Node 20, which has no Node-API function for them.
//
// V8 11.3, which every Node 20 has, can make them.  The node executable exports its C++ functions, and their ABI is
// frozen with that line (NODE_MODULE_VERSION 115).  They are looked up by name at run time, so the same addon loads
// everywhere. Where one is missing, external ArrayBuffers are used (D20 in docs/DECISIONS.md).
#pragma once

#include "binding/napi_setup.h"

namespace zerohop::binding {

// The signature of node_api_create_external_sharedarraybuffer.
using SharedFinalize = void (*)(void* data, void* hint);
using CreateShared = napi_status (*)(napi_env, void* data, size_t bytes, SharedFinalize, void* hint, napi_value*);

// Null on any other Node, or if a function is missing.
CreateShared FindCreateSharedOnNode20(napi_env env);

}  // namespace zerohop::binding
