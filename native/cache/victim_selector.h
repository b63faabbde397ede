// victim_selector.h: which segment is emptied next, and which segments cool.
//
//   threshold  the worth (appraiser.h) below which a fifth of the live bytes lie, estimated from a sample of the index
//   benefit    the share of a segment's bytes that emptying it would free, estimated from the same sample.  Bytes of
//              dead entries count in full.  Bytes of entries below the threshold count more, the less they are worth.
//   victim     the sealed segment with the highest benefit that no buffer shows: only such a segment is free at once.
//              Segments without entries come first.  Exposed segments wait until their buffers are gone.
//   cooling    a group of sealed segments, those with the highest benefit, cools: as many as a quarter of the usable
//              segments.  A cooling segment is not exposed any more, and isolates release their buffers over it, so
//              that a collection can free it before it is needed.  A segment that is still exposed when the next group
//              is chosen stops cooling until its turn comes again.
//
// It reads segments and the index.  It changes nothing but the segments' `cooling`.
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
  // What it works on.  All of them outlive it.
  struct Parts {
    Arena& arena;
    Index& index;
    EpochDomain& epochs;
    const Spaces& spaces;
    Appraiser& appraiser;
    ExposureControl& exposure;
  };

  explicit VictimSelector(const Parts& parts);

  // The segment to empty next; none if all are open or exposed.  If `walk.has(segment)` afterwards, `walk` lists its
  // entries.
  std::optional<uint32_t> Select(Session& session, SegmentWalk& walk);

  // For a large value.  Renew looks at more of the index.  SelectWindow gives the first of `count` neighbouring
  // segments of which the least is lost when all are emptied.
  void Renew(Session& session, SegmentWalk& walk);
  std::optional<uint32_t> SelectWindow(uint32_t count) const;

  // For maxEntries: the entry of least worth in a sample, or in the whole index (`everywhere`).  None if there is no
  // entry but `newcomer`.
  struct EntryChoice {
    WalkedEntry entry;
    bool expired;
    float next;  // the least worth of the others that were looked at
  };
  std::optional<EntryChoice> SelectEntry(const ReadGuard& guard, uint64_t newcomer, bool everywhere);

  // An entry of the walked segment stays if it is worth more than this: the threshold, or more where the entries above
  // it would fill more than 3/4 of a segment.  So an eviction always frees something.
  float WorthToStay(const SegmentWalk& walk) const;

  // Looks at a few entries of the index, and sets the threshold anew.
  void Resample(Session& session);

  // Sealed segments without a writer.  Valid until the next call of any method.
  std::span<const uint32_t> ListSealed();

  static constexpr size_t bytes_a_segment() { return sizeof(Estimate); }

 private:
  // What samples tell of a segment's benefit.
  struct Estimate {
    float benefit = 0;  // of its live entries: 1 if all are worth nothing, 0 if all are worth the threshold
    uint32_t seen = 0;  // entries that it is estimated from, up to kSeenMax
    uint32_t generation = 0;
  };
  struct Sampled {
    float worth;
    uint32_t bytes;
  };
  static constexpr uint32_t kSampleMax = 512;
  // Buckets of the index that are fetched together, so that their misses overlap.  A choice.
  static constexpr size_t kBuckets = 8;
  struct Drawn {
    uint64_t at;
    AccessState access_state;
  };
  using DrawnEntries = std::array<Drawn, kBuckets * Index::kBucketSlots>;

  // Samples, and what follows from them.
  // DrawTogether: entries of kBuckets random buckets, or of so many that there are `enough`.  Their headers are being
  // fetched.
  std::span<const Drawn> DrawTogether(const ReadGuard& guard, size_t enough, DrawnEntries& drawn);
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
