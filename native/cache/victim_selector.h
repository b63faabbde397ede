// victim_selector.h: which segment is emptied next, and which segments cool.
//
//   threshold  separates the least fifth of the live bytes from the rest, by worth (appraiser.h).  It is estimated from
//              a sample of the index.
//   benefit    the share of a segment's bytes that emptying it would free.  Bytes of dead entries count in full.  Bytes
//              of entries below the threshold count more, the less they are worth.  Estimated from the same sample.
//   victim     the sealed segment with the highest benefit that no buffer shows: only such a segment is free at once.
//              Segments without entries come first.  Exposed segments wait until their buffers are gone.
//   cooling    the quarter of the sealed segments with the highest benefit cools.  A cooling segment is not exposed any
//              more, and isolates release their buffers over it, so that a collection can free it before it is needed.
//              A segment that is still exposed when the next group is chosen stops cooling until its turn comes again.
//
// It reads segments and the index, and changes no entry; of segments, only `cooling`.
//
// Threads  one at a time: GUARDED_BY the evictor's mutex.  Takes ReadGuards of its own, so the caller holds none.
// Memory   12 bytes a segment (`bytes_a_segment`), a list of sealed segments, and a sample of 4 KiB.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "cache/access_state.h"
#include "cache/appraiser.h"
#include "cache/arena.h"
#include "cache/epoch.h"
#include "cache/exposure_control.h"
#include "cache/index.h"
#include "cache/segment_walk.h"
#include "cache/session.h"
#include "cache/spaces.h"

namespace zerohop {

class VictimSelector {
 public:
  // What it works on; all outlive it.
  struct Parts {
    Arena& arena;
    Index& index;
    EpochDomain& epochs;
    const Spaces& spaces;
    Appraiser& appraiser;
    ExposureControl& exposure;
  };

  explicit VictimSelector(const Parts& parts);

  // The segment to empty next; none if all are open or exposed.  If `walk` has it afterwards, it lists its entries.
  std::optional<uint32_t> Select(Session& session, SegmentWalk& walk);

  // For a large value: the first of `count` neighbouring segments that lose the least when all are emptied.
  // Renew: looks at more of the index first.
  void Renew(Session& session, SegmentWalk& walk);
  std::optional<uint32_t> SelectWindow(uint32_t count) const;

  // For maxEntries: the entry of least worth in a sample, or `everywhere`; none if there is no other than `newcomer`.
  struct EntryChoice {
    WalkedEntry entry;
    bool expired;
    float next;  // the least worth of the others that were looked at
  };
  std::optional<EntryChoice> SelectEntry(const ReadGuard& guard, uint64_t newcomer, bool everywhere);

  // An entry of the walked segment stays if it is worth more than this.  At least the threshold, and so much that what
  // stays fills at most 3/4 of a segment: an eviction always frees something.
  float WorthToStay(const SegmentWalk& walk) const;

  // Looks at a few entries of the index, and sets the threshold anew.
  void Resample(Session& session);

  // Segments that nobody writes to any more.  Valid until the next call of anything here.
  std::span<const uint32_t> ListSealed();

  static constexpr size_t bytes_a_segment() { return sizeof(Estimate); }

 private:
  // The benefit of emptying a segment, as far as samples tell.
  struct Estimate {
    float benefit = 0;  // of its live entries: 1 if all are worth nothing, 0 if all are worth the threshold
    uint32_t seen = 0;  // entries that it was estimated from, up to kSeenMax
    uint32_t generation = 0;
  };
  struct Sampled {
    float worth;
    uint32_t bytes;
  };
  static constexpr uint32_t kSampleMax = 512;

  // Samples, and what follows from them.
  void Survey(Session& session, uint32_t entries);
  void Weigh(uint64_t at, AccessState access_state, uint64_t now_us);
  void SetThreshold();
  void RefreshSmall(Session& session, SegmentWalk& walk);
  void LearnBenefit(uint32_t segment, float benefit, uint32_t seen);
  float BenefitOf(uint32_t segment) const;
  float BenefitOfWorth(float worth) const;
  float BenefitOfWalk(const SegmentWalk& walk, uint32_t segment) const;
  std::optional<uint32_t> MostBeneficial(float* next) const;
  // Cooling.
  uint32_t CoolingWindow() const;
  void CoolIfDue();
  void Cool();

  uint64_t Draw() { return NextRandom(random_) ^ random_ >> 29; }

  const Parts parts_;
  Arena& arena_ = parts_.arena;
  std::vector<uint32_t> sealed_;
  std::vector<Estimate> estimates_;           // by segment
  std::array<Sampled, kSampleMax> sample_{};  // a ring
  uint32_t sampled_ = 0;                      // ever
  uint32_t next_small_ = 0;                   // segment whose estimate is renewed next
  uint32_t selections_since_cooling_ = UINT32_MAX / 2;
  uint64_t random_ = 0x9e3779b97f4a7c15u;
};

}  // namespace zerohop
