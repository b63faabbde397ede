// Which segment is emptied next: samples of the index, the threshold and the benefits that follow from them, and which
// segments cool.
#include <algorithm>
#include <limits>

#include "cache/evictor.h"

namespace zerohop {
namespace {

// The threshold: so much of the live bytes is worth less.  More makes every survivor a little better and every
// eviction copy less, until entries go that would have been asked for; measured over traces (docs/DECISIONS.md, D41).
constexpr float kThresholdShare = 0.20f;
// The benefit of an entry just below the threshold, as a share of its bytes: it frees its room at least.
constexpr float kFreed = 0.2f;
// The benefit of an entry just above the threshold: nearly none.  It decides between segments whose entries all stay.
constexpr float kStays = 0.01f;
// With admission, newcomers worth less than this share of the live bytes are refused.
constexpr float kEntryFeeShare = 0.06f;
static_assert(0 < kEntryFeeShare && kEntryFeeShare < kThresholdShare && kThresholdShare < 1);
static_assert(0 < kStays && kStays < kFreed && kFreed < 1, "who stays frees less than who goes");

// An estimate rests on about so many entries; older samples count less and less.
constexpr uint32_t kSeenMax = 32;
// How many entries are sampled for each segment that is emptied.
constexpr uint32_t kSampleMin = 8;
constexpr uint32_t kSampleEach = 256;
static_assert(kSampleMin <= kSampleEach);
// Segments of so few entries are hardly ever met by samples: some are looked at each time.
constexpr uint32_t kSmallEntries = 16;
constexpr uint32_t kSmallEach = 8;

// A victim is looked through before it is taken, and left if another one promises more; so often at most.
constexpr int kLooks = 4;
constexpr float kGoodEnough = 0.8f;

// Lines of the index that are asked for at once.
constexpr size_t kBatch = 8;
constexpr size_t kBatchEntries = kBatch * 6;

}  // namespace

uint32_t Evictor::CoolingWindow() const { return std::max<uint32_t>(2, parts_.arena.usable_segments() / 4); }

void Evictor::ListSealed() {
  sealed_.clear();
  for (uint32_t index = 0; index < parts_.arena.segment_count(); ++index) {
    const Segment& segment = parts_.arena.segment(index);
    if (segment.state.load(std::memory_order_acquire) != SegmentState::kSealed) continue;
    if (segment.writers.load(std::memory_order_acquire) != 0) continue;
    sealed_.push_back(index);
  }
}

float Evictor::BenefitOfWorth(float worth) const {
  const float least = threshold();
  if (worth > least) return kStays * least / worth;
  return worth <= 0 ? 1 : kFreed + (1 - kFreed) * (1 - worth / least);
}

float Evictor::BenefitOf(uint32_t index) const {
  const Segment& segment = parts_.arena.segment(index);
  const auto live = static_cast<float>(segment.live_entries.load(std::memory_order_relaxed));
  const auto appended = static_cast<float>(std::max(1u, segment.appended.load(std::memory_order_relaxed)));
  const Estimate& known = estimates_[index];
  const bool current = known.generation == segment.generation.load(std::memory_order_relaxed);
  const float live_share = std::min(1.0f, live / appended);
  return 1 - live_share + live_share * (current ? known.benefit : 0);
}

void Evictor::LearnBenefit(uint32_t index, float benefit, uint32_t seen) {
  Estimate& known = estimates_[index];
  const uint32_t generation = parts_.arena.segment(index).generation.load(std::memory_order_relaxed);
  if (known.generation != generation) known = {0, 0, generation};
  known.seen = std::min(known.seen + seen, kSeenMax);
  known.benefit += (benefit - known.benefit) * static_cast<float>(seen) / static_cast<float>(known.seen);
}

void Evictor::Weigh(uint64_t at, AccessState access_state, uint64_t now_us) {
  const uint32_t index = parts_.arena.SegmentOf(at);
  Entry entry;
  if (!parts_.arena.TryRead(at, &entry)) return;
  if (Dead(entry.header) || Expired(at, entry.header, now_us)) {
    LearnBenefit(index, 1, 1);
    return;
  }
  const float worth = WorthPerByte(access_state, at, entry);
  sample_[sampled_++ % kSampleMax] = {worth,
                                      static_cast<uint32_t>(std::min<uint64_t>(entry.layout.end - at, UINT32_MAX))};
  LearnBenefit(index, BenefitOfWorth(worth), 1);
}

// Looks at about so many live entries, wherever they are.
void Evictor::Survey(Session& session, uint32_t entries) {
  struct Drawn {
    uint64_t at;
    AccessState access_state;
  };
  const uint64_t now_us = NowUs();
  uint32_t seen = 0;
  // An index that is nearly empty has few to show.
  for (uint32_t tried = 0; seen < entries && tried < entries; tried += kBatch) {
    std::array<uint64_t, kBatch> randoms;
    std::array<Drawn, kBatchEntries> drawn;
    size_t count = 0;
    ReadGuard guard(parts_.epochs, session);
    for (uint64_t& random : randoms) {
      random = Draw();
      parts_.index.PrefetchSample(guard, random);
    }
    for (const uint64_t random : randoms) {
      parts_.index.Sample(guard, random, [&](uint64_t at, AccessState access_state) {
        __builtin_prefetch(parts_.arena.bytes() + at);
        drawn[count++] = {at, access_state};
      });
    }
    for (size_t i = 0; i < count; ++i) Weigh(drawn[i].at, drawn[i].access_state, now_us);
    seen += static_cast<uint32_t>(count);
  }
}

void Evictor::DrawThreshold() {
  // A small cache has few entries, and old samples of them mislead.
  const size_t wanted = std::clamp<size_t>(parts_.index.size() / 4, 24, kSampleMax);
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
  threshold_.store(quantile(kThresholdShare), std::memory_order_relaxed);
  entry_fee_.store(quantile(kEntryFeeShare), std::memory_order_relaxed);
}

void Evictor::Resample(Session& session) {
  if (!mutex_.TryLock()) return;
  Survey(session, kSampleMin);
  DrawThreshold();
  mutex_.Unlock();
}

// What the entries that were walked would free of their segment.
float Evictor::WalkedBenefit(uint32_t index) const {
  const Segment& segment = parts_.arena.segment(index);
  const auto bytes = static_cast<float>(uint64_t{segment.run_segments} * parts_.arena.segment_bytes());
  float kept = 0;
  for (const Walked& one : walked_) {
    kept += static_cast<float>(one.entry.layout.end - one.at) * (1 - BenefitOfWorth(one.worth));
  }
  return 1 - kept / bytes;
}

void Evictor::RefreshSmall(Session& session) {
  for (uint32_t looked = 0; looked < std::min<uint32_t>(kSmallEach, static_cast<uint32_t>(sealed_.size())); ++looked) {
    const uint32_t index = sealed_[next_small_++ % sealed_.size()];
    const Segment& segment = parts_.arena.segment(index);
    if (segment.appended.load(std::memory_order_relaxed) > kSmallEntries) continue;
    if (segment.live_entries.load(std::memory_order_relaxed) == 0 || !Walk(&session, index) || walked_.empty())
      continue;
    float benefit = 0;
    for (const Walked& one : walked_) benefit += BenefitOfWorth(one.worth);
    LearnBenefit(index, benefit / static_cast<float>(walked_.size()), kSeenMax);
  }
}

// The best of those that are free at once when emptied; and what the next one promises.
std::optional<uint32_t> Evictor::MostBeneficial(float* next) {
  std::optional<uint32_t> best;
  float best_benefit = -1;
  *next = -1;
  for (const uint32_t index : sealed_) {
    const Segment& segment = parts_.arena.segment(index);
    if (segment.exposures.load(std::memory_order_acquire) != 0) continue;
    const bool dead = segment.live_entries.load(std::memory_order_relaxed) == 0;
    const float benefit = dead ? 2 : BenefitOf(index);
    const bool older = best && segment.sealed_at < parts_.arena.segment(*best).sealed_at;
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

std::optional<uint32_t> Evictor::Victim(Session& session) {
  ListSealed();
  const size_t live = parts_.index.size() / std::max<size_t>(1, sealed_.size());
  Survey(session, static_cast<uint32_t>(std::clamp<size_t>(live, kSampleMin, kSampleEach)));
  DrawThreshold();
  RefreshSmall(session);
  CoolIfDue();
  for (int look = 1;; ++look) {
    float next;
    const std::optional<uint32_t> best = MostBeneficial(&next);
    if (!best || parts_.arena.segment(*best).live_entries.load(std::memory_order_relaxed) == 0) return best;
    // It is looked through now, and not again when it is emptied.
    if (look == kLooks || !Walk(&session, *best)) return best;
    const float benefit = WalkedBenefit(*best);
    if (benefit >= next * kGoodEnough) return best;
    float of_live = 0;
    for (const Walked& one : walked_) of_live += BenefitOfWorth(one.worth);
    if (!walked_.empty()) LearnBenefit(*best, of_live / static_cast<float>(walked_.size()), kSeenMax);
  }
}

// What an entry of the segment that was walked must be worth more than, to survive.
float Evictor::WorstToKeep() const {
  const size_t room = SurvivorRoom();
  size_t bytes = 0;
  for (const Walked& one : walked_) bytes += one.worth > threshold() ? one.entry.layout.end - one.at : 0;
  float least = std::max(threshold(), 0.0f);
  if (bytes <= room) return least;
  // Too many: the best of them.
  std::vector<const Walked*> best;
  for (const Walked& one : walked_) {
    if (one.worth > least) best.push_back(&one);
  }
  std::sort(best.begin(), best.end(), [](const Walked* a, const Walked* b) { return a->worth > b->worth; });
  bytes = 0;
  for (const Walked* one : best) {
    least = one->worth;
    bytes += one->entry.layout.end - one->at;
    if (bytes > room) break;
  }
  return least;
}

// Well before the cooled segments run out: what comes after them has hardly been looked at yet.
void Evictor::CoolIfDue() {
  uint32_t ready = 0;
  for (const uint32_t index : sealed_) {
    const Segment& segment = parts_.arena.segment(index);
    if (segment.exposures.load(std::memory_order_acquire) != 0) continue;
    ready += segment.cooling.load(std::memory_order_relaxed);
  }
  ++evictions_since_cooling_;
  if (ready <= CoolingWindow() / 4 && evictions_since_cooling_ > CoolingWindow() / 4) Cool();
}

void Evictor::Cool() {
  const uint32_t window = CoolingWindow();
  struct Ranked {
    float benefit;
    uint64_t sealed_at;
    uint32_t index;
  };
  std::vector<Ranked> ranked;
  ranked.reserve(sealed_.size());
  for (const uint32_t index : sealed_) {
    ranked.push_back({BenefitOf(index), parts_.arena.segment(index).sealed_at, index});
  }
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return a.benefit != b.benefit ? a.benefit > b.benefit : a.sealed_at < b.sealed_at;
  });
  uint32_t cooled = 0, lag = 0, given_up = 0;
  for (const Ranked& one : ranked) {
    Segment& segment = parts_.arena.segment(one.index);
    const bool cools = segment.cooling.load(std::memory_order_relaxed);
    if (cooled == window) {
      // Better than it seemed: its hits are views again.
      if (cools) segment.cooling.store(false, std::memory_order_relaxed);
      continue;
    }
    const bool exposed = segment.exposures.load(std::memory_order_relaxed) != 0;
    if (cools && exposed) {
      // It had the time of a whole group to be let go of, and someone still looks at it.  Meanwhile it may serve hits
      // like any other, and the next ones in line get their turn.
      segment.cooling.store(false, std::memory_order_relaxed);
      ++given_up;
      continue;
    }
    lag += exposed;
    segment.cooling.store(true, std::memory_order_relaxed);
    ++cooled;
  }
  evictions_since_cooling_ = 0;
  lag_.store(lag + given_up, std::memory_order_relaxed);
  if (lag > 0) {
    Notify();
    collection_need_.store(CollectionNeed::kYoung, std::memory_order_relaxed);
  }
  if (given_up >= window / 2) collection_need_.store(CollectionNeed::kWhole, std::memory_order_relaxed);
}

}  // namespace zerohop
