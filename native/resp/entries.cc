#include "resp/entries.h"

namespace zerohop::resp {

bool KeyFits(Context& context, Bytes key) {
  if (key.size() <= kKeyBytesMax) [[likely]]
    return true;
  context.reply.Error("ERR key is longer than " + std::to_string(kKeyBytesMax) +
                      " bytes, which is the most a key can have");
  return false;
}

bool Stored(Reply& reply, SetOutcome outcome) {
  if (outcome == SetOutcome::kStored) [[likely]]
    return true;
  if (outcome == SetOutcome::kTooLarge) {
    reply.Error("ERR value is larger than the cache can hold, which is about half of its maxBytes");
  } else {
    reply.Error("OOM command not allowed when used memory > 'maxmemory'.");
  }
  return false;
}

}  // namespace zerohop::resp
