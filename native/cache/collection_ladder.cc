#include "cache/collection_ladder.h"

#include <thread>

namespace zerohop {
namespace {

using std::chrono::milliseconds;

// How long a thread without an isolate waits for others' collections.  A young generation is collected in 1 to 2 ms, a
// heap of 40 MB in some 30 (binding/exposure_price.h), once the event loop turns.  Together they stay below the 50 ms
// for which a server may stall its clients.
constexpr milliseconds kYoungPatience{10};
constexpr milliseconds kWholePatience{30};
static_assert(kYoungPatience + kWholePatience < milliseconds(50));

// The pause after a climb in vain, in parts of the time that it took.
constexpr int kPauseShare = 10;

// How often the count of segments that came back is read.  A deleter may run within a collection, where it must not
// wake anybody through a lock.
constexpr std::chrono::microseconds kPoll{200};

}  // namespace

bool CollectionLadder::CollectOwn() {
  while (rung_ != CollectionNeed::kWhole) {
    rung_ = rung_ == CollectionNeed::kNothing ? CollectionNeed::kYoung : CollectionNeed::kWhole;
    if (session_.holder->Collect(rung_)) return true;
  }
  return false;
}

bool CollectionLadder::AskOthers() {
  if (rung_ == CollectionNeed::kNothing) {
    if (Clock::now() < session_.next_ask || !Ask(CollectionNeed::kYoung)) return false;
  }
  if (AwaitUnexposed()) return true;
  if (rung_ == CollectionNeed::kYoung && Ask(CollectionNeed::kWhole) && AwaitUnexposed()) return true;
  session_.next_ask = Clock::now() + kPauseShare * (kYoungPatience + kWholePatience);
  return false;
}

// False: nobody else holds a buffer.
bool CollectionLadder::Ask(CollectionNeed need) {
  if (rung_ == CollectionNeed::kNothing) unexposed_ = arena_.unexposed_segments();
  rung_ = need;
  if (!sessions_.AskToCollect(session_, need)) return false;
  exposure_.Notify();  // a holder whose event loop does not turn looks at the notice in its next call
  deadline_ = Clock::now() + (need == CollectionNeed::kYoung ? kYoungPatience : kWholePatience);
  return true;
}

// True: a segment came back since the last try.
bool CollectionLadder::AwaitUnexposed() {
  for (;;) {
    const uint32_t unexposed = arena_.unexposed_segments();
    if (unexposed != unexposed_) {
      unexposed_ = unexposed;
      return true;
    }
    if (Clock::now() >= deadline_) return false;
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace zerohop
