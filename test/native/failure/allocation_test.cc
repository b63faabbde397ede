// allocation_test.cc: a script of the whole core, run once for every request for memory it makes, with that one
// refused.
//
// After SQLite's anomaly tests.  Whatever call the refusal hits must throw std::bad_alloc or say that it did nothing;
// and afterwards the cache must be as if the call had not been made, or had been made:
//   every key has its value of before or after, and no other; a set that said it stored did;
//   what is in the index is in its segment's count, no writer is left behind, keyspaces count their keys;
//   an entry that carries a tag is found by it; a near cache is told of every change;
//   everything that follows works, and in the end every segment is free and nothing leaks (the address sanitizer).
// Each time in two ways: one request is refused, or all from there to the end of the call.
//
// ZEROHOP_FAILURE_STRIDE   tries every so manieth request only (default 3, 29 under the sanitizers; from a place
//                          that the seed says)
// ZEROHOP_FAILURE_AT       this one only, to look at it closely: the sanitizers' builds print who asked
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cache/client.h"
#include "cache/registry.h"
#include "check.h"
#include "failure/failing_memory.h"

namespace zerohop {
namespace {

using failure::Refusal;
using testing::AsBytes;
using testing::Client;
using testing::Filled;
using testing::InAnHourUs;
using testing::kLongAgoUs;
using testing::kMiB;
using testing::Names;
using testing::Numbered;
using testing::View;

#if !defined(ZEROHOP_FAILURE_STRIDE)
#define ZEROHOP_FAILURE_STRIDE 3
#endif

// Which request is refused, and what was going on.
struct Anomaly {
  uint64_t granted;
  bool lasting;
};

// A cache, what was done to it, and a call under way that may be refused memory.
class Script {
 public:
  explicit Script(const Anomaly& anomaly) : anomaly_(anomaly) {}

  // True if it came to an end without being refused anything.
  bool Run();
  uint64_t requests() const { return requests_; }

 private:
  using Key = std::pair<uint16_t, std::string>;
  struct Value {
    std::string bytes;
    std::string tag;  // empty: none
  };

  // Runs one call, which is refused memory if its turn has come.  False if it threw.
  bool Call(const char* what, const std::function<void()>& call);
  // Only the first time: what is wrong stays so.
  void Fail(const std::string& message);
  void Require(bool holds, const char* message) {
    if (!holds) Fail(message);
  }

  void Open();
  void Fill();
  void Overwrite();
  void Look();
  void Remove();
  void Evict();
  void Close();

  void Set(uint16_t space, const std::string& key, const std::string& bytes, const std::string& tag = "",
           uint64_t expires_us = kNever);
  void Touch(uint16_t space, const std::string& key, std::optional<uint64_t> end);
  void CheckKey(const Key& key);
  void CheckAll();
  void CheckInvariants();

