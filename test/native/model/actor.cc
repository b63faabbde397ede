#include "model/actor.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace zerohop::model {

using testing::AsBytes;
using testing::InAnHourUs;
using testing::kLongAgoUs;
using testing::Names;
using testing::View;

void Actor::Act() {
  if (plan_.threads > 1 && random_.OneIn(5)) return ActOnShared();
  const uint64_t choice = random_.Below(1000), key = SomeKey();
  if (choice < 340) return Set(key);
  if (choice < 380) return SetIf(key);
  if (choice < 560) return Get(key);
  if (choice < 640) return NearGet(random_.OneIn(2) ? key % 16 : key);  // what is near is asked for often
  if (choice < 660) return GetMany(key);
  if (choice < 680) return Describe(key);
  if (choice < 720) return Has(key);
  if (choice < 800) return Touch(key);
  if (choice < 850) return Delete(key);
  if (choice < 930) return Expose(key);
  if (choice < 970) return ReleaseViews();
  if (choice < 980) return views_.empty() ? void() : CHECK(views_[random_.Below(views_.size())].Unchanged());
  if (choice < 984) return DeleteByTag();
  if (choice < 990) return Scan();
  ActOnAll();
}

std::string Actor::NameOf(uint64_t key) const {
  // Lengths from 2 to about 120 bytes.
  return std::to_string(number_) + "/" + std::to_string(key / spaces_.size()) + std::string(key % 7 * 16, 'x');
}

std::optional<uint64_t> Actor::KeyOf(const std::string& name, size_t space) const {
  const size_t slash = name.find('/');
  if (slash == std::string::npos || name.substr(0, slash) != std::to_string(number_)) return std::nullopt;
  const uint64_t key = std::stoull(name.substr(slash + 1)) * spaces_.size() + space;
  CHECK_EQ(NameOf(key), name);
  return key;
}

uint64_t Actor::SomeBytes() {
  if (random_.OneIn(plan_.large_one_in)) return random_.Below(client_.cache().ValueBytesMax(200));
  return random_.OneIn(2) ? random_.Below(300) : random_.Below(plan_.small_bytes_max);
}

// Far away, so that nothing ends between two looks.
uint64_t Actor::SomeEnd() {
  switch (random_.Below(8)) {
    case 0: return kLongAgoUs;
    case 1:
    case 2: return InAnHourUs();
    default: return kNever;
  }
}

Known* Actor::Of(uint64_t key) {
  const auto known = oracle_.find(key);
  return known == oracle_.end() ? nullptr : &known->second;
}

void Actor::Found(uint64_t key, std::string_view value) {
  ++hits_;
  const Known* const known = Of(key);
  CHECK(known != nullptr && known->may_be_found());
  if (known == nullptr) return;
  value_.resize(known->origin.bytes);
  FillFrom(known->origin, value_.data());
  CHECK(value == value_);
}

void Actor::Missed(uint64_t key) {
  // Another thread may have let the entry go and not have told near caches yet; an answer that is given meanwhile is
  // late, not wrong, but this actor knows of the miss.
  near_.erase(key);
  if (Known* const known = Of(key)) known->missed = true;
}

void Actor::Set(uint64_t key) {
  Known next{.origin = {key, ++version_, SomeBytes()}, .is_bytes = random_.OneIn(4)};
  std::vector<std::string> tags;
  if (random_.OneIn(2)) {
    next.expires_us = SomeEnd();
    if (random_.OneIn(4)) next.cost = static_cast<float>(random_.Below(100));
    for (uint64_t count = random_.Below(4); count > 0; --count) {
      const auto tag = static_cast<uint32_t>(random_.Below(kTags));
      next.tags |= 1u << tag;
      tags.push_back(TagOf(tag));
    }
  }
  const Names names(tags.begin(), tags.end());
  value_.resize(next.origin.bytes);
  FillFrom(next.origin, value_.data());
  const StoreOptions options{
      .expires_us = next.expires_us, .cost = next.cost, .tags = names, .key_is_bytes = next.is_bytes};
  switch (client_.Set(NameOf(key), value_, SpaceOf(key), options)) {
    case SetOutcome::kStored:
      oracle_[key] = next;
      CheckNotTooMany();
      break;
    case SetOutcome::kTooLarge: CHECK(!"a value within the limit was too large"); break;
    default:
      // Refused: and the older value is gone too.
      ++refused_;
      oracle_.erase(key);
      CHECK(!client_.Has(NameOf(key), SpaceOf(key)));
  }
}

