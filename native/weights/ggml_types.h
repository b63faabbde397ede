// ggml_types.h: the element types of ggml, by their numbers in GGUF files.
//
// Sources  ggml.h (enum ggml_type), ggml-common.h (the blocks' sizes, asserted there)
#pragma once

#include <cstdint>

#include "weights/tensor.h"

namespace zerohop {

// Null if there is no such type, or no longer.  Valid for ever.  A block always has whole bytes.
const DType* GgmlType(uint32_t number);

}  // namespace zerohop
