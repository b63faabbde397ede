#include "binding/numbers.h"

#include "base/ticker.h"
#include "binding/isolate.h"
#include "binding/job.h"
#include "binding/lookup.h"
#include "cache/cache.h"
#include "cache/entry.h"
#include "cache/eviction_records.h"
#include "cache/version_words.h"
#include "fingerprint/nans.h"
#include "fingerprint/sha3.h"
#include "weights/id_slots.h"
#include "weights/mapped_file.h"
#include "weights/score.h"

namespace zerohop::binding {
namespace {

// A name with a dot is that of a list and a name in it.  The number is the place of the name in the list.
constexpr struct {
  const char* name;
  double number;
} kNumbers[] = {
    {"MISS", static_cast<double>(kMiss)},
    {"COPIED", static_cast<double>(kCopied)},
    {"NEED_SLAB", static_cast<double>(kNeedSlab)},
    {"OFFSET", static_cast<double>(Isolate::kOffset)},
    {"LENGTH", static_cast<double>(Isolate::kLength)},
    {"SEGMENT", static_cast<double>(Isolate::kSegment)},
    {"NEAR_WORD", static_cast<double>(Isolate::kNearWord)},
    {"NEAR_VERSION", static_cast<double>(Isolate::kNearVersion)},
    {"VERIFY_NOW", static_cast<double>(Isolate::kVerifyNow)},
    {"NEAR_ENDS", static_cast<double>(Isolate::kNearEnds)},
    {"EVICTED", static_cast<double>(Isolate::kEvicted)},
    {"EXPIRES", static_cast<double>(Isolate::kExpires)},
    {"AGE", static_cast<double>(Isolate::kAge)},
    {"FREQUENCY", static_cast<double>(Isolate::kFrequency)},
    {"COST", static_cast<double>(Isolate::kCost)},
    {"SIZE", static_cast<double>(Isolate::kSize)},
    {"STORE_TTL", static_cast<double>(Isolate::kStoreTtl)},
    {"STORE_COST", static_cast<double>(Isolate::kStoreCost)},
    {"GAP", static_cast<double>(Isolate::kGap)},
    {"WORTH", static_cast<double>(Isolate::kWorth)},
    {"THRESHOLD", static_cast<double>(Isolate::kThreshold)},
    {"IDLE", static_cast<double>(Isolate::kIdle)},
    {"COSTED", static_cast<double>(Isolate::kCosted)},
    {"STORED", static_cast<double>(kStored)},
    {"ABSENT", static_cast<double>(kAbsent)},
    {"SCAN_PARTS", static_cast<double>(Index::kShards)},
    {"LOCATION_WORDS", static_cast<double>(kLocationWords)},
    {"SLAB_HEADER_BYTES", static_cast<double>(kSlabHeaderBytes)},
    {"NOTICE", static_cast<double>(VersionWords::kNotice)},
    {"ASLEEP", static_cast<double>(Ticker::kAsleep)},
    {"TAGS_MAX", static_cast<double>(kTagsMax)},
    {"HASH_STATE_BYTES", static_cast<double>(sizeof(KeccakState))},
    {"PROBES_MAX", static_cast<double>(kProbesMax)},
    {"CONTROL_WORDS", static_cast<double>(Control::kWords)},
    {"GIVE_UP", static_cast<double>(Control::kGiveUp)},
    {"DONE_KIB", static_cast<double>(Control::kDoneKib)},
    {"EVICTION_REASONS.none", static_cast<double>(EvictionRecord::Why::kNone)},
    {"EVICTION_REASONS.capacity", static_cast<double>(EvictionRecord::Why::kEvicted)},
    {"EVICTION_REASONS.maxEntries", static_cast<double>(EvictionRecord::Why::kTrimmed)},
    {"EVICTION_REASONS.worth", static_cast<double>(EvictionRecord::Why::kRefused)},
    {"NAN_KINDS.none", static_cast<double>(Nans::kNone)},
    {"NAN_KINDS.float64", static_cast<double>(Nans::kFloat64)},
    {"NAN_KINDS.float32", static_cast<double>(Nans::kFloat32)},
    {"NAN_KINDS.float16", static_cast<double>(Nans::kFloat16)},
    {"NAN_KINDS.bfloat16", static_cast<double>(Nans::kBfloat16)},
    {"VERIFY.off", static_cast<double>(Verify::kOff)},
    {"VERIFY.sample", static_cast<double>(Verify::kSample)},
    {"VERIFY.trap", static_cast<double>(Verify::kTrap)},
    {"POLICIES.learned", static_cast<double>(Policy::Kind::kLearned)},
    {"POLICIES.score", static_cast<double>(Policy::Kind::kScore)},
    {"STRATEGIES.auto", static_cast<double>(MapStrategy::kAuto)},
    {"STRATEGIES.mmap", static_cast<double>(MapStrategy::kMap)},
    {"STRATEGIES.read", static_cast<double>(MapStrategy::kRead)},
    {"STRATEGIES.direct", static_cast<double>(MapStrategy::kDirect)},
    {"ROW_TYPES.F32", static_cast<double>(RowType::kF32)},
    {"ROW_TYPES.F16", static_cast<double>(RowType::kF16)},
    {"ROW_TYPES.BF16", static_cast<double>(RowType::kBf16)},
    {"ROW_TYPES.I8", static_cast<double>(RowType::kI8)},
    {"COUNTS.hits", static_cast<double>(Count::kHits)},
    {"COUNTS.misses", static_cast<double>(Count::kMisses)},
    {"COUNTS.copiedHits", static_cast<double>(Count::kCopiedHits)},
    {"COUNTS.nearHits", static_cast<double>(Count::kNearHits)},
    {"COUNTS.sets", static_cast<double>(Count::kSets)},
    {"COUNTS.refusedPinned", static_cast<double>(Count::kRefusedPinned)},
    {"COUNTS.refusedReaders", static_cast<double>(Count::kRefusedReaders)},
    {"COUNTS.refusedMemory", static_cast<double>(Count::kRefusedMemory)},
    {"COUNTS.refusedWorth", static_cast<double>(Count::kRefusedWorth)},
    {"COUNTS.storedBytes", static_cast<double>(Count::kStoredBytes)},
    {"COUNTS.deletes", static_cast<double>(Count::kDeletes)},
    {"COUNTS.evicted", static_cast<double>(Count::kEvictedEntries)},
    {"COUNTS.trimmed", static_cast<double>(Count::kTrimmedEntries)},
    {"COUNTS.expired", static_cast<double>(Count::kExpired)},
    {"COUNTS.copiedForward", static_cast<double>(Count::kCopiedForward)},
    {"COUNTS.copiedForwardBytes", static_cast<double>(Count::kCopiedForwardBytes)},
    {"COUNTS.evictedSegments", static_cast<double>(Count::kEvictedSegments)},
    {"COUNTS.corrupted", static_cast<double>(Count::kCorrupted)},
    {"COUNTS.exposures", static_cast<double>(Count::kExposures)},
    {"COUNTS.youngCollections", static_cast<double>(Count::kYoungGcs)},
    {"COUNTS.forcedCollections", static_cast<double>(Count::kForcedGcs)},
    {"COUNTS.movedHits", static_cast<double>(Count::kMovedHits)},
    {"COUNTS.movedCopies", static_cast<double>(Count::kMovedCopies)},
    {"COUNTS.movedMisses", static_cast<double>(Count::kMovedMisses)},
    {"COUNTS.stale", static_cast<double>(Count::kStale)},
    {"COUNTS.coalesced", static_cast<double>(Count::kCoalesced)},
    {"COUNTS.negative", static_cast<double>(Count::kNegative)},
    {"COUNTS.bypassed", static_cast<double>(Count::kBypassed)},
    {"COUNTS.runs", static_cast<double>(Count::kRuns)},
    {"COUNTS.runInputs", static_cast<double>(Count::kRunInputs)},
    {"COUNTS.runFailures", static_cast<double>(Count::kRunFailures)},
    {"COUNTS.runTimeouts", static_cast<double>(Count::kRunTimeouts)},
    {"COUNTS.verified", static_cast<double>(Count::kVerified)},
    {"COUNTS.mismatches", static_cast<double>(Count::kMismatches)},
    {"TIME_BOUNDS", static_cast<double>(kTimeBounds)},
    {"TIME_BOUND_FIRST", static_cast<double>(kTimeBoundFirst)},
    {"TIME_BOUND_STEP", static_cast<double>(kTimeBoundStep)},
    {"TIME_BUCKETS", static_cast<double>(Histogram::kBuckets)},
    {"TIME_SPLIT", static_cast<double>(HistogramBuckets::kSplit)},
};

}  // namespace

bool ExportNumbers(napi_env env, napi_value exports) {
  napi_value numbers, value;
  if (napi_create_object(env, &numbers) != napi_ok) return false;
  for (const auto& [name, number] : kNumbers) {
    if (napi_create_double(env, number, &value) != napi_ok ||
        napi_set_named_property(env, numbers, name, value) != napi_ok) {
      return false;
    }
  }
  return napi_set_named_property(env, exports, "numbers", numbers) == napi_ok;
}

}  // namespace zerohop::binding
