// text_memory_test.cc: room for a batch of texts, when the system refuses a longer one.
#include "binding/text_memory.h"

#include <cstring>
#include <new>

#include "check.h"
#include "failure/failing_memory.h"

namespace zerohop::binding {
namespace {

TEST(TextMemory, GivesRoomForAShortBatchAfterItWasRefusedRoomForALongOne) {
  TextMemory memory;
  std::memset(memory.Messages(1000), 1, 1000);
  memory.Units(1000)[999] = u'a';
  const auto refused = [](auto ask) {
    const failure::Refusal refusal(0, false);
    try {
      ask();
    } catch (const std::bad_alloc&) {
      return true;
    }
    return false;
  };
  CHECK(refused([&] { memory.Messages(100'000); }));
  CHECK(refused([&] { memory.Units(100'000); }));
  std::byte* const messages = memory.Messages(10);
  char16_t* const units = memory.Units(10);
  REQUIRE(messages != nullptr && units != nullptr);
  std::memset(messages, 1, 10);
  units[9] = u'a';
  memory.Trim();
}

}  // namespace
}  // namespace zerohop::binding
