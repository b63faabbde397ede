// run_times.h: how long the runs of models took, for each keyspace: a model has a keyspace of its own.
//
// Threads  any.  A keyspace's histogram is made by whoever records first, and lives as long as the cache.
// Limits   one histogram of 9.5 KiB for each keyspace whose model ran; if there is no memory for it, its times are lost
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "base/histogram.h"
#include "cache/spaces.h"

namespace zerohop {

class RunTimes {
 public:
  RunTimes() = default;
  RunTimes(const RunTimes&) = delete;
  RunTimes& operator=(const RunTimes&) = delete;
  ~RunTimes() {
    for (size_t space = 0; space < Spaces::kSpacesMax; ++space) delete of_space_[space].load(std::memory_order_relaxed);
  }

  void Record(uint16_t space, uint64_t ns) noexcept {
    std::atomic<Histogram*>& place = of_space_[space];
    Histogram* known = place.load(std::memory_order_acquire);
    if (known == nullptr) {
      auto* const made = new (std::nothrow) Histogram();
      if (made == nullptr) return;
      if (place.compare_exchange_strong(known, made, std::memory_order_acq_rel)) {
        known = made;
      } else {
        delete made;  // another thread was first
      }
    }
    known->Record(ns);
  }

  // Null: no run yet.
  const Histogram* Of(uint16_t space) const { return of_space_[space].load(std::memory_order_acquire); }

 private:
  const std::unique_ptr<std::atomic<Histogram*>[]> of_space_ { new std::atomic<Histogram*>[ Spaces::kSpacesMax ]() };
};

}  // namespace zerohop
