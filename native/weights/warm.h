// warm.h: parts of a file into the system's page cache, at the device's speed: large reads by several threads, where
// faults of a mapping would come one by one.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/status.h"
#include "weights/mapped_file.h"

namespace zerohop {

struct FileRange {
  uint64_t begin, end;
};

// Returns when all of them were read.  `go_on(bytes)` as of DigestOfFile.
Status WarmFile(const MappedFile& file, std::span<const FileRange> ranges, unsigned threads,
                const std::function<bool(uint64_t)>& go_on);

}  // namespace zerohop
