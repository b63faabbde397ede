#include "weights/ggml_types.h"

#include <iterator>

namespace zerohop {
namespace {

constexpr DType Blocks(const char* name, uint32_t elements, uint32_t bytes) { return {name, elements, bytes * 8}; }
constexpr DType Plain(const char* name, uint32_t bytes) { return Blocks(name, 1, bytes); }
constexpr DType kNoSuchType = {nullptr, 0, 0};

// The place is the number.
constexpr DType kGgmlTypes[] = {
    Plain("F32", 4),
    Plain("F16", 2),
    Blocks("Q4_0", 32, 18),
    Blocks("Q4_1", 32, 20),
    kNoSuchType,  // Q4_2, removed
    kNoSuchType,  // Q4_3, removed
    Blocks("Q5_0", 32, 22),
    Blocks("Q5_1", 32, 24),
    Blocks("Q8_0", 32, 34),
    Blocks("Q8_1", 32, 36),
    Blocks("Q2_K", 256, 84),  // 10
    Blocks("Q3_K", 256, 110),
    Blocks("Q4_K", 256, 144),
    Blocks("Q5_K", 256, 176),
    Blocks("Q6_K", 256, 210),
    Blocks("Q8_K", 256, 292),
    Blocks("IQ2_XXS", 256, 66),
    Blocks("IQ2_XS", 256, 74),
    Blocks("IQ3_XXS", 256, 98),
    Blocks("IQ1_S", 256, 50),
    Blocks("IQ4_NL", 32, 18),  // 20
    Blocks("IQ3_S", 256, 110),
    Blocks("IQ2_S", 256, 82),
    Blocks("IQ4_XS", 256, 136),
    Plain("I8", 1),
    Plain("I16", 2),
    Plain("I32", 4),
    Plain("I64", 8),
    Plain("F64", 8),
    Blocks("IQ1_M", 256, 56),
    Plain("BF16", 2),  // 30
    kNoSuchType,       // Q4_0_4_4, removed
    kNoSuchType,       // Q4_0_4_8, removed
    kNoSuchType,       // Q4_0_8_8, removed
    Blocks("TQ1_0", 256, 54),
    Blocks("TQ2_0", 256, 66),
    kNoSuchType,  // IQ4_NL_4_4, removed
    kNoSuchType,  // IQ4_NL_4_8, removed
    kNoSuchType,  // IQ4_NL_8_8, removed
    Blocks("MXFP4", 32, 17),
    Blocks("NVFP4", 64, 36),  // 40
    Blocks("Q1_0", 128, 18),
    Blocks("Q2_0", 64, 18),
};
static_assert(std::size(kGgmlTypes) == 43, "a line is missing, or one too many: all numbers behind it are wrong");

}  // namespace

const DType* GgmlType(uint32_t number) {
  if (number >= std::size(kGgmlTypes) || kGgmlTypes[number].name == nullptr) return nullptr;
  return &kGgmlTypes[number];
}

}  // namespace zerohop
