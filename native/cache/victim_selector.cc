#include "cache/victim_selector.h"

#include <algorithm>
#include <limits>

#include "base/clock.h"

namespace zerohop {
namespace {

// Dnn: docs/DECISIONS.md has the measurement.

// The share of the live bytes that is worth less than the threshold (D41, D44).  With a larger share an eviction copies
// less, but evicts entries that would have been asked for.
constexpr float kThresholdShare = 0.20f;
// The share of the live bytes that is worth less than the entry fee (D41).
constexpr float kEntryFeeShare = 0.06f;
static_assert(0 < kEntryFeeShare && kEntryFeeShare < kThresholdShare && kThresholdShare < 1,
              "a newcomer comes in more easily than an entry stays");

// The benefit of an entry at the threshold, as a share of its bytes.  Just below it: its room is freed, though it was
// nearly worth keeping; a choice.  Just above it: nearly nothing, but it decides between segments whose entries all
// stay (D41).
constexpr float kFreed = 0.2f;
constexpr float kStays = 0.01f;
static_assert(0 < kStays && kStays < kFreed && kFreed < 1, "an entry that stays frees less than one that goes");

// Entries that an estimate rests on: older samples count less and less.  A choice: the traffic changes, and a segment
// is met by few samples.
constexpr uint32_t kSeenMax = 32;
// Entries that are sampled before a segment is chosen: as many as a segment holds, within these limits (D44: more gain
// next to nothing).
constexpr uint32_t kSampleMin = 8, kSampleEach = 256;
// Entries that are sampled before a window of segments is chosen.  A choice: a large value is rare, and evicts much.
constexpr uint32_t kSampleOfWindow = 32;
static_assert(kSampleMin <= kSampleOfWindow && kSampleOfWindow <= kSampleEach);
// The threshold is drawn from the newest samples: a quarter as many as there are entries, within limits.  The older
// samples of a small cache mislead (D41).
constexpr size_t kThresholdPart = 4, kThresholdSampleMin = 24;
// Samples hardly ever meet a segment with at most so many entries.  So some of these segments are walked each time.
// Choices: a walk of 16 entries costs little.
constexpr uint32_t kSmallEntries = 16, kSmallEach = 8;

// A candidate is walked before it is taken, at most so many of them for one victim.  It is taken if its benefit is at
// least this share of what the next one promises.  Choices: a walk reads every header of the segment.
constexpr int kLooks = 4;
constexpr float kGoodEnough = 0.8f;
static_assert(kLooks > 0 && 0 < kGoodEnough && kGoodEnough <= 1);

// A group of cooling segments is a quarter of the usable ones.  The next group is chosen when a quarter of the group is
// left to be emptied, so buffers have the time of three quarters to come back.  Choices: a smaller group comes back too
// late, and a larger one copies more hits.
constexpr uint32_t kCoolingShare = 4, kCoolingLeft = 4, kCoolingMin = 2;
static_assert(kCoolingShare > 1 && kCoolingLeft > 1, "some segments do not cool, and a group has time to");

// The parts of a segment that may survive: 3 of 4 (D41).
constexpr size_t kSurvivorParts = 3, kSegmentParts = 4;
static_assert(kSurvivorParts < kSegmentParts, "an eviction frees something");

// For maxEntries: entries that are compared (D43), and buckets that are looked at for them at most, a choice: in a
// nearly empty index the search ends.
constexpr size_t kCompared = 16;
constexpr size_t kBucketsCompared = 64;
static_assert(kBucketsCompared * Index::kBucketSlots >= kCompared);

// More than any benefit, which is a share: segments without entries come first.
constexpr float kEmptyBenefit = 2;
static_assert(kEmptyBenefit > 1);

}  // namespace

VictimSelector::VictimSelector(const Parts& parts) : parts_(parts), estimates_(arena_.segment_count()) {
  static_assert(kSampleEach <= kSampleMax);
  sealed_.reserve(arena_.segment_count());
}

std::span<const uint32_t> VictimSelector::ListSealed() {
  sealed_.clear();
  for (uint32_t index = 0; index < arena_.segment_count(); ++index) {
    const Segment& segment = arena_.segment(index);
    if (segment.state.load(std::memory_order_acquire) != SegmentState::kSealed) continue;
    if (segment.writers.load(std::memory_order_acquire) != 0) continue;
    sealed_.push_back(index);
  }
  return sealed_;
}

// ---- The sample, and what follows from it

std::span<const VictimSelector::Drawn> VictimSelector::DrawTogether(const ReadGuard& guard, size_t enough,
                                                                    DrawnEntries& drawn) {
  std::array<uint64_t, kBuckets> randoms;
  for (uint64_t& random : randoms) {
    random = Draw();
    parts_.index.PrefetchSample(guard, random);
  }
  size_t count = 0;
  for (size_t i = 0; i < kBuckets && count < enough; ++i) {
    parts_.index.Sample(guard, randoms[i], [&](uint64_t at, AccessState access_state) {
      __builtin_prefetch(arena_.bytes() + at);
      drawn[count++] = {at, access_state};
    });
  }
  return std::span(drawn).first(count);
}

// Looks at about so many entries of the index, chosen at random.
void VictimSelector::Survey(Session& session, uint32_t entries) {
  const uint64_t now_us = NowUs();
  uint32_t seen = 0;
  // `tried` ends the loop in an index that is nearly empty.
  for (uint32_t tried = 0; seen < entries && tried < entries; tried += kBuckets) {
    DrawnEntries room;
    ReadGuard guard(parts_.epochs, session);
    const std::span<const Drawn> drawn = DrawTogether(guard, room.size(), room);
    for (const Drawn& one : drawn) Weigh(one.at, one.access_state, now_us);
    seen += static_cast<uint32_t>(drawn.size());
  }
}

void VictimSelector::Weigh(uint64_t at, AccessState access_state, uint64_t now_us) {
  const uint32_t index = arena_.SegmentOf(at);
  Entry entry;
  if (!arena_.TryRead(at, &entry)) return;
  if (!parts_.spaces.Alive(entry.header.space) || ExpiresUs(arena_.bytes(), at, entry.header) <= now_us) {
    LearnBenefit(index, 1, 1);
    return;
  }
  const float worth = parts_.appraiser.WorthOf(access_state, at, entry);
  const auto bytes = static_cast<uint32_t>(std::min<uint64_t>(entry.layout.end - at, UINT32_MAX));
  sample_[sampled_++ % kSampleMax] = {worth, bytes};
  LearnBenefit(index, BenefitOfWorth(worth), 1);
}

void VictimSelector::SetThreshold() {
  const size_t wanted = std::clamp<size_t>(parts_.index.size() / kThresholdPart, kThresholdSampleMin, kSampleMax);
  const size_t count = std::min<size_t>(sampled_, wanted);
  if (count == 0) return;
  std::array<Sampled, kSampleMax> sorted;
  uint64_t bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    sorted[i] = sample_[(sampled_ - 1 - i) % kSampleMax];
    bytes += sorted[i].bytes;
  }
  std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count),
            [](const Sampled& a, const Sampled& b) { return a.worth < b.worth; });
  const auto quantile = [&](float share) {
    auto left = static_cast<float>(bytes) * share;
    size_t at = 0;
    while (at + 1 < count && (left -= static_cast<float>(sorted[at].bytes)) > 0) ++at;
    return sorted[at].worth;
  };
  parts_.appraiser.SetLevels(quantile(kThresholdShare), quantile(kEntryFeeShare));
}

