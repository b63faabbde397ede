// reference.h: the caches that zerohop is compared with, played with dense ids of unit size: no keys, no bytes.
//
// Each has `bool Request(uint32_t id)`: true on a hit; a miss is stored, if the policy admits it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

namespace simulator {

inline uint64_t HashOfId(uint64_t id) {  // splitmix64
  id += 0x9e3779b97f4a7c15u;
  id = (id ^ id >> 30) * 0xbf58476d1ce4e5b9u;
  id = (id ^ id >> 27) * 0x94d049bb133111ebu;
  return id ^ id >> 31;
}

class Fifo {
 public:
  Fifo(uint32_t ids, uint32_t capacity) : in_(ids), ring_(capacity, kNone) {}
  bool Request(uint32_t id) {
    if (in_[id]) return true;
    if (ring_[at_] != kNone) in_[ring_[at_]] = false;
    ring_[at_] = id;
    in_[id] = true;
    at_ = at_ + 1 == ring_.size() ? 0 : at_ + 1;
    return false;
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  std::vector<bool> in_;
  std::vector<uint32_t> ring_;
  size_t at_ = 0;
};

// Doubly linked through arrays by id, so that nothing is allocated.
class List {
 public:
  explicit List(std::vector<std::pair<uint32_t, uint32_t>>& links, uint32_t head) : links_(links), head_(head) {
    links_[head_] = {head_, head_};
  }
  void PushFront(uint32_t id) {
    const uint32_t next = links_[head_].second;
    links_[id] = {head_, next};
    links_[head_].second = id;
    links_[next].first = id;
    ++size_;
  }
  void Remove(uint32_t id) {
    const auto [previous, next] = links_[id];
    links_[previous].second = next;
    links_[next].first = previous;
    --size_;
  }
  uint32_t Back() const { return links_[head_].first; }
  size_t size() const { return size_; }

 private:
  std::vector<std::pair<uint32_t, uint32_t>>& links_;
  const uint32_t head_;
  size_t size_ = 0;
};

class Lru {
 public:
  Lru(uint32_t ids, uint32_t capacity) : capacity_(capacity), in_(ids), links_(ids + 1), list_(links_, ids) {}
  bool Request(uint32_t id) {
    const bool hit = in_[id];
    if (hit) {
      list_.Remove(id);
    } else if (list_.size() == capacity_) {
      const uint32_t victim = list_.Back();
      list_.Remove(victim);
      in_[victim] = 0;
    }
    list_.PushFront(id);
    in_[id] = 1;
    return hit;
  }

 private:
  const uint32_t capacity_;
  std::vector<uint8_t> in_;
  std::vector<std::pair<uint32_t, uint32_t>> links_;
  List list_;
};

// S3-FIFO [Yang et al., SOSP 2023]: a small queue of a tenth, a main queue, a ghost queue as long as the main one.
class S3Fifo {
 public:
  S3Fifo(uint32_t ids, uint32_t capacity)
      : small_max_(std::max(1u, capacity / 10)),
        main_max_(capacity - std::min<size_t>(capacity - 1, small_max_)),
        state_(ids),
        uses_(ids),
        links_(ids + 3),
        small_(links_, ids),
        main_(links_, ids + 1),
        ghost_(links_, ids + 2) {}
  bool Request(uint32_t id) {
    if (state_[id] == kSmall || state_[id] == kMain) {
      if (uses_[id] < 3) ++uses_[id];
      return true;
    }
    const bool known = state_[id] == kGhost;
    if (known) ghost_.Remove(id);
    while (small_.size() + main_.size() >= small_max_ + main_max_) Evict();
    uses_[id] = 0;
    state_[id] = known ? kMain : kSmall;
    (known ? main_ : small_).PushFront(id);
    return false;
  }

 private:
  enum State : uint8_t { kOut, kSmall, kMain, kGhost };
  void Evict() {
    if (small_.size() < small_max_ && main_.size() > 0) return EvictMain();
    const uint32_t id = small_.Back();
    small_.Remove(id);
    if (uses_[id] > 1) {
      uses_[id] = 0;
      state_[id] = kMain;
      main_.PushFront(id);
      if (main_.size() > main_max_) EvictMain();
      return;
    }
    state_[id] = kGhost;
    ghost_.PushFront(id);
    if (ghost_.size() > main_max_) {
      const uint32_t oldest = ghost_.Back();
      ghost_.Remove(oldest);
      state_[oldest] = kOut;
    }
  }
  void EvictMain() {
    for (;;) {
      const uint32_t id = main_.Back();
      main_.Remove(id);
      if (uses_[id] == 0) {
        state_[id] = kOut;
        return;
      }
      --uses_[id];
      main_.PushFront(id);
    }
  }
  const size_t small_max_, main_max_;
  std::vector<State> state_;
  std::vector<uint8_t> uses_;
  std::vector<std::pair<uint32_t, uint32_t>> links_;
  List small_, main_, ghost_;
};

// W-TinyLFU [Einziger et al., ACM TOS 2017]: a window of 1 %, then a segmented LRU that admits by frequency.
class WTinyLfu {
 public:
  WTinyLfu(uint32_t ids, uint32_t capacity)
      : window_max_(std::max(1u, capacity / 100)),
        protected_max_((capacity - std::min<size_t>(capacity - 1, window_max_)) * 4 / 5),
        main_max_(capacity - std::min<size_t>(capacity - 1, window_max_)),
        mask_(ColumnsFor(capacity) - 1),
        counters_(4 * (size_t{mask_} + 1)),
        sample_(uint64_t{capacity} * 10),
        state_(ids),
        links_(ids + 3),
        window_(links_, ids),
        probation_(links_, ids + 1),
        protected_(links_, ids + 2) {}
  bool Request(uint32_t id) {
    Count(id);
    switch (state_[id]) {
      case kWindow:
        window_.Remove(id);
        window_.PushFront(id);
        return true;
      case kProtected:
        protected_.Remove(id);
        protected_.PushFront(id);
        return true;
      case kProbation:
        probation_.Remove(id);
        protected_.PushFront(id);
        state_[id] = kProtected;
        if (protected_.size() > protected_max_) Demote();
        return true;
      case kOut: break;
    }
    window_.PushFront(id);
    state_[id] = kWindow;
    if (window_.size() <= window_max_) return false;
    const uint32_t candidate = window_.Back();
    window_.Remove(candidate);
    if (probation_.size() + protected_.size() >= main_max_) {
      if (probation_.size() == 0) Demote();
      const uint32_t victim = probation_.Back();
      if (Estimate(candidate) <= Estimate(victim)) {
        state_[candidate] = kOut;
        return false;
      }
      probation_.Remove(victim);
      state_[victim] = kOut;
    }
    probation_.PushFront(candidate);
    state_[candidate] = kProbation;
    return false;
  }

