// actor.h: one thread of the model: keys of its own, which it knows exactly; keys it shares; and what it remembers, as
// an isolate would: views, and answers of a near cache.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cache/client.h"
#include "check.h"
#include "model/oracle.h"

namespace zerohop::model {

struct Plan {
  size_t max_bytes;
  Verify verify;
  uint64_t threads;
  uint64_t keys;  // of each thread
  size_t small_bytes_max;
  uint64_t large_one_in;         // sets
  size_t views_max = 200;        // held by each thread
  uint64_t refused_one_in = 20;  // operations, at most
  size_t max_entries = SIZE_MAX;
};

class Actor {
 public:
  // `spaces`: of the keys of its own; the last one is for the shared ones.
  Actor(Cache& cache, const Plan& plan, uint64_t number, const std::vector<uint16_t>& spaces, SharedKeys& shared)
      : client_(cache),
        plan_(plan),
        number_(number),
        spaces_(spaces.begin(), spaces.end() - 1),
        shared_space_(spaces.back()),
        shared_(shared),
        random_(check::Seed() * 31 + number) {}

  void Act();
  void CompareViews() const {
    for (const testing::View& view : views_) CHECK(view.Unchanged());
  }
  void DropViews() { views_.clear(); }
  std::deque<testing::View> TakeViews() { return std::move(views_); }
  uint64_t hits() const { return hits_; }
  uint64_t near_hits() const { return near_hits_; }
  uint64_t refused() const { return refused_; }
  uint64_t stored_if() const { return stored_if_; }

 private:
  static constexpr uint32_t kTags = 6;  // of its own

  // The space follows from the key, and is no part of it.
  uint16_t SpaceOf(uint64_t key) const { return spaces_[key % spaces_.size()]; }
  std::string NameOf(uint64_t key) const;
  std::optional<uint64_t> KeyOf(const std::string& name, size_t space) const;
  std::string TagOf(uint32_t tag) const { return testing::Numbered(testing::Numbered("tag", number_), tag); }
  uint64_t SomeKey() { return random_.Below(random_.OneIn(2) ? plan_.keys : plan_.keys / 10); }
  uint64_t SomeBytes();
  uint64_t SomeEnd();
  Known* Of(uint64_t key);

  // Keys of its own.
  void Set(uint64_t key);
  void SetIf(uint64_t key);
  void Get(uint64_t key);
  void GetMany(uint64_t key);
  void NearGet(uint64_t key);
  void Describe(uint64_t key);
  void Has(uint64_t key);
  void Touch(uint64_t key);
  void Delete(uint64_t key);
  void Expose(uint64_t key);
  void DeleteByTag();
  void Scan();
  void ActOnAll();
  void Found(uint64_t key, std::string_view value);
  void Missed(uint64_t key);
  template <class Condition>
  void Forget(Condition condition) {
    std::erase_if(oracle_, [&](const auto& each) { return condition(each.first, each.second); });
  }

  // Shared ones.
  void ActOnShared();
  void SetShared(size_t key);
  void GetShared(size_t key);
  void ClearShared(bool by_tag);
  void ActAlone();
  uint64_t VersionOf(size_t key, std::string_view value);

  void Hold(testing::View view);
  void ReleaseViews();
  void CheckNotTooMany();

  struct Remembered {
    Cache::VersionMark mark;
    uint32_t notice;
    Origin origin;
    uint64_t expires_us;
  };

  testing::Client client_;
  const Plan plan_;
  const uint64_t number_;
  const std::vector<uint16_t> spaces_;
  const uint16_t shared_space_;
  SharedKeys& shared_;
  check::Random random_;
  std::unordered_map<uint64_t, Known> oracle_;
  std::unordered_map<uint64_t, Remembered> near_;
  std::deque<testing::View> views_;
  std::string value_;  // scratch
  uint64_t version_ = 0, hits_ = 0, near_hits_ = 0, refused_ = 0, stored_if_ = 0;
};

}  // namespace zerohop::model
