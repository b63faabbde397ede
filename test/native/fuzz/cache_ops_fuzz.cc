// cache_ops_fuzz.cc: bytes -> operations of the whole core on the smallest cache, checked against a map.
//
// Each operation is four bytes: what (the low five bits say which, see kOperations), key, and a 16-bit number: a
// length, mostly.  As long as nobody wrote through a view, a hit must be the value that was set last, with its terms,
// what was deleted or is over must be gone, and views must not change.  After a write to exposed memory only memory
// safety is left to check (the sanitizers do), and that in the end every segment is free again.
//
// An operation that no file of the corpus does is an error: the driver asks OperationWithoutSeed().
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/client.h"

namespace {

using zerohop::Bytes;
using zerohop::SetOutcome;
using zerohop::testing::Client;
using zerohop::testing::Names;
using zerohop::testing::View;

void Require(bool holds) {
  if (!holds) std::abort();
}

struct Operation {
  uint8_t what, key;
  uint16_t number;
};

enum class Kind : uint8_t {
  kSetSmall,
  kSetMiddle,
  kSetLarge,
  kSetUntil,
  kSetTagged,
  kGet,
  kGetMany,
  kNearGet,
  kExpose,
  kReleaseView,
  kDelete,
  kHas,
  kDescribe,
  kTouch,
  kDeleteByTag,
  kScan,
  kClearSpace,
  kClear,
  kMaintain,
  kUsage,
  kWriteThroughAView,
  kLast
};
constexpr std::array<const char*, static_cast<size_t>(Kind::kLast)> kNames = {"set a small value",
                                                                              "set a middle-sized value",
                                                                              "set a large value",
                                                                              "set with an end",
                                                                              "set with tags",
                                                                              "get",
                                                                              "get many",
                                                                              "near get",
                                                                              "expose",
                                                                              "let go",
                                                                              "delete",
                                                                              "has",
                                                                              "describe",
                                                                              "touch",
                                                                              "delete by tag",
                                                                              "scan",
                                                                              "clear a keyspace",
                                                                              "clear",
                                                                              "maintain",
                                                                              "usage",
                                                                              "write through a view"};

// By the low five bits of `what`; what should happen often stands here often.
constexpr std::array<Kind, 32> kOperations = {
    Kind::kSetSmall,  Kind::kSetSmall,   Kind::kSetSmall,    Kind::kSetMiddle,
    Kind::kSetMiddle, Kind::kSetLarge,   Kind::kGet,         Kind::kGet,
    Kind::kGet,       Kind::kExpose,     Kind::kExpose,      Kind::kReleaseView,
    Kind::kDelete,    Kind::kClear,      Kind::kHas,         Kind::kWriteThroughAView,
    Kind::kSetUntil,  Kind::kSetUntil,   Kind::kSetTagged,   Kind::kSetTagged,
    Kind::kTouch,     Kind::kTouch,      Kind::kGetMany,     Kind::kNearGet,
    Kind::kNearGet,   Kind::kDescribe,   Kind::kDeleteByTag, Kind::kDeleteByTag,
    Kind::kScan,      Kind::kClearSpace, Kind::kMaintain,    Kind::kUsage};

std::array<bool, static_cast<size_t>(Kind::kLast)> was_done{};

constexpr uint8_t kSpaces = 3;  // 0 and 1 are public, 2 is private
constexpr int kTags = 3;

class Play {
 public:
  explicit Play(size_t max_entries)
      : max_entries_(max_entries),
        cache_(zerohop::testing::MakeCache(zerohop::kMaxBytesMin, zerohop::Verify::kSample, max_entries)),
        client_(std::make_unique<Client>(*cache_)) {
    zerohop::testing::OpenedSpace(*cache_, "one");
    zerohop::testing::OpenedSpace(*cache_, "two", "tenant");
  }

