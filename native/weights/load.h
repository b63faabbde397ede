// load.h: reads a file into memory at the speed of the device.  Several threads make large reads.  A mapping would
// fault its pages in one by one.
//
// Each thread calls `go_on(bytes)` now and then, with the number of bytes read since its last call.  False ends the
// work with kClosed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/status.h"
#include "weights/mapped_file.h"

namespace zerohop {

using GoOn = std::function<bool(uint64_t bytes)>;

// Reads the ranges into the page cache of the system.  Does nothing if the file is not mapped.
Status WarmFile(const MappedFile& file, std::span<const FileRange> ranges, unsigned threads, const GoOn& go_on);

// Reads all of a file that is not mapped into its memory.  kClosed: the pages were discarded meanwhile, and are zeros.
// REQUIRES: !file.mapped(), and nobody reads the memory yet.
Status LoadFile(const MappedFile& file, unsigned threads, const GoOn& go_on);

}  // namespace zerohop
