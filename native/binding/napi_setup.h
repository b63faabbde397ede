// napi_setup.h: the one place where Node's headers come in.
//
// NODE_API 9 is what Node 20 has.  node-addon-api wraps the calls made once (open, stats); the paths a lookup takes use
// plain Node-API, where an empty call costs 10 ns and a wrapper's exception frames would show.
#pragma once

#define NAPI_VERSION 9
#ifndef NAPI_DISABLE_CPP_EXCEPTIONS
#define NAPI_DISABLE_CPP_EXCEPTIONS
#endif
// An environment that is going down (worker.terminate) refuses to throw; without this, node-addon-api would abort the
// whole process for it.  Held by exits.test.ts.
#ifndef NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#endif
#include <napi.h>
#include <node_api.h>
