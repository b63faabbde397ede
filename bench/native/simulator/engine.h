// engine.h: the whole engine behind the interface of the simulated caches: arena, segments, index, evictor.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "cache/cache.h"
#include "reference.h"

namespace simulator {

class Engine {
 public:
  struct Setup {
    zerohop::CacheOptions options;
    uint32_t value_bytes = 0;  // of every value, where `sizes` says nothing
    const float* costs = nullptr;
    const uint32_t* sizes = nullptr;  // of entries
  };

  // Room for `capacity` entries in about `segments` segments, and beside it for the index and the policy, which the
  // simulated caches have outside of their capacity, too.
  static Setup OfEqualEntries(uint32_t capacity, uint32_t segments) {
    // At least nine entries to a segment: larger ones would count as large values.
    const uint32_t in_segment = std::max(9u, capacity / segments);
    const uint32_t count = std::max(1u, capacity / in_segment);
    Setup setup;
    size_t segment_bytes = size_t{64} << 10;
    size_t entry_bytes = 0;
    for (;; segment_bytes *= 2) {
      entry_bytes = segment_bytes / in_segment / 64 * 64;
      if (entry_bytes >= 384 && segment_bytes / entry_bytes == in_segment) break;
    }
    setup.value_bytes = static_cast<uint32_t>(entry_bytes - 64);  // a value of 256 bytes or more starts on a cache line
    const size_t beside = size_t{capacity} * (18 + 48) + (size_t{96} << 10);
    setup.options.segment_bytes = segment_bytes;
    setup.options.max_bytes =
        std::max(zerohop::kMaxBytesMin, (count + (beside + segment_bytes - 1) / segment_bytes) * segment_bytes);
    return setup;
  }

  explicit Engine(Setup setup)
      : setup_(std::move(setup)), value_(setup_.sizes != nullptr ? 1 << 17 : setup_.value_bytes) {
    setup_.options.verify = zerohop::Verify::kOff;
    auto made = zerohop::Cache::Create(setup_.options);
    if (!made.ok()) std::abort();
    cache_ = std::move(made.value());
    cache_->Join(&session_);
  }
  ~Engine() { cache_->Part(&session_); }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  bool Request(uint32_t id) {
    const uint64_t key = HashOfId(id);
    const zerohop::Bytes bytes(reinterpret_cast<const std::byte*>(&key), sizeof(key));
    {
      zerohop::ReadGuard guard(cache_->epochs(), session_);
      if (cache_->Find(guard, session_, 0, bytes)) return true;
    }
    zerohop::StoreOptions of_entry;
    if (setup_.costs != nullptr) of_entry.cost = setup_.costs[id];
    const size_t size = setup_.sizes != nullptr ? setup_.sizes[id] : setup_.value_bytes;
    cache_->Set(session_, 0, bytes, zerohop::Bytes(value_.data(), size), of_entry);
    return false;
  }

  double CopiedPerStored() const {
    const zerohop::CacheUsage usage = cache_->Usage();
    const auto count = [&](zerohop::Count which) {
      return static_cast<double>(usage.counts[static_cast<size_t>(which)]);
    };
    return count(zerohop::Count::kCopiedForwardBytes) / std::max(1.0, count(zerohop::Count::kStoredBytes));
  }

 private:
  Setup setup_;
  std::vector<std::byte> value_;
  zerohop::Session session_;
  std::unique_ptr<zerohop::Cache> cache_;
};

}  // namespace simulator
