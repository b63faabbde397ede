#include "binding/isolate.h"

#include <algorithm>
#include <utility>

#include "binding/exposure_price.h"

namespace zerohop::binding {
namespace {

// Ticks (seconds) without any call before a process counts as idle.
constexpr int kQuietTicks = 2;

void CallPosted(napi_env env, napi_value, void*, void*) {
  if (env == nullptr) return;  // the queue is being emptied at the environment's end
  if (Isolate* isolate = Isolate::Of(env)) isolate->OnPosted();
}

}  // namespace

Isolate::~Isolate() {
  memberships_.clear();  // leave every cache's list first: no post can arrive after this
  if (registers_ref_ != nullptr) napi_delete_reference(env_, registers_ref_);
  if (near_hits_ref_ != nullptr) napi_delete_reference(env_, near_hits_ref_);
  for (const auto& one : evaluations_) one->Drop(env_);
}

bool Isolate::CallHook(Evaluation& evaluation, const char* hook) {
  Evaluation* const caller = evaluation_;
  napi_handle_scope scope;
  napi_value result;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return false;
  const bool ran = evaluation.Call(env_, hook, {}, &result);
  // The hook may be another evaluation's, whose realm was torn down.  What it throws does not concern the present
  // caller.
  bool pending = false;
  if (!ran && napi_is_exception_pending(env_, &pending) == napi_ok && pending) {
    napi_get_and_clear_last_exception(env_, &result);
  }
  napi_close_handle_scope(env_, scope);
  evaluation_ = caller;  // the hook may have called us
  return ran;
}

void Isolate::TidyNear() {
  for (const auto& one : evaluations_) CallHook(*one, "tidyNear");
}

bool Isolate::RunYoungCollection() {
  return std::any_of(evaluations_.begin(), evaluations_.end(),
                     [this](const auto& one) { return CallHook(*one, "collectYoung"); });
}

std::optional<uint32_t> Isolate::TakeNearNumber() {
  if (near_numbers_.empty()) return std::nullopt;
  const uint32_t number = near_numbers_.back();
  near_numbers_.pop_back();
  near_hits_[number] = 0;
  return number;
}

void Isolate::GiveNearNumber(uint32_t number) { near_numbers_.push_back(number); }

Status Isolate::Prepare() {
  napi_value memory, array, name;
  void* data = nullptr;
  constexpr size_t kRegisterBytes = kRegisters * sizeof(uint32_t);
  if (napi_create_arraybuffer(env_, kRegisterBytes, &data, &memory) != napi_ok ||
      napi_create_typedarray(env_, napi_uint32_array, kRegisters, memory, 0, &array) != napi_ok ||
      napi_create_reference(env_, array, 1, &registers_ref_) != napi_ok) {
    return {Code::kInternal, "no registers"};
  }
  registers_ = static_cast<uint32_t*>(data);
  if (napi_create_arraybuffer(env_, kNearNumbers * sizeof(double), &data, &memory) != napi_ok ||
      napi_create_typedarray(env_, napi_float64_array, kNearNumbers, memory, 0, &array) != napi_ok ||
      napi_create_reference(env_, array, 1, &near_hits_ref_) != napi_ok) {
    return {Code::kInternal, "no near hits"};
  }
  near_hits_ = static_cast<double*>(data);
  for (uint32_t number = kNearNumbers; number-- > 0;) near_numbers_.push_back(number);
  if (napi_create_string_utf8(env_, "zerohop:notice", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env_, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, CallPosted,
                                      &post_) != napi_ok ||
      napi_unref_threadsafe_function(env_, post_) != napi_ok) {
    return {Code::kInternal, "no message queue to the event loop"};
  }
  collector_.Watch();
  return {};
}

Evaluation* Isolate::Join(napi_value library) {
  auto evaluation = std::make_unique<Evaluation>(this);
  if (!evaluation->Hold(env_, library)) return nullptr;
  evaluation_ = evaluation.get();
  evaluations_.push_back(std::move(evaluation));
  return evaluation_;
}

int32_t Isolate::Open(std::shared_ptr<Cache> cache, uint16_t space, KeyKind keys) {
  const auto known = std::find_if(memberships_.begin(), memberships_.end(),
                                  [&cache](const auto& one) { return &one->cache() == cache.get(); });
  Membership* membership = known == memberships_.end() ? nullptr : known->get();
  if (membership == nullptr) {
    memberships_.push_back(std::make_unique<Membership>(*this, std::move(cache)));
    membership = memberships_.back().get();
  }
  if (free_places_.empty()) {
    free_places_.push_back(handles_.size());
    handles_.emplace_back();
  }
  const size_t place = free_places_.back();
  free_places_.pop_back();
  Handle& handle = handles_[place];
  handle.membership = membership;
  handle.space = space;
  handle.keys = keys;
  handle.counters = &membership->session().Of(space);
  ++membership->handles;
  return static_cast<int32_t>(place) | (int32_t{handle.generation} << kPlaceBits);
}

void Isolate::Close(int32_t number) {
  Handle* handle = Find(number);
  if (handle == nullptr) return;
  Membership* membership = handle->membership;
  handle->membership = nullptr;
  handle->generation = static_cast<uint16_t>((handle->generation + 1) & ((1 << kGenerationBits) - 1));
  free_places_.push_back(PlaceOf(number));
  if (--membership->handles > 0) return;
  if (membership->seen() > 0) {
    collector_.KeepAccountOf(membership->tally(), membership->cache().arena().segment_bytes());
  }
  std::erase_if(memberships_, [membership](const auto& one) { return one.get() == membership; });
  collector_.Account();
}

uint64_t Isolate::PriceNs(const Cache& cache) const {
  return prompt() ? 0 : AccountedExposurePriceNs(heap_used_bytes_, cache.arena().segment_bytes());
}

bool Isolate::MayExposeNow(const Cache& cache) {
  if (prompt() || exposed_this_turn_ < std::max<uint32_t>(1, cache.arena().segment_count() / 8)) return true;
  PostNotice();  // the message's arrival is the turn
  return false;
}

void Isolate::Maintain() {
  CountTotals totals{};
  for (const auto& one : memberships_) {
    one->session().counters.AddTo(totals);
    for (size_t space = 0; space < one->cache().space_count(); ++space) {
      one->session().AddTo(totals, static_cast<uint16_t>(space));
    }
  }
  totals[static_cast<size_t>(Count::kForcedGcs)] = 0;
  uint64_t activity = memberships_.size();
  for (const uint64_t value : totals) activity += value;
  // Counted by evaluation: each has a timer of its own.  If their ticks were added up, a short pause would look like an
  // idle process.
  int& quiet_ticks = evaluation_->quiet_ticks;
  quiet_ticks = activity == std::exchange(evaluation_->activity, activity) ? quiet_ticks + 1 : 0;
  const bool idle = quiet_ticks >= kQuietTicks;
  for (const auto& one : memberships_) {
    one->HeedNotice(env_);
    // This event loop may have nothing to do while other isolates, or the threads of a server, are at work.
    const bool unused = one->IsUnused();
    one->cache().Maintain(idle && unused);
  }
  collector_.Account();
  if (idle && collector_.accounted()) collector_.CollectWhole();
}

void Isolate::PostNotice() {
  if (!posted_.exchange(true, std::memory_order_acq_rel)) {
    napi_call_threadsafe_function(post_, nullptr, napi_tsfn_nonblocking);
  }
}

void Isolate::OnPosted() {
  posted_.exchange(false, std::memory_order_acq_rel);  // so that what was asked for before the post is seen below
  exposed_this_turn_ = 0;
  for (const auto& one : memberships_) {
    one->HeedNotice(env_);
    one->cache().Maintain(false);
  }
  collector_.CollectAsAsked();
}

}  // namespace zerohop::binding
