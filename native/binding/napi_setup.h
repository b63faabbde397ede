// napi_setup.h: the one place that includes Node's headers.
//
// Node 20 has version 9 of Node-API.  Calls that are made once (open, stats) may use node-addon-api.  Lookups use plain
// Node-API: an empty call costs 10 ns, and the exception frames of a wrapper would show.
#pragma once

#define NAPI_VERSION 9
#ifndef NAPI_DISABLE_CPP_EXCEPTIONS
#define NAPI_DISABLE_CPP_EXCEPTIONS
#endif
// An environment that ends (worker.terminate) refuses to throw.  Without this, node-addon-api would abort the whole
// process then.  exits.test.ts checks it.
#ifndef NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#endif
#include <napi.h>
#include <node_api.h>
