#include "binding/collector.h"

#include <utility>

#include "binding/isolate.h"
#include "binding/membership.h"

namespace zerohop::binding {
namespace {

// Bytes.  More than any limit of external memory that V8 may have set itself, so that it collects at once.
constexpr int64_t kForceBytes = int64_t{64} << 30;

// The whole heap is collected again after 100 times what the last collection took: at most 1 % of the time.  A choice.
constexpr int kWholeShare = 100;

// After a collection of the young generation that freed no buffer, the next one waits 10 times what it took.  A choice.
constexpr int kYoungShare = 10;

// Before a planned collection so many hits are copies, or, if there are few hits, so many calls pass (D4 in
// docs/DECISIONS.md).
constexpr uint32_t kQuietHits = 256;
constexpr uint32_t kQuietCalls = 8192;
static_assert(kQuietHits < kQuietCalls, "every hit is a call");

}  // namespace

void Collector::Watch() {
  if (isolate_.prompt()) PlantCanary(isolate_.env(), collections_);
}

void Collector::Collected() {
  seen_collections_ = collections_->load(std::memory_order_relaxed);
  for (const auto& one : isolate_.memberships()) one->Refresh(isolate_.env());
  PlantCanary(isolate_.env(), collections_);
}

uint32_t Collector::SeenSegments() const {
  uint32_t segments = 0;
  for (const auto& one : isolate_.memberships()) segments += one->seen();
  return segments;
}

bool Collector::CollectYoung() {
  const auto start = Clock::now();
  if (!isolate_.prompt() || start < next_young_) return false;
  for (const auto& one : isolate_.memberships()) one->HeedNotice(isolate_.env());
  const uint32_t seen_before = SeenSegments();
  if (!isolate_.RunYoungCollection()) return false;
  HeedCollection();
  for (const auto& one : isolate_.memberships()) one->session().counters.Add(Count::kYoungGcs);
  Account();
  if (SeenSegments() >= seen_before) {
    const auto now = Clock::now();
    next_young_ = now + kYoungShare * (now - start);
  }
  return true;
}

bool Collector::CollectWhole() {
  const auto before = Clock::now();
  if (before < next_whole_) return false;
  int64_t total;
  // Up, then down by the same amount, so V8's own account is the same as before.
  if (napi_adjust_external_memory(isolate_.env(), kForceBytes, &total) != napi_ok) return false;
  napi_adjust_external_memory(isolate_.env(), -kForceBytes, &total);
  const auto after = Clock::now();
  // Nobody knows yet whether it freed anything: helper threads sweep the old generation.
  next_whole_ = after + kWholeShare * (after - before);
  HeedCollection();
  for (const auto& one : isolate_.memberships()) one->session().counters.Add(Count::kForcedGcs);
  Account();
  return true;
}

void Collector::Plan(Membership& membership) {
  if (quiet() || membership.seen() == 0) return;  // the buffers are other isolates', which have been told
  const auto now = Clock::now();
  const bool whole = membership.cache().exposure().collection_need() == CollectionNeed::kWhole && now >= next_whole_;
  if (!whole && now < next_young_) return;
  planned_ = whole ? CollectionNeed::kWhole : CollectionNeed::kYoung;
  quiet_calls_ = kQuietCalls;
  quiet_hits_ = kQuietHits;
}

void Collector::CollectAsPlanned() {
  quiet_calls_ = 0;
  if (!(planned_ == CollectionNeed::kWhole ? CollectWhole() : CollectYoung())) return;
  for (const auto& one : isolate_.memberships()) one->cache().exposure().CollectionDone();
}

void Collector::Ask(CollectionNeed need) {
  CollectionNeed known = asked_.load(std::memory_order_relaxed);
  while (known < need && !asked_.compare_exchange_weak(known, need, std::memory_order_relaxed)) {
  }
  isolate_.PostNotice();
}

void Collector::CollectAsAsked() {
  if (asked_.load(std::memory_order_relaxed) == CollectionNeed::kNothing) return;
  const CollectionNeed need = asked_.exchange(CollectionNeed::kNothing, std::memory_order_relaxed);
  // The whole heap includes the young generation.  But it may have been collected too recently.
  if (need != CollectionNeed::kWhole || !CollectWhole()) CollectYoung();
}

uint64_t Collector::PendingBytes() {
  uint64_t bytes = 0;
  for (const auto& one : isolate_.memberships()) {
    // A cache under pressure has the young generation collected itself, where buffers come back with it.
    if (isolate_.prompt() && one->cache().exposure().under_pressure()) continue;
    bytes += uint64_t{one->pending()} * one->cache().arena().segment_bytes();
  }
  std::erase_if(departed_,
                [](const Departed& one) { return one.tally->segments.load(std::memory_order_relaxed) == 0; });
  for (const Departed& one : departed_) {
    bytes += uint64_t{one.tally->segments.load(std::memory_order_relaxed)} * one.segment_bytes;
  }
  return bytes;
}

void Collector::Account() {
  const auto wanted = static_cast<int64_t>(PendingBytes());
  const int64_t change = wanted - std::exchange(accounted_bytes_, wanted);
  int64_t total;
  if (change != 0) napi_adjust_external_memory(isolate_.env(), change, &total);
}

void Collector::KeepAccountOf(std::shared_ptr<ExposureTally> tally, size_t segment_bytes) {
  departed_.push_back({std::move(tally), segment_bytes});
}

}  // namespace zerohop::binding
