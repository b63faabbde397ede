// gguf_split.h: a model in several GGUF files, <model>-00001-of-00005.gguf and the others: what a file's header says of
// its place among them, and what the others are called.
//
//   split.no             UINT16   the file's number, from 0
//   split.count          UINT16   how many files there are.  0 or 1: the model is in one file.  The tool that merges
//                                 files leaves 0 behind
//   split.tensors.count  INT32    tensors of all files
//
// Threads  any: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/gguf.h"
#include "weights/tensor.h"

namespace zerohop {

// The file's place among several; none if the model is in one file.  `header` has its metadata, all of which lies in
// `head`.  `tensors`: how many this file has.  ERR_WEIGHTS_SPLIT if the values contradict each other or have other
// types than those above.
Parsed<std::optional<GgufSplit>> ReadGgufSplit(std::span<const std::byte> head, const GgufHeader& header,
                                               uint64_t tensors);

// The names of all files, in the order of GgufSplit::index; the given one is among them.  ERR_WEIGHTS_SPLIT if the name
// is not of this form, or is more than the name of a file: no name made from it leads out of the folder.  The refusal's
// offset is one in the name.
Parsed<std::vector<std::string>> GgufSplitNames(std::string_view basename);

}  // namespace zerohop
