// collector.h: when an isolate's garbage is collected, so that unused buffers give their segments back.
//
//   young    a collection of the young generation, where buffers come back with it (Backend::kShared).  It is cheap, so
//   it
//            is refused only for a while after one that freed no buffer.
//   whole    a collection of the whole heap: V8 is told of so much external memory that it collects at once.  It takes
//   at
//            most 1 % of the time.
//   planned  evictions want a collection.  A buffer that a view uses at that moment would survive and grow old.  So
//   some
//            hits are copies first, until views that are held briefly are gone (D4 in docs/DECISIONS.md).
//   asked    a store of another thread waits for memory (cache/collection_ladder.h)
//   account  the external memory that V8 is told of: what released buffers hold.  No more is taken off than was added.
//
// Threads  the environment's, except Ask.  Collections run in here: under no lock, and under no ReadGuard.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "binding/exposure.h"
#include "cache/buffer_holder.h"

namespace zerohop::binding {

class Isolate;
class Membership;

class Collector {
 public:
  explicit Collector(Isolate& isolate) : isolate_(isolate) {}
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // Once, when the isolate's backend is known.
  void Watch();

  // Called at the start of every call.  Each takes one load if there is nothing to do.
  void HeedCollection() {
    if (collections_->load(std::memory_order_relaxed) != seen_collections_) [[unlikely]]
      Collected();
  }
  void HeedPlan() {
    if (quiet_calls_ == 0) [[likely]]
      return;
    if (--quiet_calls_ == 0 || quiet_hits_ == 0) CollectAsPlanned();
  }
  // Whether hits are copies, because a collection is planned.
  bool quiet() const { return quiet_calls_ != 0; }
  void CountQuietHit() {
    if (quiet_hits_ > 0) --quiet_hits_;
  }

  // True if it ran.
  bool CollectYoung();
  bool CollectWhole();

  // Plans the collection that evictions want, where this membership's buffers are concerned.
  void Plan(Membership& membership);

  // A store of another thread waits for a collection.  Any thread, while a membership of this isolate is in its cache's
  // list.
  void Ask(CollectionNeed need);
  void CollectAsAsked();

  // Tells V8 how many bytes released buffers hold now.  V8 may collect garbage.
  void Account();
  bool accounted() const { return accounted_bytes_ > 0; }
  // Keeps counting the buffers of a membership that ends, until V8 has freed them.
  void KeepAccountOf(std::shared_ptr<ExposureTally> tally, size_t segment_bytes);

 private:
  using Clock = std::chrono::steady_clock;

  void Collected();
  void CollectAsPlanned();
  uint32_t SeenSegments() const;
  uint64_t PendingBytes();

  Isolate& isolate_;

  std::shared_ptr<std::atomic<uint32_t>> collections_ = std::make_shared<std::atomic<uint32_t>>(0);
  uint32_t seen_collections_ = 0;
  Clock::time_point next_young_{};
  Clock::time_point next_whole_{};

  CollectionNeed planned_ = CollectionNeed::kNothing;
  uint32_t quiet_calls_ = 0;  // left
  uint32_t quiet_hits_ = 0;   // left

  std::atomic<CollectionNeed> asked_{CollectionNeed::kNothing};

  struct Departed {
    std::shared_ptr<ExposureTally> tally;
    size_t segment_bytes;
  };
  std::vector<Departed> departed_;
  int64_t accounted_bytes_ = 0;  // what we have added to V8's account and not yet taken off
};

}  // namespace zerohop::binding