void VictimSelector::Resample(Session& session) {
  Survey(session, kSampleMin);
  SetThreshold();
}

void VictimSelector::RefreshSmall(Session& session, SegmentWalk& walk) {
  for (uint32_t looked = 0; looked < std::min<uint32_t>(kSmallEach, static_cast<uint32_t>(sealed_.size())); ++looked) {
    const uint32_t index = sealed_[next_small_++ % sealed_.size()];
    const Segment& segment = arena_.segment(index);
    if (segment.appended.load(std::memory_order_relaxed) > kSmallEntries) continue;
    if (segment.live_entries.load(std::memory_order_relaxed) == 0) continue;
    if (!walk.Walk(&session, index) || walk.entries().empty()) continue;
    float benefit = 0;
    for (const WalkedEntry& one : walk.entries()) benefit += BenefitOfWorth(one.worth);
    LearnBenefit(index, benefit / static_cast<float>(walk.entries().size()), kSeenMax);
  }
}

void VictimSelector::LearnBenefit(uint32_t index, float benefit, uint32_t seen) {
  Estimate& known = estimates_[index];
  const uint32_t generation = arena_.segment(index).generation.load(std::memory_order_relaxed);
  if (known.generation != generation) known = {0, 0, generation};
  known.seen = std::min(known.seen + seen, kSeenMax);
  known.benefit += (benefit - known.benefit) * static_cast<float>(seen) / static_cast<float>(known.seen);
}

float VictimSelector::BenefitOfWorth(float worth) const {
  const float threshold = parts_.appraiser.threshold();
  if (worth > threshold) return kStays * threshold / worth;
  return worth <= 0 ? 1 : kFreed + (1 - kFreed) * (1 - worth / threshold);
}

