// copy_test.cc: a copy that fetches ahead copies each length to the byte, and writes nothing beside it.
#include "base/copy.h"

#include <vector>

#include "check.h"

namespace zerohop {
namespace {

TEST(Copy, CopiesEachLengthAndNothingBesideItInEveryWay) {
  std::vector<Copy> ways = {CopyFetching, CopyFetchingBoth};
  const auto [fetching, fetching_both] = AllCopyWays();
  ways.insert(ways.end(), fetching.begin(), fetching.end());
  ways.insert(ways.end(), fetching_both.begin(), fetching_both.end());
  for (const Copy copy : ways) {
    if (copy == nullptr) continue;
    for (size_t length = 0; length <= 300; ++length) {
      for (const size_t shift : {size_t{0}, size_t{1}, size_t{8}}) {
        // Of exactly this size, so that the address sanitizer sees a read beyond it.
        std::vector<std::byte> from(shift + length), to(shift + length + 1, std::byte{0xee});
        for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::byte>(i * 37 + 11);
        copy(to.data() + shift, from.data() + shift, length, from.data());
        bool same = true;
        for (size_t i = 0; i < length; ++i) same = same && to[shift + i] == from[shift + i];
        CHECK(same);
        for (size_t i = 0; i < shift; ++i) CHECK(to[i] == std::byte{0xee});
        CHECK(to[shift + length] == std::byte{0xee});
      }
    }
  }
}

}  // namespace
}  // namespace zerohop
