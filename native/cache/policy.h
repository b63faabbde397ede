// policy.h: how soon entries are likely to be asked for again.
//
// For every request the caller calls `Arrive` (a key that was not there and will be stored) or `Touch` (one that was),
// and stores the AccessState that it is given beside the entry.  `ReuseRate` turns an access state into reuses per
// tick: the best rate of hits that keeping the entry can earn.
//
//   kLearned   the rate comes from a model of the traffic: how soon entries of the same class and age were asked for
//              again (reuse_model.h, reuse_tracker.h).  A class is a band of frequency and a band of gap.
//   kScore     rate = frequency / ln(age in requests); frequencies age only with the option `aging`
//
// A tick is 1/32 of `capacity` requests, and more while fewer hit than usual (policy_clock.h).  A second touch within a
// tick tells nothing new, and writes nothing.
//
// Threads  ReuseRate, Arrive, Touch, Follows: any.  All else one at a time, GUARDED_BY the owner's mutex.  An outgrown
//          sketch is kept until ForgetOutgrown: the owner knows when nobody is in Arrive or Touch any more.
// Never    sees keys, entries, bytes, clocks or locks
// Memory   kLearned: `sketch_bytes + tracker_bytes` an entry, not less than their minimum, and 34 KiB.  kScore: 512
//          KiB, and the same 34 KiB.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cache/access_state.h"
#include "cache/policy_clock.h"
#include "cache/reuse_model.h"
#include "cache/reuse_tracker.h"
#include "cache/sketch.h"

namespace zerohop {

class Policy {
 public:
  enum class Kind : uint8_t { kLearned, kScore };

  struct Options {
    Kind kind = Kind::kLearned;
    bool aging = false;  // of kScore: counts are halved every 10 capacities of requests
    // Bytes an entry of the capacity, for kLearned.  16 bytes are 8 counters in each of the sketch's 4 rows; 8 are one
    // followed key.  10 bytes together are worse: 0.128 for 0.133 (D40 in docs/DECISIONS.md).
    double sketch_bytes = 16;
    double tracker_bytes = 8;
    // Bytes, however few entries there are: in smaller tables, collisions and chance would decide.  Without a minimum:
    // 0.121 for 0.133 (D40).
    size_t sketch_bytes_min = size_t{64} << 10;
    size_t tracker_bytes_min = size_t{16} << 10;
    // Requests from one fit to the next, at least, once much is known; in a large cache it is half a capacity.  Fits
    // every 300 requests gain 0.003 and cost 25 ns a request (D40); 2 000 or 4 000 lose up to 0.0013 (D45).
    uint32_t fit_requests_min = 1000;
  };

  // `capacity`: how many entries the cache holds when it is full, or is expected to hold then.  `entries`: how many
  // entries to take memory for.
  Policy(const Options& options, size_t capacity, size_t entries);

  AccessState Arrive(uint64_t hash) { return Place(hash, kUnknownGap); }
  AccessState Touch(uint64_t hash, AccessState before) {
    const uint32_t age = before.Age(now());
    return age == 0 ? before : Place(hash, GapBand(age));
  }
  // Whether Touch would change nothing.
  bool IsFresh(AccessState before) const { return before.Age(now()) == 0; }
  // Fetches the memory that Touch will change, if it will.
  void PrefetchTouch(uint64_t hash, AccessState before) const {
    if (!IsFresh(before) && kind() == Kind::kLearned) sketch_.load(std::memory_order_acquire)->Prefetch(hash);
  }

  // Whether the tracker follows this key.  If so, the caller reports each Arrive, and each Touch that changed
  // something, through Observe.
  bool Follows(uint64_t hash) const { return options_.kind == Kind::kLearned && tracker_.Follows(hash); }
  // Fetches the memory that Observe will change.
  void PrefetchObserve(uint64_t hash) const { tracker_.Prefetch(hash); }
  void Observe(uint64_t hash, AccessState now_has, uint32_t at) {
    tracker_.Seen(hash, now_has.entry_class(), at, model_);
  }

  float ReuseRate(AccessState access_state) const { return ReuseRate(access_state, now()); }
  float ReuseRate(AccessState access_state, uint32_t at) const {
    return model_.ReuseRate(access_state.entry_class(), access_state.Age(at));
  }

  // Whether a newcomer's reuse rate pays for displacing an entry of rate `rival`.
  bool Admits(AccessState newcomer, float rival) const {
    return ReuseRate(newcomer) >= rival * (kind() == Kind::kLearned ? kEntryFee : 1);
  }

  // `requests` have passed, and `hits` of them hit.  Cost: a few ns a request, and a fit of some 20 us now and then
  // (fit_requests_min).
  void Advance(uint32_t requests, uint32_t hits) {
    new_requests_ += requests;
    new_hits_ += hits;
    if (new_requests_ >= together_) Pass();
  }

  // Tells the capacity as it is now.
  void Expect(size_t capacity);
  // Nothing is evicted soon, so nobody asks for rates: fits come seldom until something is.
  void Relax(bool relaxed) {
    if (relaxed == relaxed_) return;
    relaxed_ = relaxed;
    PlanFit();
  }
  // How many entries the memory is made for.
  size_t room() const { return room_; }
  // How many bytes the memory would have for so many entries.
  size_t BytesFor(size_t entries) const { return GrownSketchBytes(entries) + TrackerBytes(entries); }
  // Begins to grow the memory.  False: the system gave none, and nothing has changed.  REQUIRES: it does not grow, and
  // nothing is outgrown.
  bool Grow(size_t entries) noexcept;
  bool growing() const { return larger_ != nullptr || tracker_.has_outgrown(); }
  // Makes one step of the growth.  True: an outgrown sketch was left behind.
  bool GrowOn();
  bool has_outgrown() const { return sketches_.size() > 1; }
  // Gives back some of the outgrown sketch.
  void ForgetOutgrown();