float VictimSelector::BenefitOf(uint32_t index) const {
  const Segment& segment = arena_.segment(index);
  const auto live = static_cast<float>(segment.live_entries.load(std::memory_order_relaxed));
  const auto appended = static_cast<float>(std::max(1u, segment.appended.load(std::memory_order_relaxed)));
  const Estimate& known = estimates_[index];
  const bool current = known.generation == segment.generation.load(std::memory_order_relaxed);
  const float live_share = std::min(1.0f, live / appended);
  return 1 - live_share + live_share * (current ? known.benefit : 0);
}

// The share of the walked segment's bytes that emptying it would free: exact, but for what the threshold is.
float VictimSelector::BenefitOfWalk(const SegmentWalk& walk, uint32_t index) const {
  const auto bytes = static_cast<float>(uint64_t{arena_.segment(index).run_segments} * arena_.segment_bytes());
  float kept = 0;
  for (const WalkedEntry& one : walk.entries()) {
    kept += static_cast<float>(one.entry.layout.end - one.at) * (1 - BenefitOfWorth(one.worth));
  }
  return 1 - kept / bytes;
}

// ---- Choosing

std::optional<uint32_t> VictimSelector::Select(Session& session, SegmentWalk& walk) {
  ListSealed();
  const size_t entries_each = parts_.index.size() / std::max<size_t>(1, sealed_.size());
  Survey(session, static_cast<uint32_t>(std::clamp<size_t>(entries_each, kSampleMin, kSampleEach)));
  SetThreshold();
  RefreshSmall(session, walk);
  CoolIfDue();
  for (int look = 1;; ++look) {
    float next;
    const std::optional<uint32_t> best = MostBeneficial(&next);
    if (!best || arena_.segment(*best).live_entries.load(std::memory_order_relaxed) == 0) return best;
    // If it is taken, the evictor empties it by this walk.
    if (look == kLooks || !walk.Walk(&session, *best)) return best;
    if (BenefitOfWalk(walk, *best) >= next * kGoodEnough) return best;
    float of_live = 0;
    for (const WalkedEntry& one : walk.entries()) of_live += BenefitOfWorth(one.worth);
    if (walk.entries().empty()) continue;
    LearnBenefit(*best, of_live / static_cast<float>(walk.entries().size()), kSeenMax);
  }
}

// The segment of the highest benefit among those that are free at once when emptied.  `next`: the benefit that the next
// one promises.
std::optional<uint32_t> VictimSelector::MostBeneficial(float* next) const {
  std::optional<uint32_t> best;
  float best_benefit = -1;
  *next = -1;
  for (const uint32_t index : sealed_) {
    const Segment& segment = arena_.segment(index);
    if (segment.exposures.load(std::memory_order_acquire) != 0) continue;
    const bool dead = segment.live_entries.load(std::memory_order_relaxed) == 0;
    const float benefit = dead ? kEmptyBenefit : BenefitOf(index);
    const bool older = best && segment.sealed_at < arena_.segment(*best).sealed_at;
    if (benefit > best_benefit || (benefit == best_benefit && older)) {
      *next = best_benefit;
      best = index;
      best_benefit = benefit;
    } else {
      *next = std::max(*next, benefit);
    }
  }
  return best;
}

void VictimSelector::Renew(Session& session, SegmentWalk& walk) {
  ListSealed();
  Survey(session, kSampleOfWindow);
  SetThreshold();
  RefreshSmall(session, walk);
}

std::optional<uint32_t> VictimSelector::SelectWindow(uint32_t count) const {
  // The cost of a window: what would be lost that is worth keeping, in segments.  Of equal ones, the one that was
  // sealed first.  A window may not cut a run, nor hold anything that is open, retired or exposed.
  std::optional<uint32_t> best;
  float best_cost = std::numeric_limits<float>::infinity();
  uint64_t best_sealed = 0;
  const uint32_t segments = arena_.segment_count();
  for (uint32_t first = 0; first + count <= segments; ++first) {
    float cost = 0;
    uint64_t sealed = 0;
    uint32_t at = first;
    while (at < first + count) {
      const Segment& segment = arena_.segment(at);
      const SegmentState state = segment.state.load(std::memory_order_acquire);
      const bool is_free = state == SegmentState::kFree;
      const bool evictable = state == SegmentState::kSealed && segment.writers.load(std::memory_order_acquire) == 0 &&
                             segment.exposures.load(std::memory_order_acquire) == 0;
      if (!is_free && !evictable) break;
      if (evictable && segment.live_entries.load(std::memory_order_relaxed) != 0) {
        cost += (1 - BenefitOf(at)) * static_cast<float>(segment.run_segments);
        sealed = std::max(sealed, segment.sealed_at);
      }
      at += is_free ? 1 : segment.run_segments;
    }
    if (at != first + count || cost > best_cost || (cost == best_cost && sealed >= best_sealed)) continue;
    best = first;
    best_cost = cost;
    best_sealed = sealed;
  }
  return best;
}