// Reads, and stores only if nothing happened to the key since.  What happens to a key of the same word looks alike.
void Actor::SetIf(uint64_t key) {
  const Expected expected = client_.cache().Mark(SpaceOf(key), AsBytes(NameOf(key)));
  Get(key);
  bool changed = random_.OneIn(4);
  if (changed && random_.OneIn(2)) {
    Delete(key);
  } else if (changed) {
    Set(key);
    changed = Of(key) != nullptr && Of(key)->origin.version == version_;  // not refused
  }
  Known next = Of(key) == nullptr ? Known{} : *Of(key);
  const bool keep_terms = random_.OneIn(2);
  if (!keep_terms) next = {};
  next.origin = {key, ++version_, SomeBytes()};
  value_.resize(next.origin.bytes);
  FillFrom(next.origin, value_.data());
  const std::string name = NameOf(key);
  const Bytes same = AsBytes(name);
  const StoreOptions options{
      .key_is_bytes = next.is_bytes, .expected = &expected, .terms_of = keep_terms ? &same : nullptr};
  switch (client_.Set(name, value_, SpaceOf(key), options)) {
    case SetOutcome::kStored:
      CHECK(!changed);
      if (keep_terms) CHECK(Of(key) != nullptr && next.may_be_found());
      oracle_[key] = next;
      ++stored_if_;
      CheckNotTooMany();
      break;
    case SetOutcome::kChanged: break;
    default: ++refused_;  // and the older value stays
  }
}

void Actor::CheckNotTooMany() {
  if (plan_.max_entries == SIZE_MAX || plan_.threads > 1) return;
  size_t entries = client_.cache().EntriesOf(shared_space_);
  for (const uint16_t space : spaces_) entries += client_.cache().EntriesOf(space);
  CHECK(entries <= plan_.max_entries);
}

void Actor::Get(uint64_t key) {
  const auto value = client_.Get(NameOf(key), SpaceOf(key));
  value ? Found(key, *value) : Missed(key);
}

void Actor::GetMany(uint64_t key) {
  std::vector<uint64_t> keys;
  std::vector<std::string> names;
  for (uint64_t count = 1 + random_.Below(Cache::kBatchMax); count > 0; --count) {
    keys.push_back(key % spaces_.size() + random_.Below(plan_.keys / spaces_.size()) * spaces_.size());
    names.push_back(NameOf(keys.back()));
  }
  const auto values = client_.GetMany(names, SpaceOf(key));
  for (size_t i = 0; i < keys.size(); ++i) values[i] ? Found(keys[i], *values[i]) : Missed(keys[i]);
}

// As lib/cache/near.ts: an answer holds while its words are what they were before it was looked up, and its end has not
// come. While the cache evicts, nothing is remembered: what is evicted then tells nobody.
void Actor::NearGet(uint64_t key) {
  VersionWords& words = *client_.cache().version_words();
  const auto known = near_.find(key);
  if (known != near_.end()) {
    const Remembered& one = known->second;
    if (words.notice() == one.notice && words.Read(one.mark.word) == one.mark.version && one.expires_us > NowUs()) {
      ++near_hits_;
      const Known* const last = Of(key);
      CHECK(last != nullptr && !last->over() && last->origin == one.origin);
      return;
    }
    near_.erase(known);
  }
  Remembered next{.mark = {}, .notice = words.notice(), .origin = {}, .expires_us = kNever};
  const bool evicting = client_.cache().evicting();
  std::optional<std::string> value;
  {
    ReadGuard guard(client_.cache().epochs(), client_.session());
    const Hit hit = client_.cache().Find(guard, client_.session(), SpaceOf(key), AsBytes(NameOf(key)),
                                         Cache::Use::kCount, &next.mark);
    if (hit) value.emplace(reinterpret_cast<const char*>(client_.cache().arena().bytes() + hit.at), hit.bytes);
    next.expires_us = hit.expires_us;
  }
  if (!value) return Missed(key);
  Found(key, *value);
  const Known* const last = Of(key);
  if (last == nullptr || evicting) return;
  CHECK_EQ(next.expires_us, last->expires_us);
  next.origin = last->origin;
  if (near_.size() > 300) near_.clear();
  near_.insert_or_assign(key, next);
}

