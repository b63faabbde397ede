// same_bytes_test.cc: equal bytes are equal at each length, and one other byte is seen at each place.
#include "base/same_bytes.h"

#include <vector>

#include "check.h"

namespace zerohop {
namespace {

TEST(SameBytes, SeesOneOtherByteAtEachPlaceOfEachLength) {
  for (size_t length = 0; length <= 70; ++length) {
    // Of exactly this size, so that the address sanitizer sees a read beyond it.
    std::vector<std::byte> left(length);
    for (size_t i = 0; i < length; ++i) left[i] = static_cast<std::byte>(i * 37 + 11);
    std::vector<std::byte> right = left;
    CHECK(SameBytes(left.data(), right.data(), length));
    for (size_t at = 0; at < length; ++at) {
      right[at] ^= std::byte{0x80};
      CHECK(!SameBytes(left.data(), right.data(), length));
      right[at] = left[at];
    }
  }
}

}  // namespace
}  // namespace zerohop