  void Do(const Operation& op) {
    const Kind kind = kOperations[op.what % kOperations.size()];
    was_done[static_cast<size_t>(kind)] = true;
    switch (kind) {
      case Kind::kSetSmall: return Set(op, op.number % 2048);
      case Kind::kSetMiddle: return Set(op, op.number);
      case Kind::kSetLarge: return Set(op, size_t{op.number} * 16);  // up to 1 MiB: large values, and some too large
      case Kind::kSetUntil: return Set(op, op.number / 2 % 2048, EndOf(op.number % 2));
      case Kind::kSetTagged: return Set(op, op.number / 8 % 2048, zerohop::kNever, op.number % 8);
      case Kind::kGet: return Get(op);
      case Kind::kGetMany: return GetMany(op);
      case Kind::kNearGet: return NearGet(op);
      case Kind::kExpose: return Expose(op);
      case Kind::kReleaseView: return ReleaseView(op);
      case Kind::kDelete: return Delete(op);
      case Kind::kHas: return Has(op);
      case Kind::kDescribe: return Describe(op);
      case Kind::kTouch: return Touch(op);
      case Kind::kDeleteByTag: return DeleteByTag(op);
      case Kind::kScan: return Scan(op);
      case Kind::kClearSpace:
        cache_->ClearSpace(SpaceOf(op.key));
        std::erase_if(oracle_, [&](const auto& each) { return SpaceOf(each.first) == SpaceOf(op.key); });
        return;
      case Kind::kClear:
        cache_->Clear();
        oracle_.clear();
        return;
      case Kind::kMaintain: return cache_->Maintain(op.number % 2 == 0);
      case Kind::kUsage: static_cast<void>(cache_->Usage()); return;
      case Kind::kWriteThroughAView: return WriteThroughAView(op);
      case Kind::kLast: return;
    }
  }

  void End() {
    near_.clear();
    if (!hostile_) {
      for (const View& view : views_) Require(view.Unchanged());
      // The last of them outlives the cache.
      const std::optional<View> last = views_.empty() ? std::nullopt : std::optional(std::move(views_.back()));
      views_.clear();
      client_.reset();
      cache_.reset();
      Require(!last || last->Unchanged());
      return;
    }
    views_.clear();
    cache_->Clear();
    cache_->Maintain(/*idle=*/true);
    const zerohop::CacheUsage usage = cache_->Usage();
    Require(usage.entries == 0 && usage.free_segments == usage.segments && usage.exposed_segments == 0);
  }

 private:
  struct Known {
    std::string value;
    uint64_t expires_us;
    int tags;  // a bit each
    bool over() const { return expires_us == zerohop::testing::kLongAgoUs; }
  };
  struct Remembered {
    zerohop::Cache::VersionMark mark;
    uint32_t notice;
    std::string value;
    uint64_t expires_us;
  };

  static uint16_t SpaceOf(uint8_t key) { return key % kSpaces; }
  // Lengths 0 to 255; the first byte tells keys apart.
  static std::string NameOf(uint8_t key) { return std::string(key, static_cast<char>(key)); }
  // In the past, or so far away that nobody lives to see it.
  uint64_t EndOf(bool over) const { return over ? zerohop::testing::kLongAgoUs : in_an_hour_us_; }

  void Set(const Operation& op, size_t bytes, uint64_t expires_us = zerohop::kNever, int tags = 0) {
    std::string value(bytes, static_cast<char>(++version_));
    Names names;
    static constexpr std::string_view kTagNames[kTags] = {"", "tag", "another"};
    for (int tag = 0; tag < kTags; ++tag) {
      if ((tags >> tag & 1) != 0) names.push_back(kTagNames[tag]);
    }
    switch (client_->Set(NameOf(op.key), value, SpaceOf(op.key), {.expires_us = expires_us, .tags = names})) {
      case SetOutcome::kStored: oracle_[op.key] = {std::move(value), expires_us, tags}; break;
      case SetOutcome::kTooLarge: break;
      default: oracle_.erase(op.key); Require(!client_->Has(NameOf(op.key), SpaceOf(op.key)));
    }
    Require(hostile_ || cache_->Usage().entries <= max_entries_);
  }

  // The entry as it was set last; null if there may be none.
  const Known* Of(uint8_t key) const {
    const auto known = oracle_.find(key);
    return known == oracle_.end() || known->second.over() ? nullptr : &known->second;
  }

