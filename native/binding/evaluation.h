// evaluation.h: one evaluation of the library's JavaScript over the addon.
//
// One environment may evaluate the JavaScript several times.  Jest does so for each test file and at `resetModules`, as
// do the VM pools of other test runners, a hot reload, and two bundles that use one addon.  Evaluations share the
// Isolate of their environment, and so its registers, handles and version words.  Errors and hooks belong to an
// evaluation: they are made of its own classes, in its own realm.
//
//   library   the object of lib/addon/native.ts.  It comes with hooks, and gets the addon's functions.
//
// The library is held weakly, so an evaluation that nobody uses any more is collected, with its realm.  A caller may
// still hold its functions, so the Evaluation itself, some dozen bytes, stays until the environment ends.
//
// Threads  the environment's.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "binding/napi_setup.h"

namespace zerohop::binding {

class Isolate;

class Evaluation {
 public:
  explicit Evaluation(Isolate* isolate) : isolate(isolate) {}
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

  // False: `library` is no object.
  bool Hold(napi_env env, napi_value library) { return napi_create_reference(env, library, 0, &library_) == napi_ok; }
  void Drop(napi_env env);

  // Calls a hook.  False: the evaluation was collected, or the hook threw.  Runs JavaScript of ours, in the caller's
  // handle scope.
  bool Call(napi_env env, const char* hook, std::span<const napi_value> arguments, napi_value* result);

  Isolate* const isolate;

  // For the evaluation's timer, which ticks once a second: the isolate's activity at the last tick, and how many ticks
  // it has been the same.
  uint64_t activity = 0;
  int quiet_ticks = 0;

 private:
  napi_ref library_ = nullptr;
};

}  // namespace zerohop::binding