void Actor::Describe(uint64_t key) {
  const auto facts = client_.Describe(NameOf(key), SpaceOf(key));
  if (!facts) return Missed(key);
  const Known* const known = Of(key);
  CHECK(known != nullptr && known->may_be_found());
  if (known == nullptr) return;
  CHECK_EQ(facts->hit.bytes, known->origin.bytes);
  CHECK_EQ(facts->hit.expires_us, known->expires_us);
  CHECK_EQ(facts->cost, known->cost);
  CHECK(facts->frequency >= 1 && facts->frequency <= FrequencySketch::kCountMax);
  CHECK(facts->gap >= 0);
  CHECK(facts->worth >= 0);
  CHECK(facts->threshold >= 0);
}

void Actor::Has(uint64_t key) {
  if (!client_.Has(NameOf(key), SpaceOf(key))) return Missed(key);
  const Known* const known = Of(key);
  CHECK(known != nullptr && known->may_be_found());
}

void Actor::Touch(uint64_t key) {
  std::optional<uint64_t> end;
  if (!random_.OneIn(4)) end = SomeEnd();
  const auto outcome = client_.Touch(NameOf(key), end, SpaceOf(key));
  if (!outcome) return Missed(key);
  Known* const known = Of(key);
  CHECK(known != nullptr && known->may_be_found());
  if (known == nullptr) return;
  if (*outcome != SetOutcome::kStored) {
    ++refused_;
  } else if (end) {
    known->expires_us = *end;
  }
}

void Actor::Delete(uint64_t key) {
  const bool deleted = client_.Delete(NameOf(key), SpaceOf(key));
  const Known* const known = Of(key);
  CHECK(!deleted || (known != nullptr && known->may_be_found()));
  oracle_.erase(key);
}

void Actor::Expose(uint64_t key) {
  bool refused = false;
  auto view = client_.Expose(NameOf(key), SpaceOf(key), &refused);
  if (refused) return;
  if (!view) return Missed(key);
  Found(key, view->shown());
  Hold(std::move(*view));
}

void Actor::DeleteByTag() {
  const auto tag = static_cast<uint32_t>(random_.Below(kTags));
  const size_t space = random_.Below(spaces_.size());
  const auto carries = [&](uint64_t key, const Known& known) {
    return key % spaces_.size() == space && (known.tags >> tag & 1) != 0;
  };
  // Alone, the number is exact: asked for one by one, now and then.
  const bool exact = plan_.threads == 1 && random_.OneIn(4);
  size_t carriers = 0;
  for (const auto& [key, known] : oracle_) {
    if (!carries(key, known) || !known.may_be_found()) continue;
    carriers += !exact || client_.Has(NameOf(key), spaces_[space]);
  }
  const size_t deleted = client_.DeleteByTag(TagOf(tag), spaces_[space]);
  CHECK(exact ? deleted == carriers : deleted <= carriers);
  Forget(carries);
}

void Actor::Scan() {
  const size_t space = random_.Below(spaces_.size());
  std::set<std::string> seen;
  for (const ScannedKey& scanned :
       client_.cache().Scan(client_.session(), random_.Below(Index::kShards), spaces_[space])) {
    const std::string name(reinterpret_cast<const char*>(scanned.bytes.data()), scanned.bytes.size());
    CHECK(seen.insert(name).second);
    const auto key = KeyOf(name, space);
    if (!key) continue;
    const Known* const known = Of(*key);
    CHECK(known != nullptr && known->may_be_found() && known->is_bytes == scanned.is_bytes);
    if (plan_.threads == 1) CHECK(client_.Has(name, spaces_[space]));
  }
}

void Actor::ActOnAll() {
  if (random_.OneIn(4)) client_.cache().Maintain(random_.OneIn(4));
  if (random_.OneIn(20)) {
    const size_t space = random_.Below(spaces_.size());
    client_.cache().ClearSpace(spaces_[space]);
    Forget([&](uint64_t key, const Known&) { return key % spaces_.size() == space; });
  }
  if (random_.OneIn(100)) {
    client_.cache().Clear();
    oracle_.clear();
  }
}

// ---- Shared keys

