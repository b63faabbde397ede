// job.h: work beside the event loop, on a thread of its own, whose end settles a promise.
//
// Not on libuv's threads: an environment that ends waits for what is queued there before it says that it ends, and the
// work of a terminated worker would hold it up until it is done.  Here a cleanup hook has it give up.
//
// Lifetime  the job's own: until its promise is settled, or its environment has ended.
// Threads   Start on the environment's; the work on another, without JavaScript.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "base/status.h"
#include "binding/napi_setup.h"

namespace zerohop::binding {

// Two words that JavaScript shares with a job: whether to give up, and the KiB that are done.
struct Control {
  int32_t* words = nullptr;
  bool GoOn() const { return std::atomic_ref<int32_t>(words[0]).load(std::memory_order_relaxed) == 0; }
  void GiveUp() const { std::atomic_ref<int32_t>(words[0]).store(1, std::memory_order_relaxed); }
  void Done(uint64_t kib) const {
    std::atomic_ref<int32_t>(words[1]).fetch_add(static_cast<int32_t>(kib), std::memory_order_relaxed);
  }
};

class Job {
 public:
  using Work = std::function<Status(const Control&)>;
  using Answer = std::function<napi_value(napi_env)>;

  // A promise of what `answer` makes, or of a text: what went wrong.  `control`: an Int32Array of two over memory that
  // does not move; kept until the job is done.  Null, and an exception pending, if it can not be begun.
  static napi_value Start(napi_env env, napi_value control, const char* name, Work work, Answer answer);

 private:
  void Run();
  static void Deliver(napi_env env, napi_value, void* context, void*);
  static void Finish(napi_env env, void*, void* context);
  static void GiveUpAndWait(void* context);

  Control control_;
  Work work_;
  Answer answer_;
  Status status_;
  napi_deferred deferred_ = nullptr;
  napi_ref kept_ = nullptr;
  napi_threadsafe_function to_event_loop_ = nullptr;
  std::thread thread_;
};

}  // namespace zerohop::binding
