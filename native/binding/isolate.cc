#include "binding/isolate.h"

#include <algorithm>
#include <utility>

#include "binding/exposure_price.h"

namespace zerohop::binding {
namespace {

// Enough to put V8 over any limit of external memory it may have set itself, so that it collects at once.
constexpr int64_t kForceBytes = int64_t{64} << 30;

// A collection is forced again after 100 times what the last one took: at most 1 % of the time.
constexpr int kForceShare = 100;

// A collection of the young generation that freed no buffer is tried again after 10 times what it took.
constexpr int kYoungShare = 10;

// What views are given to go before a planned collection: so many hits, or, where there are few, so many calls.
constexpr uint32_t kQuietHits = 256;
constexpr uint32_t kQuietCalls = 8192;

// Ticks (seconds) without any call before a process counts as idle.
constexpr int kQuietTicks = 2;

void CallPosted(napi_env env, napi_value, void*, void*) {
  if (env == nullptr) return;  // the queue is being emptied at the environment's end
  if (Isolate* isolate = Isolate::Of(env)) isolate->OnPosted();
}

}  // namespace

// ---- Membership

Membership::Membership(Isolate& isolate, std::shared_ptr<Cache> cache)
    : isolate_(isolate), cache_(std::move(cache)), slots_(cache_->arena().segment_count()) {
  seen_notice_ = cache_->exposure().notice();
  session_.holder = this;
  cache_->Join(&session_);
}

Membership::~Membership() {
  cache_->Part(&session_);
  for (const auto& [space, number] : near_numbers_) isolate_.GiveNearNumber(number);
  if (version_words_ != nullptr) napi_delete_reference(isolate_.env(), version_words_);
  for (const Slot& slot : slots_) {
    if (slot.ref != nullptr) napi_delete_reference(isolate_.env(), slot.ref);
  }
}

napi_value Membership::BufferOf(napi_env env, uint32_t index) {
  napi_value buffer = nullptr;
  napi_get_reference_value(env, slots_[index].ref, &buffer);
  if (buffer == nullptr) [[unlikely]]
    Drop(env, index);
  return buffer;
}

bool Membership::Rent(uint32_t index, size_t bytes, uint64_t price_ns) {
  Slot& slot = slots_[index];
  const uint32_t generation = cache_->arena().segment(index).generation.load(std::memory_order_relaxed);
  if (slot.generation != generation) {
    slot.generation = generation;
    slot.rent_ns = 0;
  }
  if (slot.rent_ns >= price_ns) return true;
  slot.rent_ns += CopyRentNs(bytes);
  return false;
}

napi_value Membership::Expose(napi_env env, uint32_t index) {
  napi_value buffer;
  bool forbidden = false;
  MakeBuffer(env, isolate_.backend(), cache_->arena(), index, tally_, &buffer, &forbidden);
  if (forbidden) isolate_.ForbidExternalBuffers();
  if (buffer == nullptr) return nullptr;
  Slot& slot = slots_[index];
  if (slot.ref != nullptr) Drop(env, index);
  const bool strong = !isolate_.prompt() || !cache_->exposure().under_pressure();
  // Without a reference the buffer serves this one hit.
  if (napi_create_reference(env, buffer, strong ? 1 : 0, &slot.ref) != napi_ok) slot.ref = nullptr;
  slot.strong = strong && slot.ref != nullptr;
  if (slot.strong) strong_ += LengthOf(index);
  isolate_.CountExposed(LengthOf(index));
  session_.counters.Add(Count::kExposures);
  return buffer;
}

void Membership::Drop(napi_env env, uint32_t index) {
  Slot& slot = slots_[index];
  if (slot.strong) strong_ -= LengthOf(index);
  napi_delete_reference(env, slot.ref);
  slot.ref = nullptr;
  slot.strong = false;
  slot.rent_ns = 0;
}

void Membership::Weaken(napi_env env, uint32_t index) {
  Slot& slot = slots_[index];
  if (!slot.strong || !isolate_.prompt()) return;
  uint32_t count;
  napi_reference_unref(env, slot.ref, &count);
  slot.strong = false;
  strong_ -= LengthOf(index);
}

void Membership::ReleaseBuffers(napi_env env) {
  seen_notice_ = cache_->exposure().notice();
  const bool under_pressure = cache_->exposure().under_pressure();
  if (under_pressure && !std::exchange(saw_pressure_, true)) isolate_.TidyNear();
  saw_pressure_ = under_pressure;
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    if (slots_[index].ref == nullptr) continue;
    if (cache_->exposure().ShouldRelease(index)) {
      Drop(env, index);
    } else if (under_pressure) {
      Weaken(env, index);
    }
  }
  isolate_.Account();
  isolate_.CollectAsAsked();
}

