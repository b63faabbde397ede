// key_table.h: who wants to hear of which key: for every key a few values, asked for at every write.
//
// The keys are spread over stripes with a lock each.  Whoever looks up a key in an empty stripe takes no lock, so a
// write costs a fence and a load while few keys are in the table.
//
// What is added before an entry is looked up is seen by every write that the lookup did not see: Add ends with a fence,
// and a lookup in here begins with one.
//
// Threads  any.  The stripes' locks are leaves: nothing is called under them but what `Each` is given.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/constants.h"
#include "base/hash.h"
#include "base/mutex.h"
#include "base/random.h"

namespace zerohop::resp {

template <class Value>
class KeyTable {
 public:
  // False if the key has the value already.
  bool Add(std::string_view key, const Value& value) {
    const bool added = AddTo(StripeOf(key), key, value);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return added;
  }

  // False if it had not.
  bool Remove(std::string_view key, const Value& value) {
    Stripe& stripe = StripeOf(key);
    MutexLock lock(stripe.mutex);
    const auto found = stripe.values_of.find(key);
    if (found == stripe.values_of.end()) return false;
    std::vector<Value>& values = found->second;
    const auto at = std::find(values.begin(), values.end(), value);
    if (at == values.end()) return false;
    values.erase(at);
    items_.fetch_sub(1, std::memory_order_relaxed);
    if (values.empty()) Erase(stripe, found);
    return true;
  }

  // The key's values, which leave the table with it.
  std::vector<Value> Take(std::string_view key) {
    Stripe& stripe = StripeOf(key);
    if (LooksEmpty(stripe)) return {};
    MutexLock lock(stripe.mutex);
    const auto found = stripe.values_of.find(key);
    if (found == stripe.values_of.end()) return {};
    return Extract(stripe, found);
  }

  // Calls `visit(value)` for each value of the key.  REQUIRES: it does not call the table.
  template <class Visit>
  void Each(std::string_view key, Visit visit) {
    Stripe& stripe = StripeOf(key);
    if (LooksEmpty(stripe)) return;
    MutexLock lock(stripe.mutex);
    const auto found = stripe.values_of.find(key);
    if (found == stripe.values_of.end()) return;
    for (Value& value : found->second) visit(value);
  }

  // The same for all keys: `visit(key, value)`.
  template <class Visit>
  void EachOfAll(Visit visit) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    for (Stripe& stripe : stripes_) {
      MutexLock lock(stripe.mutex);
      for (auto& [key, values] : stripe.values_of) {
        for (Value& value : values) visit(std::string_view(key), value);
      }
    }
  }

  // Some key with its values, which leave the table; none if the table is empty.
  std::optional<std::pair<std::string, std::vector<Value>>> TakeRandom(uint64_t& random) {
    const size_t first = NextRandom(random) >> 40;
    for (size_t i = 0; i < kStripes; ++i) {
      Stripe& stripe = stripes_[(first + i) % kStripes];
      if (LooksEmpty(stripe)) continue;
      MutexLock lock(stripe.mutex);
      if (stripe.values_of.empty()) continue;
      size_t bucket = (NextRandom(random) >> 24) % stripe.values_of.bucket_count();
      while (stripe.values_of.bucket_size(bucket) == 0) bucket = (bucket + 1) % stripe.values_of.bucket_count();
      std::string key = stripe.values_of.begin(bucket)->first;
      std::vector<Value> values = Extract(stripe, stripe.values_of.find(key));
      return std::pair(std::move(key), std::move(values));
    }
    return std::nullopt;
  }

  void Clear() {
    for (Stripe& stripe : stripes_) {
      MutexLock lock(stripe.mutex);
      while (!stripe.values_of.empty()) Extract(stripe, stripe.values_of.begin());
    }
  }

  // Before anything else is done for a lookup.
  bool LooksEmpty() const {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return keys() == 0;
  }
  size_t keys() const { return keys_.load(std::memory_order_relaxed); }
  size_t items() const { return items_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kStripes = 256;

  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return SipHash13(ProcessHashKey(), key.data(), key.size()); }
  };
  using Map = std::unordered_map<std::string, std::vector<Value>, Hash, std::equal_to<>>;
  struct alignas(kCacheLineBytes) Stripe {
    Mutex mutex;
    std::atomic<size_t> keys{0};
    Map values_of GUARDED_BY(mutex);
  };

  // By bits that the stripe's own map makes little use of.
  Stripe& StripeOf(std::string_view key) { return stripes_[(Hash{}(key) >> 48) % kStripes]; }

  static bool LooksEmpty(const Stripe& stripe) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return stripe.keys.load(std::memory_order_relaxed) == 0;
  }

  bool AddTo(Stripe& stripe, std::string_view key, const Value& value) {
    MutexLock lock(stripe.mutex);
    auto found = stripe.values_of.find(key);
    if (found == stripe.values_of.end()) {
      found = stripe.values_of.emplace(std::string(key), std::vector<Value>()).first;
      stripe.keys.fetch_add(1, std::memory_order_relaxed);
      keys_.fetch_add(1, std::memory_order_relaxed);
    }
    std::vector<Value>& values = found->second;
    if (std::find(values.begin(), values.end(), value) != values.end()) return false;
    values.push_back(value);
    items_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }

  std::vector<Value> Extract(Stripe& stripe, typename Map::iterator found) REQUIRES(stripe.mutex) {
    std::vector<Value> values = std::move(found->second);
    items_.fetch_sub(values.size(), std::memory_order_relaxed);
    Erase(stripe, found);
    return values;
  }

  void Erase(Stripe& stripe, typename Map::iterator found) REQUIRES(stripe.mutex) {
    stripe.values_of.erase(found);
    stripe.keys.fetch_sub(1, std::memory_order_relaxed);
    keys_.fetch_sub(1, std::memory_order_relaxed);
  }

  std::array<Stripe, kStripes> stripes_;
  std::atomic<size_t> keys_{0}, items_{0};
};

}  // namespace zerohop::resp