  const Anomaly anomaly_;
  uint64_t requests_ = 0;
  bool refused_ = false, failed_ = false;
  std::string during_ = "nothing";
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Session> session_;
  std::vector<View> views_;
  uint16_t one_ = 0, two_ = 0;
  std::map<Key, std::vector<Value>> oracle_;  // what the key may have: the last one, or one of two after a refusal
  std::set<Key> may_be_missing_;
  bool evicts_ = false;
};

void Script::Fail(const std::string& message) {
  if (std::exchange(failed_, true)) return;
  check::Fail(__FILE__, __LINE__,
              message + " (request " + std::to_string(anomaly_.granted) +
                  (anomaly_.lasting ? " and all after it" : "") + " refused in: " + during_ + ")");
}

bool Script::Call(const char* what, const std::function<void()>& call) {
  const uint64_t before = failure::Requests();
  bool done = true;
  if (!refused_ && anomaly_.granted >= requests_) {
    const Refusal refusal(anomaly_.granted - requests_, anomaly_.lasting);
    try {
      call();
    } catch (const std::bad_alloc&) {
      done = false;
    }
    if (Refusal::happened()) {
      refused_ = true;
      during_ = what;
    }
  } else {
    call();
  }
  requests_ += failure::Requests() - before;
  return done;
}

bool Script::Run() {
  Open();
  if (cache_ != nullptr) {
    Fill();
    Overwrite();
    Look();
    Remove();
    Evict();
    Close();
  }
  return !refused_;
}

void Script::Open() {
  Call("Create", [&] {
    Result<std::unique_ptr<Cache>> made = Cache::Create({2 * kMiB, Verify::kSample, 1500});
    if (made.ok()) cache_ = std::move(made.value());
    Require(made.ok() || made.status().code() == Code::kNoMemory, "Create: another code");
  });
  if (cache_ == nullptr) return;
  const auto open = [&](const char* name, const char* scope, uint16_t* space) {
    for (int attempt = 0;; ++attempt) {
      bool opened = false;
      Call("OpenSpace", [&] {
        Result<uint16_t> result = cache_->OpenSpace(name, scope, "bytes");
        Require(result.ok(), "OpenSpace failed");
        *space = result.ok() ? result.value() : uint16_t{0};
        opened = true;
      });
      if (opened) return;
      if (attempt == 2) return Fail("OpenSpace does not come to itself again");
    }
  };
  open("a name that is too long for a string to keep in itself", "", &one_);
  open("another name that is too long for a string to keep in itself", "a tenant with a name of some length", &two_);
  while (session_ == nullptr) {
    Call("Join", [&] {
      auto session = std::make_unique<Session>();
      cache_->Join(session.get());
      session_ = std::move(session);
    });
  }
}

void Script::Set(uint16_t space, const std::string& key, const std::string& bytes, const std::string& tag,
                 uint64_t expires_us) {
  const Names names(tag.empty() ? 0 : 1, tag);
  const uint64_t limit = cache_->options().max_entries;
  SetOutcome outcome = SetOutcome::kTooLarge;
  const bool returned = Call("Set", [&] {
    outcome = cache_->Set(*session_, space, AsBytes(key), AsBytes(bytes), {.expires_us = expires_us, .tags = names});
  });
  std::vector<Value>& values = oracle_[{space, key}];
  if (!returned) {
    values.push_back({bytes, tag});
    may_be_missing_.insert({space, key});
  } else if (outcome == SetOutcome::kStored) {
    values.assign(1, {bytes, tag});
    may_be_missing_.erase({space, key});
    Require(cache_->Usage().entries <= limit || refused_, "more entries than allowed");
  } else {
    Require(outcome == SetOutcome::kRefusedMemory, "Set: refused for another reason");
    oracle_.erase({space, key});
  }
}

void Script::Touch(uint16_t space, const std::string& key, std::optional<uint64_t> end) {
  Call("Touch", [&] {
    const auto touched = cache_->Touch(*session_, space, AsBytes(key), end);
    Require(touched.has_value() || evicts_ || may_be_missing_.contains({space, key}), "Touch: not there");
  });
}

// Small entries, so many that every shard grows; tags, and names of them.
void Script::Fill() {
  for (uint64_t i = 0; i < 900; ++i) {
    const std::string tag = i % 3 == 0 ? Numbered("a tag whose name takes memory of its own ", i % 40) : "";
    Set(i % 2 == 0 ? uint16_t{0} : one_, Numbered("key", i), Filled(Numbered("value", i), i % 200), tag,
        i % 5 == 0 ? InAnHourUs() : kNever);
    if (i % 150 == 0) CheckInvariants();
  }
  CheckAll();
}

void Script::Overwrite() {
  for (uint64_t i = 0; i < 60; ++i) {
    Set(i % 2 == 0 ? uint16_t{0} : one_, Numbered("key", i * 7), Filled("again", 50), i % 2 == 0 ? "again" : "");
    Touch(i % 2 == 0 ? uint16_t{0} : one_, Numbered("key", i * 7), i % 3 == 0 ? kNever : InAnHourUs());
    Touch(0, Numbered("key", i * 2), i % 2 == 0 ? std::optional<uint64_t>() : InAnHourUs());
  }
  Set(two_, "large", Filled("large", 300000), "large");
  Set(two_, "large", Filled("larger", 400000), "large");
  CheckInvariants();
  CheckAll();
}

void Script::Look() {
  for (const uint16_t space : {uint16_t{0}, one_, two_}) {
    Call("Find", [&] {
      const std::string key = "key2";
      ReadGuard guard(cache_->epochs(), *session_);
      cache_->Find(guard, *session_, space, AsBytes(key));
    });
    Call("FindMany", [&] {
      const std::string keys[] = {"key1", "key2", "key3"};
      const Bytes asked[] = {AsBytes(keys[0]), AsBytes(keys[1]), AsBytes(keys[2])};
      Hit hits[3];
      ReadGuard guard(cache_->epochs(), *session_);
      cache_->FindMany(guard, *session_, space, asked, hits);
    });
    Call("Describe", [&] {
      const std::string key = "key3";
      ReadGuard guard(cache_->epochs(), *session_);
      cache_->Describe(guard, *session_, space, AsBytes(key));
    });
    for (size_t shard = 0; shard < 3; ++shard) Call("Scan", [&] { cache_->Scan(*session_, shard, space); });
    Call("CountsOf", [&] { cache_->CountsOf(space); });
  }
  Call("Usage", [&] { cache_->Usage(); });
  Call("Join and Part", [&] {
    Session other;
    cache_->Join(&other);
    cache_->Part(&other);
  });
  CheckInvariants();
  CheckAll();
}

void Script::Remove() {
  for (uint64_t i = 1; i < 10; ++i) {
    const Key key{one_, Numbered("key", i * 20 + 1)};
    const bool returned = Call("Delete", [&] { cache_->Delete(*session_, key.first, AsBytes(key.second)); });
    if (returned) {
      oracle_.erase(key);
    } else {
      may_be_missing_.insert(key);
    }
  }
  for (const char* tag : {"again", "a tag whose name takes memory of its own 3", "nobody's"}) {
    const bool returned = Call("DeleteByTag", [&] { cache_->DeleteByTag(*session_, 0, tag); });
    for (auto one = oracle_.begin(); one != oracle_.end();) {
      const bool carried = one->first.first == 0 && std::any_of(one->second.begin(), one->second.end(),
                                                                [&](const Value& value) { return value.tag == tag; });
      if (carried && returned && one->second.size() == 1) {
        one = oracle_.erase(one);
        continue;
      }
      if (carried) may_be_missing_.insert(one->first);
      ++one;
    }
  }
  CheckAll();
  for (int i = 0; i < 3; ++i) Call("Maintain", [&] { cache_->Maintain(i % 2 == 0); });
  CheckInvariants();
  const bool cleared = Call("ClearSpace", [&] { cache_->ClearSpace(one_); });
  for (auto one = oracle_.begin(); one != oracle_.end();) {
    if (one->first.first == one_) {
      if (!cleared) may_be_missing_.insert(one->first);
      one = cleared ? oracle_.erase(one) : std::next(one);
    } else {
      ++one;
    }
  }
  CheckAll();
  for (size_t i = 0; i <= Index::kShards; ++i) Call("Maintain", [&] { cache_->Maintain(false); });
  CheckInvariants();
}

// Full segments, survivors, runs, more entries than allowed; views and rescues.
void Script::Evict() {
  evicts_ = true;
  for (uint64_t i = 0; i < 700; ++i) {
    const std::string key = Numbered("later", i % 400);
    Set(i % 3 == 0 ? two_ : uint16_t{0}, key, Filled(key, i % 50 == 49 ? 200000 : 3000),
        i % 4 == 0 ? Numbered("tag", i % 7) : "");
    const uint64_t old = i > 30 ? i - 30 : 0;
    Call("Find while evicting", [&] {
      const std::string asked = Numbered("later", old % 400);
      ReadGuard guard(cache_->epochs(), *session_);
      const Hit hit = cache_->Find(guard, *session_, 0, AsBytes(asked));
      if (!hit) return;
      if (hit.cooling) {
        cache_->Rescue(guard, 0, AsBytes(asked), hit);
      } else if (i % 20 == 0 && cache_->exposure().TryExpose(guard, hit.segment, true)) {
        cache_->arena().Unexpose(hit.segment);
      }
    });
    if (i % 10 == 0) Touch(0, Numbered("later", old % 400), InAnHourUs());
    if (i % 100 == 0) CheckInvariants();
  }
  for (uint64_t i = 0; i < 1600; ++i) Set(one_, Numbered("tiny", i), "v");
  CheckInvariants();
  CheckAll();
  const bool cleared = Call("Clear", [&] { cache_->Clear(); });
  if (cleared) {
    oracle_.clear();
  } else {
    for (const auto& [key, values] : oracle_) may_be_missing_.insert(key);
  }
  CheckInvariants();
  CheckAll();
}

void Script::Close() {
  // Whatever happened: a cache that is cleared is empty, all of it is free, and it works.
  cache_->Clear();
  testing::Settle(*cache_);
  const CacheUsage usage = cache_->Usage();
  Require(usage.entries == 0 && usage.indexed == 0, "entries are left after Clear");
  Require(usage.free_segments == usage.segments, "segments are lost");
  Require(usage.index_bytes < kMiB, "the index' bytes are counted wrongly");
  oracle_.clear();
  may_be_missing_.clear();
  evicts_ = false;
  for (uint64_t i = 0; i < 100; ++i) Set(two_, Numbered("key", i), Filled(Numbered("v", i), 2000), "tag");
  CheckAll();
  const size_t tagged = cache_->EntriesOf(two_);
  Require(cache_->DeleteByTag(*session_, two_, "tag") == tagged, "tags do not work any more");
  const bool parted = Call("Part", [&] { cache_->Part(session_.get()); });
  Require(parted, "Part threw: destructors and cleanup hooks call it");
  if (!parted) cache_->Part(session_.get());
  session_.reset();
  Call("Usage", [&] { cache_->Usage(); });
  cache_.reset();
}

// The key has one of the values that it may have.
void Script::CheckKey(const Key& key) {
  ReadGuard guard(cache_->epochs(), *session_);
  const Hit hit = cache_->Find(guard, *session_, key.first, AsBytes(key.second), Cache::Use::kPeek);
  const std::vector<Value>& values = oracle_[key];
  if (!hit) {
    Require(evicts_ || may_be_missing_.contains(key), "a key is lost");
    return;
  }
  const std::string_view seen(reinterpret_cast<const char*>(cache_->arena().bytes() + hit.at), hit.bytes);
  Require(std::any_of(values.begin(), values.end(), [&](const Value& value) { return value.bytes == seen; }),
          "a key has another's value, or a torn one");
}

void Script::CheckAll() {
  for (const auto& [key, values] : oracle_) CheckKey(key);
}

void Script::CheckInvariants() {
  const CacheUsage usage = cache_->Usage();
  size_t live = 0;
  for (uint32_t index = 0; index < cache_->arena().segment_count(); ++index) {
    const Segment& segment = cache_->arena().segment(index);
    live += segment.live_entries.load();
    Require(segment.writers.load() == 0, "a writer is left behind");
  }
  Require(live == usage.indexed, "the index and the segments' counts differ");
  Require(usage.index_bytes < kMiB, "the index' bytes are counted wrongly");
  size_t entries = 0;
  for (size_t space = 0; space < cache_->space_count(); ++space) {
    size_t keys = 0;
    for (size_t shard = 0; shard < Index::kShards; ++shard) {
      keys += cache_->Scan(*session_, shard, static_cast<uint16_t>(space)).size();
    }
    Require(keys == cache_->EntriesOf(static_cast<uint16_t>(space)), "a keyspace's count is not that of its keys");
    entries += keys;
  }
  Require(entries == usage.entries, "the entries' count is not that of the keys");
}

void RefuseEach(bool lasting) {
  const uint64_t only = check::FromEnvironment("ZEROHOP_FAILURE_AT", UINT64_MAX);
  if (only != UINT64_MAX) {
    Script({only, lasting}).Run();
    return;
  }
  const uint64_t stride = check::FromEnvironment("ZEROHOP_FAILURE_STRIDE", ZEROHOP_FAILURE_STRIDE);
  check::Random random(check::Seed());
  uint64_t tried = 0;
  for (uint64_t granted = random.Below(stride);; granted += 1 + random.Below(2 * stride - 1), ++tried) {
    if (Script({granted, lasting}).Run()) break;
  }
  CHECK(tried > 300 / stride);
}

}  // namespace

TEST(Allocation, NothingIsRefusedWhenNothingIsToBe) {
  Script script({UINT64_MAX, false});
  CHECK(script.Run());
  CHECK(script.requests() > 300);
}

TEST(Allocation, EveryOneMayFail) { RefuseEach(/*lasting=*/false); }

TEST(Allocation, EveryOneAndAllThatFollowInTheSameCallMayFail) { RefuseEach(/*lasting=*/true); }

// A reader is in the middle of a bucket when another thread's set finds no memory to keep the array for it.
TEST(Allocation, AReaderKeepsTheArrayItWalksWhateverIsRefusedWhileTheIndexGrows) {
  for (uint64_t granted = 0; granted < 8; ++granted) {
    EpochDomain epochs;
    Index index(epochs);
    EpochRecord reader;
    epochs.Add(&reader);
    for (uint64_t at = 0; at < 64; at += 8) CHECK(index.Upsert(0, at, [](uint64_t) { return false; }).stored);
    epochs.Enter(reader);
    uint64_t offered = 0;
    index.Find(0, [&](uint64_t) {
      if (offered++ > 0) return false;
      const Refusal refusal(granted, /*lasting=*/true);
      try {
        for (uint64_t at = 64; at < 512; at += 8) {
          if (!index.Upsert(0, at, [](uint64_t) { return false; }).stored) break;
        }
      } catch (const std::bad_alloc&) {
      }
      return false;  // and goes on in the same array: AddressSanitizer watches
    });
    EpochDomain::Leave(reader);
    CHECK(offered >= 8);
    // Nothing is lost, and it grows when there is memory again.
    for (uint64_t at = 1000; at < 2000; at += 8) {
      CHECK(index.Upsert(0, at, [](uint64_t) { return false; }).stored);
    }
    for (uint64_t at = 0; at < 64; at += 8) {
      CHECK(index.Find(0, [at](uint64_t each) { return each == at; }).has_value());
    }
    size_t visited = 0;
    for (size_t shard = 0; shard < Index::kShards; ++shard) {
      index.VisitShard(shard, [&](uint64_t, AccessState) { ++visited; });
    }
    CHECK_EQ(visited, index.size());
    epochs.Remove(&reader);
    index.Tidy();
  }
}

}  // namespace zerohop