void Membership::Refresh(napi_env env) {
  if (!cache_->exposure().under_pressure()) return;
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    if (slots_[index].ref != nullptr && !slots_[index].strong) Drop(env, index);
  }
}

void Membership::Detached(napi_env env, uint32_t index) {
  if (index >= slots_.size() || slots_[index].ref == nullptr) return;
  Drop(env, index);
  cache_->Taint(index);
}

std::optional<uint32_t> Membership::NearNumber(uint16_t space) {
  for (const auto& [known, number] : near_numbers_) {
    if (known == space) return number;
  }
  const std::optional<uint32_t> number = isolate_.TakeNearNumber();
  if (number) {
    near_numbers_.emplace_back(space, *number);
    session_.Of(space).CountNearHitsFrom(isolate_.near_hits() + *number);
  }
  return number;
}

napi_value Membership::VersionWordsBuffer(napi_env env) {
  napi_value words = nullptr;
  if (version_words_ != nullptr) {
    napi_get_reference_value(env, version_words_, &words);
    return words;
  }
  const std::shared_ptr<VersionWords>& version_words = cache_->version_words();
  words = MakeSharedBuffer(env, isolate_.backend(), version_words->bytes(), version_words->size(), version_words);
  if (words != nullptr && napi_create_reference(env, words, 1, &version_words_) != napi_ok) version_words_ = nullptr;
  return words;
}

void Membership::OnNotice() { isolate_.PostNotice(); }

bool Membership::OnCollectionWanted(CollectionNeed need) {
  if (seen() == 0) return false;
  isolate_.AskToCollect(need);
  return true;
}

bool Membership::Collect(CollectionNeed need) {
  if (!(need == CollectionNeed::kWhole ? isolate_.ForceCollection() : isolate_.CollectYoung())) return false;
  HeedNotice(isolate_.env());
  return true;
}

// ---- Isolate

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
  // The hook may be another evaluation's, whose realm was torn down: what it throws is nothing to the caller of now.
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
  if (prompt()) PlantCanary(env_, collections_);
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
    departed_.push_back({membership->tally(), membership->cache().arena().segment_bytes()});
  }
  std::erase_if(memberships_, [membership](const auto& one) { return one.get() == membership; });
  Account();
}

uint64_t Isolate::PriceNs(const Cache& cache) const {
  return prompt() ? 0 : AccountedExposurePriceNs(heap_used_bytes_, cache.arena().segment_bytes());
}

bool Isolate::MayExposeNow(const Cache& cache) {
  if (prompt() || exposed_this_turn_ < std::max<uint32_t>(1, cache.arena().segment_count() / 8)) return true;
  PostNotice();  // the message's arrival is the turn
  return false;
}

void Isolate::Collected() {
  seen_collections_ = collections_->load(std::memory_order_relaxed);
  for (const auto& one : memberships_) one->Refresh(env_);
  PlantCanary(env_, collections_);
}

uint32_t Isolate::SeenSegments() const {
  uint32_t segments = 0;
  for (const auto& one : memberships_) segments += one->seen();
  return segments;
}

bool Isolate::CollectYoung() {
  const auto start = Clock::now();
  if (!prompt() || start < next_young_collection_) return false;
  for (const auto& one : memberships_) one->HeedNotice(env_);
  const uint32_t seen_before = SeenSegments();
  // Any evaluation's that is still there: the young generation is everybody's.
  if (std::none_of(evaluations_.begin(), evaluations_.end(),
                   [this](const auto& one) { return CallHook(*one, "collectYoung"); })) {
    return false;
  }
  HeedCollection();
  for (const auto& one : memberships_) one->session().counters.Add(Count::kYoungGcs);
  Account();
  if (SeenSegments() >= seen_before) {
    const auto now = Clock::now();
    next_young_collection_ = now + kYoungShare * (now - start);
  }
  return true;
}

