#include "cache/epoch.h"

#include "cache/session.h"
#include "check.h"

namespace zerohop {

TEST(EpochDomain, PassesAtOnceWithoutReaders) {
  EpochDomain epochs;
  CHECK(epochs.Passed(epochs.Advance()));
}

TEST(EpochDomain, WaitsForAReaderThatEnteredBefore) {
  EpochDomain epochs;
  EpochRecord reader;
  epochs.Add(&reader);
  epochs.Enter(reader);
  const uint64_t epoch = epochs.Advance();
  CHECK(!epochs.Passed(epoch));
  EpochDomain::Leave(reader);
  CHECK(epochs.Passed(epoch));
}

TEST(EpochDomain, DoesNotWaitForAReaderThatEnteredAfter) {
  EpochDomain epochs;
  EpochRecord reader;
  epochs.Add(&reader);
  const uint64_t epoch = epochs.Advance();
  epochs.Enter(reader);
  CHECK(epochs.Passed(epoch));
  CHECK(!epochs.Passed(epochs.Advance()));
}

TEST(EpochDomain, WaitsForTheSlowestOfManyReaders) {
  EpochDomain epochs;
  EpochRecord readers[3];
  uint64_t asked[3];
  for (int i = 0; i < 3; ++i) {
    epochs.Add(&readers[i]);
    epochs.Enter(readers[i]);
    asked[i] = epochs.Advance();
  }
  EpochDomain::Leave(readers[1]);
  EpochDomain::Leave(readers[2]);
  for (const uint64_t epoch : asked) CHECK(!epochs.Passed(epoch));
  EpochDomain::Leave(readers[0]);
  for (const uint64_t epoch : asked) CHECK(epochs.Passed(epoch));
}

TEST(EpochDomain, ForgetsARecordThatWasRemoved) {
  EpochDomain epochs;
  EpochRecord stays, goes;
  epochs.Add(&stays);
  epochs.Add(&goes);
  epochs.Remove(&goes);
  goes.entered = 1;  // stands for memory that is something else by now
  CHECK(epochs.Passed(epochs.Advance()));
}

TEST(ReadGuard, IsInTheEpochForAsLongAsItLives) {
  EpochDomain epochs;
  Session session;
  epochs.Add(&session.record);
  uint64_t epoch;
  {
    ReadGuard guard(epochs, session);
    epoch = epochs.Advance();
    CHECK(!epochs.Passed(epoch));
  }
  CHECK(epochs.Passed(epoch));
}

}  // namespace zerohop
