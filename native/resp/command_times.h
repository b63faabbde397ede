// command_times.h: how long the commands of a worker took: a histogram for each command that was measured.
//
// Brief commands are measured now and then (dispatch.cc), and such a time stands for all between.  Unlike the counts
// for INFO, these are never reset: metrics must not fall.
//
// Threads  the worker's own; others read with the server's lock held exclusively
// Limits   9.5 KiB for each command that a worker ran; if there is no memory for it, its times are lost
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "base/histogram.h"

namespace zerohop::resp {

class CommandTimes {
 public:
  explicit CommandTimes(size_t commands) : of_command_(commands) {}

  // `weight`: how many calls it stands for.
  void Record(size_t command, uint64_t us, uint64_t weight) noexcept {
    std::unique_ptr<Histogram>& times = of_command_[command];
    if (times == nullptr) times.reset(new (std::nothrow) Histogram());
    if (times != nullptr) times->Record(us * 1000, weight);
  }

  // Null: it was not measured yet.
  const Histogram* Of(size_t command) const { return of_command_[command].get(); }

 private:
  std::vector<std::unique_ptr<Histogram>> of_command_;  // by Command::index
};

}  // namespace zerohop::resp
