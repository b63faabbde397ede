#include "binding/membership.h"

#include <utility>

#include "base/clock.h"
#include "binding/exposure_price.h"
#include "binding/isolate.h"

namespace zerohop::binding {

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
  // If there is no reference, the buffer serves this one hit only.
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

bool Membership::IsUnused() {
  constexpr uint64_t kUnusedUs = 1500 * 1000;
  const uint64_t activity = cache_->Activity(), now_us = NowUs();
  if (activity != std::exchange(activity_, activity)) unused_since_us_ = now_us;
  return now_us - unused_since_us_ >= kUnusedUs;
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
  isolate_.collector().Account();
  isolate_.collector().CollectAsAsked();
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
  isolate_.collector().Ask(need);
  return true;
}

bool Membership::Collect(CollectionNeed need) {
  if (!(need == CollectionNeed::kWhole ? isolate_.collector().CollectWhole() : isolate_.collector().CollectYoung()))
    return false;
  HeedNotice(isolate_.env());
  return true;
}

}  // namespace zerohop::binding