std::optional<VictimSelector::EntryChoice> VictimSelector::SelectEntry(const ReadGuard& guard, uint64_t newcomer,
                                                                       bool everywhere) {
  const uint64_t now_us = NowUs();
  std::optional<EntryChoice> least;
  float next = std::numeric_limits<float>::infinity();
  size_t compared = 0;
  const auto compare = [&](uint64_t at, AccessState access_state) {
    if (at == newcomer || (least && least->expired)) return;
    Entry entry;
    if (!arena_.TryRead(at, &entry) || !parts_.spaces.Alive(entry.header.space)) return;
    ++compared;
    const bool expired = ExpiresUs(arena_.bytes(), at, entry.header) <= now_us;
    const float worth = expired ? -1 : parts_.appraiser.WorthOf(access_state, at, entry);
    if (least && worth >= least->entry.worth) {
      next = std::min(next, worth);
      return;
    }
    if (least) next = least->entry.worth;
    least = EntryChoice{{entry, at, 0, worth, access_state}, expired, next};
  };
  if (everywhere) {
    for (size_t shard = 0; shard < Index::kShards; ++shard) parts_.index.VisitShard(shard, compare);
  } else {
    DrawnEntries room;
    for (size_t looked = 0; looked < kBucketsCompared && compared < kCompared; looked += kBuckets) {
      for (const Drawn& one : DrawTogether(guard, kCompared - compared, room)) compare(one.at, one.access_state);
    }
  }
  if (least) least->next = next;
  return least;
}

float VictimSelector::WorthToStay(const SegmentWalk& walk) const {
  const size_t room = arena_.segment_bytes() / kSegmentParts * kSurvivorParts;
  const float threshold = std::max(parts_.appraiser.threshold(), 0.0f);
  std::vector<const WalkedEntry*> staying;
  size_t bytes = 0;
  for (const WalkedEntry& one : walk.entries()) bytes += one.worth > threshold ? one.entry.layout.end - one.at : 0;
  if (bytes <= room) return threshold;
  // Too many: only the best of them.
  for (const WalkedEntry& one : walk.entries()) {
    if (one.worth > threshold) staying.push_back(&one);
  }
  std::sort(staying.begin(), staying.end(),
            [](const WalkedEntry* a, const WalkedEntry* b) { return a->worth > b->worth; });
  float least = threshold;
  bytes = 0;
  for (const WalkedEntry* one : staying) {
    least = one->worth;
    bytes += one->entry.layout.end - one->at;
    if (bytes > room) break;
  }
  return least;
}

// ---- Cooling

uint32_t VictimSelector::CoolingWindow() const {
  return std::max<uint32_t>(kCoolingMin, arena_.usable_segments() / kCoolingShare);
}

// Chooses the next group well before the cooling segments run out.
void VictimSelector::CoolIfDue() {
  uint32_t ready = 0;
  for (const uint32_t index : sealed_) {
    const Segment& segment = arena_.segment(index);
    if (segment.exposures.load(std::memory_order_acquire) != 0) continue;
    ready += segment.cooling.load(std::memory_order_relaxed);
  }
  ++selections_since_cooling_;
  const uint32_t left = CoolingWindow() / kCoolingLeft;
  if (ready <= left && selections_since_cooling_ > left) Cool();
}

void VictimSelector::Cool() {
  const uint32_t window = CoolingWindow();
  struct Ranked {
    float benefit;
    uint64_t sealed_at;
    uint32_t index;
  };
  std::vector<Ranked> ranked;
  ranked.reserve(sealed_.size());
  for (const uint32_t index : sealed_) ranked.push_back({BenefitOf(index), arena_.segment(index).sealed_at, index});
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return a.benefit != b.benefit ? a.benefit > b.benefit : a.sealed_at < b.sealed_at;
  });
  uint32_t cooled = 0, exposed = 0, given_up = 0;
  for (const Ranked& one : ranked) {
    Segment& segment = arena_.segment(one.index);
    const bool cools = segment.cooling.load(std::memory_order_relaxed);
    if (cooled == window) {
      // It is worth more than it seemed when it was chosen: its hits are views again.
      if (cools) segment.cooling.store(false, std::memory_order_relaxed);
      continue;
    }
    const bool is_exposed = segment.exposures.load(std::memory_order_relaxed) != 0;
    if (cools && is_exposed) {
      // It cooled for the time of a whole group, and a view still shows it.  It serves hits like any other segment
      // again, and the next segments get their turn.
      segment.cooling.store(false, std::memory_order_relaxed);
      ++given_up;
      continue;
    }
    exposed += is_exposed;
    segment.cooling.store(true, std::memory_order_relaxed);
    ++cooled;
  }
  selections_since_cooling_ = 0;
  parts_.exposure.GroupCools(exposed, given_up, window);
}

}  // namespace zerohop