void Isolate::PlanCollection(Membership& membership) {
  if (quiet_calls_ > 0 || membership.seen() == 0) return;  // others' buffers; they have been told
  const auto now = Clock::now();
  const bool whole =
      membership.cache().exposure().collection_need() == CollectionNeed::kWhole && now >= next_collection_;
  if (!whole && now < next_young_collection_) return;
  planned_ = whole ? CollectionNeed::kWhole : CollectionNeed::kYoung;
  quiet_calls_ = kQuietCalls;
  quiet_hits_ = kQuietHits;
}

void Isolate::CollectAsPlanned() {
  quiet_calls_ = 0;
  if (!(planned_ == CollectionNeed::kWhole ? ForceCollection() : CollectYoung())) return;
  for (const auto& one : memberships_) one->cache().exposure().CollectionDone();
}

void Isolate::AskToCollect(CollectionNeed need) {
  CollectionNeed known = asked_.load(std::memory_order_relaxed);
  while (known < need && !asked_.compare_exchange_weak(known, need, std::memory_order_relaxed)) {
  }
  PostNotice();
}

void Isolate::CollectAsAsked() {
  if (asked_.load(std::memory_order_relaxed) == CollectionNeed::kNothing) return;
  const CollectionNeed need = asked_.exchange(CollectionNeed::kNothing, std::memory_order_relaxed);
  // The whole heap includes the young generation; but it may have been collected too lately.
  if (need != CollectionNeed::kWhole || !ForceCollection()) CollectYoung();
}

uint64_t Isolate::PendingBytes() {
  uint64_t bytes = 0;
  for (const auto& one : memberships_) {
    // Where buffers come back with the young generation, an evicting cache sees to that itself.
    if (prompt() && one->cache().exposure().under_pressure()) continue;
    bytes += uint64_t{one->pending()} * one->cache().arena().segment_bytes();
  }
  std::erase_if(departed_,
                [](const Departed& one) { return one.tally->segments.load(std::memory_order_relaxed) == 0; });
  for (const Departed& one : departed_) {
    bytes += uint64_t{one.tally->segments.load(std::memory_order_relaxed)} * one.segment_bytes;
  }
  return bytes;
}

void Isolate::Account() {
  const auto wanted = static_cast<int64_t>(PendingBytes());
  const int64_t change = wanted - std::exchange(accounted_bytes_, wanted);
  int64_t total;
  if (change != 0) napi_adjust_external_memory(env_, change, &total);
}

bool Isolate::ForceCollection() {
  const auto before = Clock::now();
  if (before < next_collection_) return false;
  int64_t total;
  // Up, then down by the same amount: V8's own account is the same as before.
  if (napi_adjust_external_memory(env_, kForceBytes, &total) != napi_ok) return false;
  napi_adjust_external_memory(env_, -kForceBytes, &total);
  const auto after = Clock::now();
  // Whether it freed anything is not known yet: buffers of the old generation are swept by helper threads.
  next_collection_ = after + kForceShare * (after - before);
  HeedCollection();
  for (const auto& one : memberships_) one->session().counters.Add(Count::kForcedGcs);
  Account();
  return true;
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
  // By evaluation: each has a timer of its own, and their ticks together would make a pause of a moment an idle
  // process.
  int& quiet_ticks = evaluation_->quiet_ticks;
  quiet_ticks = activity == std::exchange(evaluation_->activity, activity) ? quiet_ticks + 1 : 0;
  const bool idle = quiet_ticks >= kQuietTicks;
  for (const auto& one : memberships_) {
    one->HeedNotice(env_);
    one->cache().Maintain(idle);
  }
  Account();
  if (idle && accounted_bytes_ > 0) ForceCollection();
}

void Isolate::PostNotice() {
  if (!posted_.exchange(true, std::memory_order_acq_rel)) {
    napi_call_threadsafe_function(post_, nullptr, napi_tsfn_nonblocking);
  }
}

void Isolate::OnPosted() {
  posted_.exchange(false, std::memory_order_acq_rel);  // what was asked for before a post is seen after it
  exposed_this_turn_ = 0;
  for (const auto& one : memberships_) {
    one->HeedNotice(env_);
    one->cache().Maintain(false);
  }
  CollectAsAsked();
}

}  // namespace zerohop::binding