void Actor::ActOnShared() {
  const size_t key = random_.Below(SharedKeys::kCount);
  const uint64_t choice = random_.Below(1000);
  if (choice < 330) return SetShared(key);
  if (choice < 350) return ActAlone();
  if (choice < 700) return GetShared(key);
  if (choice < 850) {
    client_.Touch(SharedKeys::NameOf(key), random_.OneIn(2) ? kNever : InAnHourUs(), shared_space_);
  } else if (choice < 920) {
    client_.Delete(SharedKeys::NameOf(key), shared_space_);
  } else if (choice < 990) {
    const uint64_t least = shared_.keys[key].published.load();
    if (auto view = client_.Expose(SharedKeys::NameOf(key), shared_space_)) {
      CHECK(VersionOf(key, view->shown()) >= least);
      Hold(std::move(*view));
    }
  } else {
    ClearShared(/*by_tag=*/choice < 996);
  }
}

uint64_t Actor::VersionOf(size_t key, std::string_view value) {
  const auto origin = OriginOf(value);
  CHECK(origin && origin->key == key);
  return origin ? origin->version : 0;
}

void Actor::SetShared(size_t key) {
  SharedKeys::Key& one = shared_.keys[key];
  const std::lock_guard lock(one.writer);
  const Origin origin{key, ++one.version, std::max<uint64_t>(sizeof(Origin), SomeBytes())};
  const Names tags(SharedKeys::Tagged(origin.version) ? 1 : 0, SharedKeys::kTag);
  const uint64_t end = random_.OneIn(3) ? InAnHourUs() : kNever;
  client_.Set(SharedKeys::NameOf(key), ValueOf(origin), shared_space_, {.expires_us = end, .tags = tags});
  one.published.store(origin.version);
}

void Actor::GetShared(size_t key) {
  const uint64_t least = shared_.keys[key].published.load();
  const auto value = client_.Get(SharedKeys::NameOf(key), shared_space_);
  if (value) CHECK(VersionOf(key, *value) >= least);
}

// While this thread is alone, what others share does not change, but by evictions.
void Actor::ActAlone() {
  std::array<uint64_t, SharedKeys::kCount> before{};
  std::array<bool, SharedKeys::kCount> gone{};
  Exclusive alone(client_.cache(), client_.session());
  for (uint64_t count = 1 + random_.Below(8); count > 0; --count) {
    for (size_t key = 0; key < SharedKeys::kCount; key += 1 + random_.Below(8)) {
      const auto value = client_.Get(SharedKeys::NameOf(key), shared_space_);
      if (value) {
        const uint64_t version = VersionOf(key, *value);
        CHECK(!gone[key] && (before[key] == 0 || before[key] == version));
        before[key] = version;
      }
      gone[key] = !value;
    }
    const uint64_t key = SomeKey();
    switch (random_.Below(4)) {
      case 0: Delete(key); break;
      case 1: Touch(key); break;
      case 2: DeleteByTag(); break;
      default: Set(key);
    }
  }
}

// Whatever a set had stored that returned before is gone when this returns.
void Actor::ClearShared(bool by_tag) {
  std::array<uint64_t, SharedKeys::kCount> before;
  std::transform(shared_.keys.begin(), shared_.keys.end(), before.begin(),
                 [](const SharedKeys::Key& key) { return key.published.load(); });
  if (by_tag) {
    client_.DeleteByTag(SharedKeys::kTag, shared_space_);
  } else {
    client_.cache().ClearSpace(shared_space_);
  }
  for (size_t key = 0; key < SharedKeys::kCount; ++key) {
    const auto value = client_.Get(SharedKeys::NameOf(key), shared_space_);
    if (!value) continue;
    const uint64_t version = VersionOf(key, *value);
    CHECK(version > before[key] || (by_tag && !SharedKeys::Tagged(version)));
  }
}

// ---- Views

void Actor::Hold(View view) {
  views_.push_back(std::move(view));
  if (views_.size() > plan_.views_max) ReleaseViews();
}

void Actor::ReleaseViews() {
  // Seldom the oldest ones: some views are held nearly for ever.
  for (uint64_t count = random_.Below(8); count > 0 && !views_.empty(); --count) {
    const size_t at = random_.OneIn(10) ? random_.Below(views_.size()) : views_.size() - 1;
    CHECK(views_[at].Unchanged());
    views_.erase(views_.begin() + static_cast<std::ptrdiff_t>(at));
  }
}

}  // namespace zerohop::model
