// evaluation.h: one evaluation of the library's JavaScript over the addon.
//
// The JavaScript is evaluated again in the same environment by Jest for each test file and at `resetModules`, by
// the VM pools of other test runners, by a hot reload, and where two bundles use one addon.  Evaluations share their
// environment's Isolate, and so its registers, handles and version words: to native code they are callers like any
// other. What belongs to an evaluation is made of its own classes, in its own realm: the errors it catches, and the
// hooks.
//
//   library   lib/addon/native.ts's object: its hooks on the way in, the addon's functions added on the way out
//
// The library is held weakly: an evaluation that nobody uses any more is collected, with its realm.  Its functions may
// outlive it in the hands of a caller, so the Evaluation itself, some dozen bytes, stays to the environment's end.
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

  // False: the evaluation was collected, or the hook threw.  Runs JavaScript, ours.  In the caller's handle scope.
  bool Call(napi_env env, const char* hook, std::span<const napi_value> arguments, napi_value* result);

  Isolate* const isolate;

  // Of its own timer, which ticks once a second; the isolate's counts then, and ticks since they last changed.
  uint64_t activity = 0;
  int quiet_ticks = 0;

 private:
  napi_ref library_ = nullptr;
};

}  // namespace zerohop::binding
