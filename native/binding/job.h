// job.h: work beside the event loop, on a thread of its own.  Its end settles a promise.
//
// It does not use libuv's threads: an environment that ends waits for work there before any hook of ours runs, so the
// work of a terminated worker would hold it up.  Here a cleanup hook tells the work to give up (D66 in
// docs/DECISIONS.md).
//
// Lifetime  a job lives until its promise is settled, or its environment has ended.
// Threads   Start runs on the environment's thread, the work on another one, without JavaScript.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "base/status.h"
#include "binding/napi_setup.h"

namespace zerohop::binding {

// Two words that JavaScript shares with a job: whether to give up, and how many KiB are done.
struct Control {
  static constexpr size_t kWords = 2, kGiveUp = 0, kDoneKib = 1;

  int32_t* words = nullptr;
  bool GoOn() const { return std::atomic_ref<int32_t>(words[kGiveUp]).load(std::memory_order_relaxed) == 0; }
  void GiveUp() const { std::atomic_ref<int32_t>(words[kGiveUp]).store(1, std::memory_order_relaxed); }
  void Done(uint64_t kib) const {
    std::atomic_ref<int32_t>(words[kDoneKib]).fetch_add(static_cast<int32_t>(kib), std::memory_order_relaxed);
  }
};

class Job {
 public:
  using Work = std::function<Status(const Control&)>;
  using Answer = std::function<napi_value(napi_env)>;

  // Starts a job, and returns a promise of what `answer` makes, or of a refusal (weights_file.h).  `control`: an
  // Int32Array of kWords over memory that does not move; it is kept until the job is done.  Null, and an exception is
  // pending, if the job cannot be started.
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