 private:
  enum State : uint8_t { kOut, kWindow, kProbation, kProtected };
  static uint32_t ColumnsFor(uint32_t capacity) {
    uint32_t columns = 64;
    while (columns < capacity * 2ull) columns *= 2;
    return columns;
  }
  uint8_t& Counter(uint32_t id, uint32_t row) {
    return counters_[row * (size_t{mask_} + 1) + (HashOfId(id * 4ull + row) & mask_)];
  }
  void Demote() {
    const uint32_t id = protected_.Back();
    protected_.Remove(id);
    probation_.PushFront(id);
    state_[id] = kProbation;
  }
  void Count(uint32_t id) {
    for (uint32_t row = 0; row < 4; ++row) {
      uint8_t& counter = Counter(id, row);
      if (counter < 15) ++counter;
    }
    if (++counted_ < sample_) return;
    for (uint8_t& counter : counters_) counter /= 2;
    counted_ /= 2;
  }
  uint32_t Estimate(uint32_t id) {
    uint32_t least = 15;
    for (uint32_t row = 0; row < 4; ++row) least = std::min<uint32_t>(least, Counter(id, row));
    return least;
  }
  const size_t window_max_, protected_max_, main_max_;
  const uint32_t mask_;
  std::vector<uint8_t> counters_;
  const uint64_t sample_;
  uint64_t counted_ = 0;
  std::vector<State> state_;
  std::vector<std::pair<uint32_t, uint32_t>> links_;
  List window_, probation_, protected_;
};

// The optimum [Belady 1966], which knows the future: `next[i]` is when the id of request i is asked for again.
class Belady {
 public:
  Belady(uint32_t ids, uint32_t capacity, const uint32_t* trace, size_t length)
      : capacity_(capacity), next_(length), at_(ids, kNever) {
    std::vector<uint32_t> later(ids, kNever);
    for (size_t i = length; i-- > 0;) next_[i] = std::exchange(later[trace[i]], static_cast<uint32_t>(i));
  }
  bool Request(uint32_t id) {
    const uint32_t next = next_[i_++];
    const bool hit = in_.erase({at_[id], id}) > 0;
    if (!hit && in_.size() == capacity_) {
      // Not stored, if all others are asked for earlier.
      if (next >= in_.rbegin()->first) {
        at_[id] = kNever;
        return false;
      }
      in_.erase(std::prev(in_.end()));
    }
    at_[id] = next;
    in_.insert({next, id});
    return hit;
  }

 private:
  static constexpr uint32_t kNever = UINT32_MAX;
  const size_t capacity_;
  size_t i_ = 0;
  std::vector<uint32_t> next_, at_;
  std::set<std::pair<uint32_t, uint32_t>> in_;
};

// GreedyDual-Size-Frequency [Cherkasova 1998]: by frequency x cost / size, plus what the last victim had.
class Gdsf {
 public:
  Gdsf(uint32_t ids, uint64_t bytes_max, const float* costs, const uint32_t* sizes)
      : bytes_max_(bytes_max), costs_(costs), sizes_(sizes), priority_(ids, -1), uses_(ids) {}
  bool Request(uint32_t id) {
    const bool hit = priority_[id] >= 0;
    if (hit) {
      by_priority_.erase({priority_[id], id});
    } else {
      uses_[id] = 0;
      while (bytes_ + sizes_[id] > bytes_max_ && !by_priority_.empty()) {
        const auto [priority, victim] = *by_priority_.begin();
        by_priority_.erase(by_priority_.begin());
        inflation_ = priority;
        priority_[victim] = -1;
        bytes_ -= sizes_[victim];
      }
      bytes_ += sizes_[id];
    }
    priority_[id] = inflation_ + static_cast<double>(++uses_[id]) * costs_[id] / sizes_[id];
    by_priority_.insert({priority_[id], id});
    return hit;
  }

 private:
  const uint64_t bytes_max_;
  const float* const costs_;
  const uint32_t* const sizes_;
  uint64_t bytes_ = 0;
  double inflation_ = 0;
  std::vector<double> priority_;
  std::vector<uint32_t> uses_;
  std::set<std::pair<double, uint32_t>> by_priority_;
};

}  // namespace simulator
