#include "binding/exposure_price.h"

#include "check.h"

namespace zerohop::binding {

TEST(ExposurePrice, RentGrowsWithTheBytesCopied) {
  CHECK_EQ(CopyRentNs(0), 100u);
  CHECK(CopyRentNs(4096) > CopyRentNs(64));
}

TEST(ExposurePrice, GrowsWithTheHeapThatACollectionMarks) {
  uint64_t last = 0;
  for (uint64_t heap = uint64_t{16} << 20; heap <= uint64_t{4} << 30; heap *= 2) {
    const uint64_t price = AccountedExposurePriceNs(heap, size_t{2} << 20);
    CHECK(price > last);
    last = price;
  }
}

TEST(ExposurePrice, IsSharedByTheSegmentsThatProvokeOneCollection) {
  const uint64_t whole = AccountedExposurePriceNs(0, size_t{64} << 20);
  CHECK_EQ(whole, kGcBaseNs);
  CHECK_EQ(AccountedExposurePriceNs(0, size_t{2} << 20), kGcBaseNs / 32);
}

TEST(ExposurePrice, OfASegmentLargerThanTheStepIsOneCollection) {
  CHECK_EQ(AccountedExposurePriceNs(0, size_t{256} << 20), kGcBaseNs);
}

}  // namespace zerohop::binding
