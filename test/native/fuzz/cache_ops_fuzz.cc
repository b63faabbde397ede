// cache_ops_fuzz.cc: bytes -> operations on the smallest cache, checked against a map.
//
// Each operation is four bytes: what, key, and a 16-bit number (a length, mostly).  As long as nobody wrote through a
// view, a hit must be the value that was set last and views must not change.  After a write to exposed memory only
// memory safety is left to check (the sanitizers do), and that in the end every segment is free again.
#include <algorithm>
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

using zerohop::SetOutcome;
using zerohop::testing::Client;
using zerohop::testing::View;

void Require(bool holds) {
  if (!holds) std::abort();
}

struct Operation {
  uint8_t what, key;
  uint16_t number;
};

constexpr uint8_t kSpaces = 3;  // 0 and 1 are public, 2 is private

class Play {
 public:
  Play() : cache_(zerohop::testing::MakeCache()), client_(std::make_unique<Client>(*cache_)) {
    zerohop::testing::OpenedSpace(*cache_, "one");
    zerohop::testing::OpenedSpace(*cache_, "two", "tenant");
  }

  void Do(const Operation& op) {
    switch (op.what % 16) {
      case 0:
      case 1:
      case 2: return Set(op, op.number % 2048);
      case 3:
      case 4: return Set(op, op.number);
      case 5: return Set(op, size_t{op.number} * 16);  // up to 1 MiB: large values, and some too large
      case 6:
      case 7:
      case 8: return Get(op);
      case 9:
      case 10: return Expose(op);
      case 11: return LetGo(op);
      case 12: return Delete(op);
      case 13: return Rarely(op);
      case 14: return Has(op);
      case 15: return WriteThroughAView(op);
    }
  }

  void End() {
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
  using Id = std::pair<uint16_t, uint8_t>;  // space, key

  static uint16_t SpaceOf(const Operation& op) { return op.key % kSpaces; }
  static Id IdOf(const Operation& op) { return {SpaceOf(op), op.key}; }
  // Lengths 0 to 255; the first byte tells keys apart.
  static std::string NameOf(const Operation& op) { return std::string(op.key, static_cast<char>(op.key)); }

  void Set(const Operation& op, size_t bytes) {
    const std::string value(bytes, static_cast<char>(++version_));
    switch (client_->Set(NameOf(op), value, SpaceOf(op))) {
      case SetOutcome::kStored: oracle_[IdOf(op)] = value; break;
      case SetOutcome::kTooLarge: break;
      default: oracle_.erase(IdOf(op)); Require(!client_->Has(NameOf(op), SpaceOf(op)));
    }
  }

  void Compare(const Operation& op, std::optional<std::string_view> value) {
    if (hostile_) return;
    if (!value) {
      oracle_.erase(IdOf(op));
      return;
    }
    const auto known = oracle_.find(IdOf(op));
    Require(known != oracle_.end() && known->second == *value);
  }

  void Get(const Operation& op) {
    const auto value = client_->Get(NameOf(op), SpaceOf(op));
    Compare(op, value ? std::optional<std::string_view>(*value) : std::nullopt);
  }

  void Has(const Operation& op) {
    const bool has = client_->Has(NameOf(op), SpaceOf(op));
    Require(!has || hostile_ || oracle_.contains(IdOf(op)));
  }

  void Delete(const Operation& op) {
    const bool deleted = client_->Delete(NameOf(op), SpaceOf(op));
    Require(!deleted || hostile_ || oracle_.contains(IdOf(op)));
    oracle_.erase(IdOf(op));
  }

  void Expose(const Operation& op) {
    bool refused = false;
    auto view = client_->Expose(NameOf(op), SpaceOf(op), &refused);
    if (refused) return;
    Compare(op, view ? std::optional(view->shown()) : std::nullopt);
    if (view) views_.push_back(std::move(*view));
  }

  void LetGo(const Operation& op) {
    if (views_.empty()) return;
    const size_t at = op.number % views_.size();
    Require(hostile_ || views_[at].Unchanged());
    views_.erase(views_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void Rarely(const Operation& op) {
    switch (op.number % 4) {
      case 0: cache_->Clear(); break;
      case 1: cache_->Maintain(false); break;
      case 2: cache_->Maintain(true); break;
      case 3: static_cast<void>(cache_->Usage()); break;
    }
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
    const size_t at = op.what & 0x80 ? op.number * size_t{2} : value_at - std::min<size_t>(value_at, op.number % 300);
    shown[at % segment.view_bytes] ^= std::byte(1 << (op.what >> 4 & 7));
    if (op.number % 5 == 0) cache_->Taint(view.segment());
  }

  std::unique_ptr<zerohop::Cache> cache_;
  std::unique_ptr<Client> client_;
  std::map<Id, std::string> oracle_;
  std::vector<View> views_;
  uint8_t version_ = 0;
  bool hostile_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  Play play;
  for (; bytes >= 4; data += 4, bytes -= 4) {
    play.Do({data[0], data[1], static_cast<uint16_t>(data[2] | data[3] << 8)});
  }
  play.End();
  return 0;
}
