// load.h: a file's bytes into memory, at the device's speed: large reads by several threads, where faults of a mapping
// would come one by one.
//
// `go_on(bytes)` is asked now and then, from any of the threads, with what was read since; false ends it with kClosed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/status.h"
#include "weights/mapped_file.h"

namespace zerohop {

using GoOn = std::function<bool(uint64_t bytes)>;

// Into the system's page cache.  Returns when all ranges were read; nothing is to be done where the file is not mapped.
Status WarmFile(const MappedFile& file, std::span<const FileRange> ranges, unsigned threads, const GoOn& go_on);

// Into the memory of a file that is not mapped, all of it.  kClosed: the pages were discarded meanwhile; zeros are
// left. REQUIRES: !file.mapped(), and nobody looks at it yet.
Status LoadFile(const MappedFile& file, unsigned threads, const GoOn& go_on);

}  // namespace zerohop