  void Compare(uint8_t key, std::optional<std::string_view> value) {
    if (hostile_) return;
    if (!value) {
      oracle_.erase(key);
      return;
    }
    Require(Of(key) != nullptr && Of(key)->value == *value);
  }

  void Get(const Operation& op) {
    const auto value = client_->Get(NameOf(op.key), SpaceOf(op.key));
    Compare(op.key, value ? std::optional<std::string_view>(*value) : std::nullopt);
  }

  void GetMany(const Operation& op) {
    std::vector<uint8_t> keys;
    std::vector<std::string> names;
    // 255 is a multiple of kSpaces: these are keys of one space.
    static_assert(255 % kSpaces == 0);
    for (size_t i = 0; i < 1 + op.number % zerohop::Cache::kBatchMax; ++i) {
      keys.push_back(static_cast<uint8_t>((op.key + i * kSpaces) % 255));
      names.push_back(NameOf(keys.back()));
    }
    const auto values = client_->GetMany(names, SpaceOf(op.key));
    for (size_t i = 0; i < keys.size(); ++i) {
      Compare(keys[i], values[i] ? std::optional<std::string_view>(*values[i]) : std::nullopt);
    }
  }

  // As lib/cache/near.ts does it; nothing is remembered while the cache evicts.
  void NearGet(const Operation& op) {
    zerohop::VersionWords& words = *cache_->version_words();
    const auto known = near_.find(op.key);
    if (known != near_.end() && !hostile_) {
      const Remembered& one = known->second;
      if (words.notice() == one.notice && words.Read(one.mark.word) == one.mark.version &&
          one.expires_us > zerohop::NowUs()) {
        Require(Of(op.key) != nullptr && Of(op.key)->value == one.value);
        return;
      }
    }
    Remembered next{.mark = {}, .notice = words.notice(), .value = {}, .expires_us = zerohop::kNever};
    {
      zerohop::ReadGuard guard(cache_->epochs(), client_->session());
      const std::string name = NameOf(op.key);
      const zerohop::Hit hit = cache_->Find(guard, client_->session(), SpaceOf(op.key), zerohop::testing::AsBytes(name),
                                            zerohop::Cache::Use::kCount, &next.mark);
      near_.erase(op.key);
      if (!hit) return Compare(op.key, std::nullopt);
      next.value.assign(reinterpret_cast<const char*>(cache_->arena().bytes() + hit.at), hit.bytes);
      next.expires_us = hit.expires_us;
    }
    Compare(op.key, next.value);
    if (!cache_->evicting()) near_[op.key] = std::move(next);
  }

  void Has(const Operation& op) {
    const bool has = client_->Has(NameOf(op.key), SpaceOf(op.key));
    Require(!has || hostile_ || Of(op.key) != nullptr);
  }

  void Describe(const Operation& op) {
    const auto facts = client_->Describe(NameOf(op.key), SpaceOf(op.key));
    if (!facts || hostile_) return;
    const Known* const known = Of(op.key);
    Require(known != nullptr && facts->hit.bytes == known->value.size());
    Require(facts->hit.expires_us == known->expires_us && facts->cost == 0);
  }

  void Touch(const Operation& op) {
    static constexpr int kWays = 4;
    std::optional<uint64_t> end;
    if (op.number % kWays == 1) end = zerohop::kNever;
    if (op.number % kWays > 1) end = EndOf(op.number % kWays == 2);
    const auto outcome = client_->Touch(NameOf(op.key), end, SpaceOf(op.key));
    if (hostile_) return;
    Require(!outcome || Of(op.key) != nullptr);
    if (outcome == SetOutcome::kStored && end) oracle_[op.key].expires_us = *end;
  }

  void Delete(const Operation& op) {
    const bool deleted = client_->Delete(NameOf(op.key), SpaceOf(op.key));
    Require(!deleted || hostile_ || Of(op.key) != nullptr);
    oracle_.erase(op.key);
  }

