// gguf_split.h: the names of the files that are one model together: <model>-00001-of-00005.gguf and the others.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weights/tensor.h"

namespace zerohop {

// All names, the given one among them: the place in the list is the number that the file's own header says
// (GgufSplit::index).  ERR_WEIGHTS_SPLIT if the name is not of this form, or not the name of a file alone: no folder
// can be left by what follows from it.  The refusal's offset is one in the name.
Parsed<std::vector<std::string>> GgufSplitNames(std::string_view basename);

}  // namespace zerohop