  uint32_t now() const { return now_.load(std::memory_order_relaxed); }  // in ticks
  uint32_t tick_requests() const { return tick_requests_; }
  Kind kind() const { return options_.kind; }
  size_t capacity() const { return capacity_; }
  size_t bytes() const;  // of sketches and tracker

  // An access state for people: the least count of its band, and the largest gap of its band in capacities (0 if
  // unknown).
  uint32_t FrequencyOf(AccessState access_state) const;
  float GapOf(AccessState access_state) const;
  static float CapacitiesOf(uint32_t ticks) { return static_cast<float>(ticks) / kTicksInCapacity; }

 private:
  // Bands of the count, and of the gap before the last request in capacities.  Finer bands lost 0.002 (D40).
  static constexpr uint32_t kFrequencyBands = 6;  // 1, 2, up to 4, 7, 11, more
  static constexpr uint32_t kGapBands = 7;        // unknown, below 1/16, 1/4, 1, 4, 16, more
  static constexpr uint32_t kUnknownGap = 0;
  static_assert(kFrequencyBands * kGapBands <= AccessState::kClasses, "a class fits into an access state");
  // What one step of growing touches, or gives back: 8 pages, some 0.1 ms where a page fault is dear (D77).
  static constexpr size_t kStepBytes = size_t{32} << 10;
  // Ticks.  In stamps of 10 bits this loses nothing against exact times (D41).
  static constexpr uint32_t kTicksInCapacity = 32;
  static_assert(ReuseModel::kHorizon == 16 * kTicksInCapacity, "docs/EVICTION.md: after 16 capacities ages are alike");

  // A newcomer must be worth this many times what it displaces, because displacing has a cost: +0.001 (D40).
  static constexpr float kEntryFee = 1.2f;
  static_assert(kEntryFee >= 1, "a newcomer never displaces what is worth more");

  // The sketch is halved once in so many capacities of additions (D47).
  static constexpr uint64_t kHalvingCapacities = 30;

  static constexpr std::array<uint8_t, FrequencySketch::kCountMax + 1> kBandOf = {0, 0, 1, 2, 2, 3, 3, 3,
                                                                                  4, 4, 4, 4, 5, 5, 5, 5};
  static constexpr uint32_t FrequencyBand(uint32_t count) { return kBandOf[count]; }
  // Bands end at ages of 2, 8, 32, 128 and 512 ticks.
  static constexpr uint32_t GapBand(uint32_t age) { return static_cast<uint32_t>(std::bit_width(age)) / 2 + 1; }

  // Classes of kScore: counts, one by one below 8, then 4 an octave.
  static constexpr uint32_t ClassOfCount(uint32_t count) {
    if (count < 8) return count;
    const auto octave = static_cast<uint32_t>(std::bit_width(count)) - 1;
    return 8 + (octave - 3) * 4 + (count >> (octave - 2)) % 4;
  }
  static constexpr uint32_t CountOfClass(uint32_t of) { return of < 8 ? of : (4 + (of - 8) % 4) << ((of - 8) / 4 + 1); }

  AccessState Place(uint64_t hash, uint32_t gap_band) {
    if (kind() == Kind::kScore) return AccessState(ClassOfCount(wide_->Add(hash)), now());
    const uint32_t count = sketch_.load(std::memory_order_acquire)->Add(hash);
    return AccessState(FrequencyBand(count) * kGapBands + gap_band, now());
  }
  void Score();
  size_t SketchBytes(size_t entries) const;
  size_t GrownSketchBytes(size_t entries) const;  // a multiple of what it is now
  size_t TrackerBytes(size_t entries) const;
  void Pass();
  void AgeSketch(uint32_t additions);
  void Sweep();
  void Fit();
  void PlanFit();

  const Options options_;
  size_t capacity_ = 1;
  size_t room_ = 0;             // entries that the memory is made for
  uint32_t tick_requests_ = 0;  // requests in a tick; 0 until Expect
  std::atomic<uint32_t> now_{0};
  uint32_t together_ = 1;  // requests that are looked at together
  PolicyClock clock_;
  uint32_t new_requests_ = 0, new_hits_ = 0;  // requests of which the clock does not know yet
  uint32_t in_tick_ = 0;                      // requests counted since the tick began
  uint32_t unaged_ = 0;                       // additions since the sketch was aged, times kHitsOfAddition
  uint64_t requests_ = 0;
  uint64_t fit_requests_ = 0;  // requests from one fit to the next
  uint64_t last_fit_ = 0;
  bool relaxed_ = false;
  uint32_t unswept_ = 0;                                    // requests since the tracker was swept
  double sweep_due_ = 0;                                    // buckets to sweep, with a fraction
  double halve_due_ = 0;                                    // blocks (kScore: counters) to halve, with a fraction
  std::unique_ptr<WideSketch> wide_;                        // of kScore
  std::vector<std::unique_ptr<FrequencySketch>> sketches_;  // the last one is in use
  std::unique_ptr<FrequencySketch> larger_;                 // that will be
  size_t larger_blocks_ = 0;                                // of it, that know what the one in use does
  std::atomic<FrequencySketch*> sketch_{nullptr};
  ReuseTracker tracker_;
  ReuseModel model_{{kFrequencyBands, kGapBands}};
};

}  // namespace zerohop