  void DeleteByTag(const Operation& op) {
    static constexpr std::string_view kTagNames[kTags] = {"", "tag", "another"};
    const int tag = op.number % kTags;
    size_t carriers = 0;
    for (const auto& [key, known] : oracle_) {
      if (SpaceOf(key) != SpaceOf(op.key) || (known.tags >> tag & 1) == 0) continue;
      carriers += client_->Has(NameOf(key), SpaceOf(key));
    }
    const size_t deleted = client_->DeleteByTag(kTagNames[tag], SpaceOf(op.key));
    Require(hostile_ || deleted == carriers);
    std::erase_if(oracle_, [&](const auto& each) {
      return SpaceOf(each.first) == SpaceOf(op.key) && (each.second.tags >> tag & 1) != 0;
    });
  }

  void Scan(const Operation& op) {
    for (const zerohop::ScannedKey& key :
         cache_->Scan(client_->session(), op.number % zerohop::Index::kShards, SpaceOf(op.key))) {
      if (hostile_) continue;
      Require(key.bytes.size() < 256 && !key.is_bytes);
      const auto number = static_cast<uint8_t>(key.bytes.size());
      Require(SpaceOf(number) == SpaceOf(op.key) && Of(number) != nullptr);
    }
  }

  void Expose(const Operation& op) {
    bool refused = false;
    auto view = client_->Expose(NameOf(op.key), SpaceOf(op.key), &refused);
    if (refused) return;
    Compare(op.key, view ? std::optional(view->shown()) : std::nullopt);
    if (view) views_.push_back(std::move(*view));
  }

  void ReleaseView(const Operation& op) {
    if (views_.empty()) return;
    const size_t at = op.number % views_.size();
    Require(hostile_ || views_[at].Unchanged());
    views_.erase(views_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  // As JavaScript could through `.buffer`: any byte that an exposure shows.
  void WriteThroughAView(const Operation& op) {
    if (views_.empty()) return;
    hostile_ = true;
    const View& view = views_[op.key % views_.size()];
    const zerohop::Segment& segment = cache_->arena().segment(view.segment());
    if (segment.view_bytes == 0) return;
    std::byte* const shown = cache_->arena().bytes() + cache_->arena().StartOf(view.segment()) + segment.view_at;
    // Often near the value, where the header is.
    const auto value_at = static_cast<size_t>(view.data() - shown);
    const size_t at =
        op.number % 4 == 0 ? op.number * size_t{2} : value_at - std::min<size_t>(value_at, op.number / 4 % 300);
    shown[at % segment.view_bytes] ^= std::byte(1 << (op.what >> 5));
    if (op.number % 5 == 0) cache_->Taint(view.segment());
  }

  const size_t max_entries_;
  const uint64_t in_an_hour_us_ = zerohop::testing::InAnHourUs();
  std::unique_ptr<zerohop::Cache> cache_;
  std::unique_ptr<Client> client_;
  std::map<uint8_t, Known> oracle_;
  std::map<uint8_t, Remembered> near_;
  std::vector<View> views_;
  uint8_t version_ = 0;
  bool hostile_ = false;
};

}  // namespace

extern "C" const char* OperationWithoutSeed() {
  const auto missing = std::find(was_done.begin(), was_done.end(), false);
  return missing == was_done.end() ? nullptr : kNames[static_cast<size_t>(missing - was_done.begin())];
}

// An input whose first operation is a scan of key 255 limits the entries to its number; else they are not limited.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  const auto operation_at = [data](size_t at) {
    return Operation{data[at], data[at + 1], static_cast<uint16_t>(data[at + 2] | data[at + 3] << 8)};
  };
  size_t max_entries = SIZE_MAX;
  if (bytes >= 4) {
    const Operation first = operation_at(0);
    if (kOperations[first.what % kOperations.size()] == Kind::kScan && first.key == 255) {
      max_entries = std::max<size_t>(1, first.number);
    }
  }
  Play play(max_entries);
  for (size_t at = 0; at + 4 <= bytes; at += 4) play.Do(operation_at(at));
  play.End();
  return 0;
}
