#include "binding/job.h"

#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/weights_file.h"

namespace zerohop::binding {

napi_value Job::Start(napi_env env, napi_value control, const char* name, Work work, Answer answer) {
  auto job = std::make_unique<Job>();
  job->control_.words = static_cast<int32_t*>(ReadArrayOf(env, control, napi_int32_array, Control::kWords, "control"));
  job->work_ = std::move(work);
  job->answer_ = std::move(answer);
  napi_value promise, resource;
  if (job->control_.words == nullptr || napi_create_promise(env, &job->deferred_, &promise) != napi_ok ||
      napi_create_reference(env, control, 1, &job->kept_) != napi_ok ||
      napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource) != napi_ok ||
      napi_create_threadsafe_function(env, nullptr, nullptr, resource, 0, 1, nullptr, Finish, job.get(), Deliver,
                                      &job->to_event_loop_) != napi_ok) {
    return nullptr;
  }
  Job* const running = job.release();  // Finish deletes it
  // Added after the function to the event loop was made: hooks run in reverse order, and that function must be there
  // until this hook has run.
  napi_add_env_cleanup_hook(env, GiveUpAndWait, running);
  try {
    running->thread_ = std::thread([running] { running->Run(); });
  } catch (const std::system_error& error) {
    running->status_ = {Code::kNoMemory, error.what()};
    napi_call_threadsafe_function(running->to_event_loop_, nullptr, napi_tsfn_blocking);
    napi_release_threadsafe_function(running->to_event_loop_, napi_tsfn_release);
  }
  return promise;
}

void Job::Run() {
  try {
    status_ = work_(control_);
  } catch (const std::exception& error) {  // no memory
    status_ = {Code::kNoMemory, error.what()};
  }
  napi_call_threadsafe_function(to_event_loop_, nullptr, napi_tsfn_blocking);
  napi_release_threadsafe_function(to_event_loop_, napi_tsfn_release);
}

void Job::Deliver(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;  // the environment ends: nobody waits any more
  auto& job = *static_cast<Job*>(context);
  napi_value value = job.status_.ok() ? job.answer_(env) : RefusalOf(env, job.status_);
  if (value != nullptr) napi_resolve_deferred(env, job.deferred_, value);
  napi_delete_reference(env, job.kept_);
}

// Runs on the environment's thread, when the job's thread has released its function, or the environment has ended.
void Job::Finish(napi_env env, void*, void* context) {
  const std::unique_ptr<Job> job(static_cast<Job*>(context));
  if (!job->thread_.joinable()) return;
  job->thread_.join();
  napi_remove_env_cleanup_hook(env, GiveUpAndWait, context);
}

void Job::GiveUpAndWait(void* context) {
  auto& job = *static_cast<Job*>(context);
  job.control_.GiveUp();
  if (job.thread_.joinable()) job.thread_.join();
}

}  // namespace zerohop::binding
